"""LoHa: the elementwise product of two low-rank matrices.

    delta W = alpha / r * (w1_a @ w1_b) o (w2_a @ w2_b)
    w_n[o, i, h, w] = sum_ab wn_a[a, o] tn[a, b, h, w] wn_b[b, i]      (convolutions with `hada_t`)

Nam et al. 2022, "FedPara: Low-Rank Hadamard Product for Communication-Efficient Federated
Learning", prop. 1 and 3; for pictures Yeh et al. 2023 (LyCORIS).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.adapters.parts import Parts, Shape


@dataclass(frozen=True, slots=True, eq=False)
class LohaDelta:
    """See the module."""

    parts: Parts

    def check(self, shape: Shape) -> None:
        """See `Delta`."""
        parts = self.parts
        parts.check_alpha()
        for n in "12":
            (out, rank), (rows, inner) = (parts.matrix(f"hada_w{n}_{side}") for side in "ab")
            tucker = f"hada_t{n}" in parts
            if tucker:
                middle = parts.shape(f"hada_t{n}")
                agree = len(middle) == len(shape) > 2 and middle[:2] == (out, rows)
                agree = agree and (rank, inner, *middle[2:]) == shape
            else:
                agree = rank == rows and (out, inner) == (shape[0], prod(shape[1:]))
            if not agree or tucker != ("hada_t1" in parts):
                raise parts.refuse(f"{[out, rank]} x {[rows, inner]}", shape)

    def delta(self, weight: Tensor) -> Tensor:
        """See `Delta`."""
        parts = self.parts
        product = self._factor("1", weight).mul_(self._factor("2", weight))
        return product.mul_(parts.scale(parts.shape("hada_w1_b")[0])).reshape(weight.shape)

    def _factor(self, n: str, weight: Tensor) -> Tensor:
        a, b = (self.parts.flat(f"hada_w{n}_{side}", weight) for side in "ab")
        if f"hada_t{n}" not in self.parts:
            return a @ b
        middle = self.parts.values(f"hada_t{n}", weight)
        return torch.einsum("ao,ab...,bi->oi...", a, middle, b)
