"""Forms that pack weights as whole numbers of 4, 6 or 8 bits.

Formats: the PyPI package comfy-kitchen (names and layouts), bitsandbytes (SCB).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from engine.weights.forms import by_rows, looked_up, pair_table

_SIGNED = (0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1)
_CENTRED = tuple(range(-8, 8))
_INT8_MOST = 127


@dataclass(frozen=True, slots=True)
class Int8:
    """8-bit integers with one factor, or one for each row; optionally rotated.

    parts: values; factors, [] or [N] or [N, 1, ...].

    Attributes:
        group: the width of the rotated groups of columns; 0: not rotated.
        divisor: of the factors.
    """

    group: int = 0
    divisor: float = 1.0
    name: str = "int8"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        values, scale = parts
        factors = scale.float().flatten() / self.divisor
        rows = values.shape[0]
        each, is_one = values.reshape(rows, -1), factors.numel() == 1
        rotation = hadamard(self.group, values.device) if self.group else None

        def make(first: int, last: int) -> Tensor:
            found = each[first:last].float()
            found.mul_(factors if is_one else factors[first:last, None])
            return found if rotation is None else rotated(found, rotation)

        return by_rows(rows, values.shape, dtype, values.device, make)


@dataclass(frozen=True, slots=True)
class RotatedInt4:
    """Signed 4-bit integers with a factor for each row, rotated (convrot_w4a4).

    parts: [N, K / 2] pairs, the first in the low half of its byte; factors [N].
    """

    group: int
    name: str = "convrot_w4a4"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        pairs, scale = parts
        factors = scale.float().flatten()
        table = pair_table(_SIGNED, pairs.device, high_first=False)
        rotation = hadamard(self.group, pairs.device)

        def make(first: int, last: int) -> Tensor:
            found = looked_up(table, pairs[first:last]).mul_(factors[first:last, None])
            return rotated(found, rotation)

        shape = (pairs.shape[0], pairs.shape[1] * 2)
        return by_rows(shape[0], shape, dtype, pairs.device, make)


@dataclass(frozen=True, slots=True)
class GroupedInt4:
    """4-bit or 6-bit codes of 8-bit integers, rotated (asym_w4a8_int8).

    A code stands for a number of the table, or for itself less half its range. Times the group's
    factor and rounded it is an 8-bit integer, which times the row's factor, plus the group's
    correction, is the value.

    parts: [N, K / 2] pairs, the first in the low half of its byte (of 6 bits: then [N, K / 4] with
    four upper halves, the first lowest); factors of groups [N, G]; factors of rows [N]; the table
    [16] if `has_table`; corrections [G, N] if `has_correction`.
    """

    size: int
    rotation: int
    has_table: bool
    has_correction: bool
    name: str = "asym_w4a8_int8"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        codes, relative, channel, *more = parts
        rows, groups = relative.shape
        shape = (rows, groups * self.size)
        factors, wide = relative.float(), channel.float().flatten()
        levels = more[0] if self.has_table else _CENTRED
        table = pair_table(levels, codes.device, high_first=False)
        correction = more[-1].float() if self.has_correction else None
        rotation = hadamard(self.rotation, codes.device)

        def make(first: int, last: int) -> Tensor:
            found = self._levels(codes[first:last], shape[1], table)
            found = found.view(last - first, groups, self.size).mul_(factors[first:last, :, None])
            found = found.round_().clamp_(-_INT8_MOST, _INT8_MOST)
            found.mul_(wide[first:last, None, None])
            if correction is not None:
                found.add_(correction.T[first:last, :, None])
            return rotated(found.flatten(1), rotation)

        return by_rows(rows, shape, dtype, codes.device, make)

    def _levels(self, codes: Tensor, columns: int, table: Tensor) -> Tensor:
        half = columns // 2
        if codes.shape[1] == half:
            return looked_up(table, codes)
        low = looked_up(table, codes[:, :half].contiguous()) + 8  # 4 bits, without a sign
        upper = codes[:, half:].contiguous().view(torch.uint8).int()
        high = torch.stack([upper >> shift & 3 for shift in (0, 2, 4, 6)], dim=-1).flatten(1)
        return low + (high * 16 - 32)


@dataclass(frozen=True, slots=True)
class ZeroPointInt4:
    """4-bit integers with a factor and an offset for each group of columns (awq_w4a16).

    values = (q - 8) * factor + offset.

    parts: [N, K / 2] pairs, the first in the low half of its byte; factors [K / size, N]; offsets
    [K / size, N].
    """

    size: int
    name: str = "awq_w4a16"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        pairs, scale, zeros = parts
        rows, groups = pairs.shape[0], scale.shape[0]
        factors, offsets = scale.float().T, zeros.float().T
        table = pair_table(_CENTRED, pairs.device, high_first=False)

        def make(first: int, last: int) -> Tensor:
            found = looked_up(table, pairs[first:last]).view(last - first, groups, self.size)
            found.mul_(factors[first:last, :, None]).add_(offsets[first:last, :, None])
            return found.flatten(1)

        return by_rows(rows, (rows, pairs.shape[1] * 2), dtype, pairs.device, make)


def hadamard(size: int, device: torch.device) -> Tensor:
    """The symmetric orthogonal matrix by which ConvRot rotates groups of `size` columns.

    A Kronecker power of a regular Hadamard matrix of 4, over the root of its size. It is its own
    inverse. "ConvRot" follows Ashkboos et al. 2024, "QuaRot", whose rotations spread outliers.
    """
    four = torch.ones(4, 4) - 2 * torch.eye(4).flip(0)
    found = four
    while found.shape[0] < size:
        found = torch.kron(found, four)
    return (found / size**0.5).to(device)


def is_rotation(size: int) -> bool:
    """Whether there is a `hadamard` of that size: a power of 4 that is not absurd."""
    return 4 <= size <= 4096 and log(size, 4).is_integer()


def rotated(values: Tensor, rotation: Tensor) -> Tensor:
    """[rows, K], each group of columns rotated."""
    return (values.view(values.shape[0], -1, rotation.shape[0]) @ rotation).flatten(1)
