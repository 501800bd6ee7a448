"""Whole tensors: a difference that is added, or values that replace the old ones.

    W + strength * diff           `diff`, `diff_b`, and LyCORIS' `w_norm`, `b_norm`
    W'                            `set_weight`, whatever the strength

Formats: A1111's extracted differences, LyCORIS' "full" and "norm" modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from engine.adapters.parts import Parts, Shape


@dataclass(frozen=True, slots=True, eq=False)
class FullDelta:
    """A stored difference; `part` is its name in the module."""

    parts: Parts
    part: str

    def check(self, shape: Shape) -> None:
        """See `Delta`; axes of size 1 are ignored."""
        check_whole(self.parts, self.part, shape)

    def delta(self, weight: Tensor) -> Tensor:
        """See `Delta`."""
        return self.parts.values(self.part, weight).reshape(weight.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Replaced:
    """Values that replace the old ones."""

    parts: Parts
    part: str

    def check(self, shape: Shape) -> None:
        """See `Change`."""
        check_whole(self.parts, self.part, shape)

    def changed(self, weight: Tensor, strength: float) -> Tensor:
        """See `Change`."""
        del strength
        return self.parts.values(self.part, weight).reshape(weight.shape).clone()


def check_whole(parts: Parts, part: str, shape: Shape) -> None:
    """Raises `WeightsError` unless the part has that shape, except for axes of size 1."""
    found = parts.shape(part)
    if prod(found) != prod(shape) or _long_axes(found) != _long_axes(shape):
        raise parts.refuse(list(found), shape)


def _long_axes(shape: Shape) -> list[int]:
    return [side for side in shape if side != 1]
