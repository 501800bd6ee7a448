"""The block formats of GGUF files: how ggml packs weights.

A row is a sequence of blocks of 32 or 256 values, each with factors of its own. Formats:
https://github.com/ggml-org/ggml, `ggml-common.h` (MIT); checked against the PyPI package gguf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from engine.weights.forms import E2M1, by_rows, powers_of_two

Blocks = Callable[[Tensor], Tensor]
"""From blocks [B, bytes] to their values [B, ...] in float32."""
_LEVELS = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
"""The values of 4 bits in IQ4_NL and IQ4_XS."""


class Kind(NamedTuple):
    """One format of blocks.

    Attributes:
        name: ggml's.
        values: in a block.
        nbytes: of a block.
        unpack: None for a format that is not read.
    """

    name: str
    values: int
    nbytes: int
    unpack: Blocks | None = None


@dataclass(frozen=True, slots=True)
class GgmlBlocks:
    """Rows of blocks. parts: [rows, bytes of a row].

    Attributes:
        kind: the number of the format in files.
        shape: of the values; their last dimension may be a part of a row.
    """

    kind: int
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """See `Form`."""
        return f"GGUF {KINDS[self.kind].name}"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        stored, kind = parts[0], KINDS[self.kind]
        unpack = kind.unpack
        assert unpack is not None  # noqa: S101 - others are refused when the file is opened

        def make(first: int, last: int) -> Tensor:
            return unpack(stored[first:last].reshape(-1, kind.nbytes))

        return by_rows(stored.shape[0], self.shape, dtype, stored.device, make)


def _half(blocks: Tensor, at: int) -> Tensor:
    """[B, 1] a float16 of each block."""
    return blocks[:, at : at + 2].contiguous().view(torch.float16).float()


def _low_high(pairs: Tensor) -> Tensor:
    """[..., 2, n] in float32: the low halves of n bytes, then the high halves."""
    return torch.stack((pairs & 15, pairs >> 4), dim=-2).float()


def _fifth_bits(blocks: Tensor, at: int) -> Tensor:
    """[B, 2, 16] in float32, 16 where a bit of the block's 32 is set."""
    bits = blocks[:, at : at + 4].contiguous().view(torch.int32)
    places = torch.arange(32, dtype=torch.int32, device=blocks.device)
    return ((bits >> places) & 1).float().mul_(16).view(-1, 2, 16)


def _table(values: Sequence[float], pairs: Tensor) -> Tensor:
    """[..., 2, n] in float32: the values of n low halves, then of the high halves."""
    table = torch.tensor(values, dtype=torch.float32, device=pairs.device)
    indices = torch.stack((pairs & 15, pairs >> 4), dim=-2).int()
    return table.index_select(0, indices.flatten()).view(indices.shape)


def _q4_0(blocks: Tensor) -> Tensor:
    return _low_high(blocks[:, 2:]).sub_(8).mul_(_half(blocks, 0)[:, :, None])


def _q4_1(blocks: Tensor) -> Tensor:
    scale, least = _half(blocks, 0)[:, :, None], _half(blocks, 2)[:, :, None]
    return _low_high(blocks[:, 4:]).mul_(scale).add_(least)


def _q5_0(blocks: Tensor) -> Tensor:
    values = _low_high(blocks[:, 6:]).add_(_fifth_bits(blocks, 2))
    return values.sub_(16).mul_(_half(blocks, 0)[:, :, None])


def _q5_1(blocks: Tensor) -> Tensor:
    values = _low_high(blocks[:, 8:]).add_(_fifth_bits(blocks, 4))
    return values.mul_(_half(blocks, 0)[:, :, None]).add_(_half(blocks, 2)[:, :, None])


def _q8_0(blocks: Tensor) -> Tensor:
    return blocks[:, 2:].view(torch.int8).float().mul_(_half(blocks, 0))


def _q8_k(blocks: Tensor) -> Tensor:
    scale = blocks[:, :4].contiguous().view(torch.float32)
    return blocks[:, 4:260].view(torch.int8).float().mul_(scale)


def _two_bits(stored: Tensor) -> Tensor:
    """[B, 2, 4, 32] whole numbers: each 32 bytes hold 4 groups of 32, lowest bits first."""
    groups = stored.reshape(-1, 2, 1, 32)
    return torch.cat([groups >> shift & 3 for shift in (0, 2, 4, 6)], dim=2)


def _q2_k(blocks: Tensor) -> Tensor:
    packed, stored = blocks[:, :16], blocks[:, 16:80]
    scales = (packed & 15).float().mul_(_half(blocks, 80))
    least = (packed >> 4).float().mul_(_half(blocks, 82))
    values = _two_bits(stored).float().view(-1, 16, 16)
    return values.mul_(scales[:, :, None]).sub_(least[:, :, None])


def _q3_k(blocks: Tensor) -> Tensor:
    masks, stored, packed = blocks[:, :32], blocks[:, 32:96], blocks[:, 96:108]
    low = torch.cat((packed[:, :8] & 15, packed[:, :8] >> 4), dim=1)
    high = torch.cat([packed[:, 8:] >> shift & 3 for shift in (0, 2, 4, 6)], dim=1)
    scales = (low | high << 4).float().sub_(32).mul_(_half(blocks, 108))
    third = torch.stack([masks >> bit & 1 for bit in range(8)], dim=1).view(-1, 2, 4, 32)
    values = (_two_bits(stored) | third << 2).float().sub_(4).view(-1, 16, 16)
    return values.mul_(scales[:, :, None])


def _six_bits(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """([B, 8], [B, 8]) the factors and minima of 8 groups, in float32 with those of the block."""
    first, second, third = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    scales = torch.cat((first & 63, third & 15 | first >> 6 << 4), dim=1)
    least = torch.cat((second & 63, third >> 4 | second >> 6 << 4), dim=1)
    return scales.float().mul_(_half(blocks, 0)), least.float().mul_(_half(blocks, 2))


def _q4_k(blocks: Tensor) -> Tensor:
    scales, least = _six_bits(blocks)
    values = _low_high(blocks[:, 16:].view(-1, 4, 32)).view(-1, 8, 32)
    return values.mul_(scales[:, :, None]).sub_(least[:, :, None])


def _q5_k(blocks: Tensor) -> Tensor:
    scales, least = _six_bits(blocks)
    upper = blocks[:, 16:48]
    fifth = torch.stack([upper >> bit & 1 for bit in range(8)], dim=1).float().mul_(16)
    values = _low_high(blocks[:, 48:].view(-1, 4, 32)).view(-1, 8, 32).add_(fifth)
    return values.mul_(scales[:, :, None]).sub_(least[:, :, None])


def _q6_k(blocks: Tensor) -> Tensor:
    low = blocks[:, :128].reshape(-1, 2, 2, 32)
    low = torch.cat((low & 15, low >> 4), dim=2)
    high = _two_bits(blocks[:, 128:192])
    scales = blocks[:, 192:208].contiguous().view(torch.int8).float().mul_(_half(blocks, 208))
    values = (low | high << 4).float().sub_(32).view(-1, 16, 16)
    return values.mul_(scales[:, :, None])


def _iq4_nl(blocks: Tensor) -> Tensor:
    return _table(_LEVELS, blocks[:, 2:]).mul_(_half(blocks, 0)[:, :, None])


def _iq4_xs(blocks: Tensor) -> Tensor:
    upper = blocks[:, 2:4].contiguous().view(torch.int16).int()
    places = torch.arange(0, 16, 2, dtype=torch.int32, device=blocks.device)
    low = torch.stack((blocks[:, 4:8] & 15, blocks[:, 4:8] >> 4), dim=-1).flatten(1).int()
    scales = (low | (upper >> places & 3) << 4).float().sub_(32).mul_(_half(blocks, 0))
    return _table(_LEVELS, blocks[:, 8:].view(-1, 8, 16)).mul_(scales[:, :, None, None])


def _mxfp4(blocks: Tensor) -> Tensor:
    return _table(E2M1, blocks[:, 1:]).mul_(powers_of_two(blocks[:, :1])[:, :, None])


KINDS: Mapping[int, Kind] = {
    2: Kind("Q4_0", 32, 18, _q4_0),
    3: Kind("Q4_1", 32, 20, _q4_1),
    6: Kind("Q5_0", 32, 22, _q5_0),
    7: Kind("Q5_1", 32, 24, _q5_1),
    8: Kind("Q8_0", 32, 34, _q8_0),
    9: Kind("Q8_1", 32, 40),
    10: Kind("Q2_K", 256, 84, _q2_k),
    11: Kind("Q3_K", 256, 110, _q3_k),
    12: Kind("Q4_K", 256, 144, _q4_k),
    13: Kind("Q5_K", 256, 176, _q5_k),
    14: Kind("Q6_K", 256, 210, _q6_k),
    15: Kind("Q8_K", 256, 292, _q8_k),
    16: Kind("IQ2_XXS", 256, 66),
    17: Kind("IQ2_XS", 256, 74),
    18: Kind("IQ3_XXS", 256, 98),
    19: Kind("IQ1_S", 256, 50),
    20: Kind("IQ4_NL", 32, 18, _iq4_nl),
    21: Kind("IQ3_S", 256, 110),
    22: Kind("IQ2_S", 256, 82),
    23: Kind("IQ4_XS", 256, 136, _iq4_xs),
    29: Kind("IQ1_M", 256, 56),
    34: Kind("TQ1_0", 256, 54),
    35: Kind("TQ2_0", 256, 66),
    39: Kind("MXFP4", 32, 17, _mxfp4),
    40: Kind("NVFP4", 64, 36),
    41: Kind("Q1_0", 128, 18),
}
"""By their number in files."""
PLAIN: Mapping[int, torch.dtype] = {
    0: torch.float32,
    1: torch.float16,
    24: torch.int8,
    25: torch.int16,
    26: torch.int32,
    27: torch.int64,
    28: torch.float64,
    30: torch.bfloat16,
}
"""Formats that are not packed."""
