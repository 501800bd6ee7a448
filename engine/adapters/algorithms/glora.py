"""GLoRA: a low-rank change of the weight that depends on the weight, and one that does not.

    delta W = alpha / r * (W @ A + B)

Chavan et al. 2023, "One-for-All: Generalized LoRA for Parameter-Efficient Fine-tuning", eq. 10.
Files have A = a2 @ a1 and B = b2 @ b1 (old), or A = a1 @ a2 and B = b1 @ b2 (today), distinguished
by which products have the shape of W. W is the weight after earlier adapters, so the order of
adapters matters here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from engine.adapters.parts import Parts, Shape


@dataclass(frozen=True, slots=True, eq=False)
class GloraDelta:
    """See the module."""

    parts: Parts

    def check(self, shape: Shape) -> None:
        """See `Delta`."""
        self.parts.check_alpha()
        order = self._order(shape)
        (rows, rank), (other, columns) = (self.parts.matrix(f"a{n}") for n in order)
        (out, low), (lower, inner) = (self.parts.matrix(f"b{n}") for n in order)
        whole = prod(shape[1:])
        agree = rank == other and low == lower and rows == columns and rows in (shape[1], whole)
        if not agree or len(shape) < 2 or (out, inner) != (shape[0], whole):
            raise self.parts.refuse(f"{[out, low]} x {[lower, inner]}", shape)

    def delta(self, weight: Tensor) -> Tensor:
        """See `Delta`."""
        first, second = self._order(tuple(weight.shape))
        a, a_low = (self.parts.flat(f"a{n}", weight) for n in (first, second))
        b, b_low = (self.parts.flat(f"b{n}", weight) for n in (first, second))
        if a.shape[0] == weight[0].numel():
            inside = weight.flatten(1) @ a @ a_low
        else:  # along the input channels of a convolution
            inside = ((weight.movedim(1, -1) @ a) @ a_low).movedim(-1, 1).flatten(1)
        change = inside.add_(b @ b_low).mul_(self.parts.scale(a.shape[1]))
        return change.reshape(weight.shape)

    def _order(self, shape: Shape) -> tuple[str, str]:
        """Which numbered matrix is the left factor: the one with as many rows as W."""
        b1, b2 = self.parts.matrix("b1"), self.parts.matrix("b2")
        today = b1[0] == shape[0] and b1[1] == b2[0]
        return ("1", "2") if today else ("2", "1")
