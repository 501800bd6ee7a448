"""bitsandbytes' 4-bit weights (nf4, fp4) in files: recognised by the tensors beside them.

Dettmers et al. 2023, "QLoRA", sections 3 and 4: blocks of values share their largest magnitude, and
those magnitudes may be packed once more. Names: `X.weight` and `X.weight.absmax`, `.quant_map`,
`.nested_absmax`, `.nested_quant_map`, `.quant_state.bitsandbytes__nf4` (JSON).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from engine.weights.described import Beside, damaged, described, whole
from engine.weights.forms import by_rows, looked_up, pair_table
from engine.weights.state_dict import Entry

STATE = ".quant_state.bitsandbytes__"
KINDS = ("nf4", "fp4")
_CODES, _NESTED_CODES = 16, 256


@dataclass(frozen=True, slots=True)
class Blocks4:
    """4-bit codes of a table, times the magnitude of their block.

    parts: codes, the first in the high half of its byte; magnitudes of blocks; the table [16]; if
    `nested`, the magnitudes are bytes: then the magnitudes of their blocks, and their table [256].
    """

    shape: tuple[int, ...]
    block: int
    nested: int = 0
    offset: float = 0.0
    name: str = "nf4"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        codes, magnitudes, levels, *more = parts
        table = pair_table(levels, codes.device, high_first=True)
        factors = self._magnitudes(magnitudes.flatten(), more)
        pairs = codes.flatten()
        count = prod(self.shape)
        blocks = -(-count // self.block)
        whole_blocks = pairs.numel() * 2 == blocks * self.block

        def make(first: int, last: int) -> Tensor:
            begin, end = first * self.block // 2, last * self.block // 2
            found = looked_up(table, pairs[begin:end]).view(last - first, self.block)
            return found.mul_(factors[first:last, None])

        if whole_blocks and blocks * self.block == count:
            return by_rows(blocks, self.shape, dtype, codes.device, make)
        every = looked_up(table, pairs)[:count] * factors.repeat_interleave(self.block)[:count]
        return every.view(self.shape).to(dtype)

    def _magnitudes(self, stored: Tensor, more: Sequence[Tensor]) -> Tensor:
        if not self.nested:
            return stored.float()
        outer, levels = more[0].float().flatten(), more[1].float().flatten()
        wide = outer.repeat_interleave(self.nested)[: stored.numel()]
        return levels[stored.int()] * wide + self.offset


def bases(names: Mapping[str, object]) -> dict[str, str]:
    """The names of packed weights, each with the name of its description."""
    return {name[: name.index(STATE)]: name for name in names if STATE in name}


def packed(beside: Beside, name: str, state: str) -> Entry:
    """The packed weight of that name as one tensor. Raises `WeightsError`."""
    kind = state[state.index(STATE) + len(STATE) :]
    if kind not in KINDS:
        raise damaged(beside.origin, f"its {state[:120]!r} names no kind of 4-bit weights")
    document = described(beside.origin, state, beside.entries[state])
    shape, block = _shape(beside, state, document), whole(document.get("blocksize"))
    count = prod(shape)
    if not shape or not block or block % 2 or count == 0:
        raise damaged(beside.origin, f"its {state[:120]!r} has no blocksize and shape to use")
    codes = beside.entries.get(name)
    if codes is None or codes.dtype != torch.uint8 or prod(codes.shape) * 2 < count:
        found = "nothing" if codes is None else f"{list(codes.shape)} of {codes.dtype}"
        raise damaged(
            beside.origin, f"its {name[:120]!r} should hold {count // 2:,} bytes, found {found}"
        )
    blocks = -(-count // block)
    nested = whole(document.get("nested_blocksize")) or 0
    byte = torch.uint8 if nested else None
    parts = [codes, beside.need(f"{name}.absmax", blocks, byte)]
    parts.append(beside.need(f"{name}.quant_map", _CODES))
    if nested:
        parts.append(beside.need(f"{name}.nested_absmax", -(-blocks // nested)))
        parts.append(beside.need(f"{name}.nested_quant_map", _NESTED_CODES))
    offset = document.get("nested_offset", 0.0)
    offset = float(offset) if isinstance(offset, int | float) else 0.0
    dtype = {"float16": torch.float16, "float32": torch.float32}.get(
        str(document.get("dtype")), torch.bfloat16
    )
    return Entry.packed(Blocks4(shape, block, nested, offset, kind), parts, shape, dtype)


def _shape(beside: Beside, state: str, document: Mapping[str, Any]) -> tuple[int, ...]:
    found = document.get("shape")
    sides = [whole(side) for side in found] if isinstance(found, list) else []
    if len(sides) > 8 or any(side is None for side in sides):
        raise damaged(beside.origin, f"its {state[:120]!r} has no shape to use")
    return tuple(side for side in sides if side is not None)
