"""LoKr: a Kronecker product, each side whole or a low-rank product itself.

    delta W = s * (w1 (x) w2),  w1 = w1_a @ w1_b,  w2 = w2_a @ w2_b
    w2[o, i, h, w] = sum_ab w2_a[a, o] t2[a, b, h, w] w2_b[b, i]       (convolutions with `lokr_t2`)

s is alpha / r where a side is low-rank (r of w2, else of w1), and 1 where both are whole.
Edalati et al. 2022, "KronA: Parameter Efficient Tuning with Kronecker Adapter"; Yeh et al. 2023
(LyCORIS).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.adapters.parts import Parts, Shape


@dataclass(frozen=True, slots=True, eq=False)
class LokrDelta:
    """See the module."""

    parts: Parts

    def check(self, shape: Shape) -> None:
        """See `Delta`."""
        self.parts.check_alpha()
        one, two = self._side("1", len(shape)), self._side("2", len(shape))
        if one[0] * two[0] != shape[0] or prod(one[1:]) * prod(two[1:]) != prod(shape[1:]):
            raise self.parts.refuse(f"{list(one)} (x) {list(two)}", shape)

    def delta(self, weight: Tensor) -> Tensor:
        """See `Delta`."""
        one, two = self._values("1", weight), self._values("2", weight)
        if two.ndim > 2 and one.ndim == 2:
            one = one.reshape(*one.shape, *(1 for _ in two.shape[2:]))
        scale = self.parts.scale(rank) if (rank := self._rank()) else 1.0
        return torch.kron(one, two).mul_(scale).reshape(weight.shape)

    def _rank(self) -> int | None:
        low = [part for part in ("lokr_w2_b", "lokr_w1_b") if part in self.parts]
        return self.parts.shape(low[0])[0] if low else None

    def _side(self, n: str, axes: int) -> Shape:
        """The shape of one side. Raises `WeightsError` where its parts do not make one."""
        parts, name = self.parts, f"lokr_w{n}"
        if name in parts:
            shape = parts.shape(name)
            if len(shape) in (2, axes):
                return shape
            raise parts.refuse(list(shape), shape)
        (out, rank), (rows, inner) = parts.matrix(f"{name}_a"), parts.matrix(f"{name}_b")
        if n == "2" and "lokr_t2" in parts:
            middle = parts.shape("lokr_t2")
            if len(middle) == axes and middle[:2] == (out, rows):
                return (rank, inner, *middle[2:])
        elif rank == rows:
            return (out, inner)
        raise parts.refuse(f"{[out, rank]} x {[rows, inner]}", (out, inner))

    def _values(self, n: str, weight: Tensor) -> Tensor:
        parts, name = self.parts, f"lokr_w{n}"
        if name in parts:
            return parts.values(name, weight)
        a, b = parts.flat(f"{name}_a", weight), parts.flat(f"{name}_b", weight)
        if n == "2" and "lokr_t2" in parts:
            middle = parts.values("lokr_t2", weight)
            return torch.einsum("ao,ab...,bi->oi...", a, middle, b).contiguous()
        return a @ b
