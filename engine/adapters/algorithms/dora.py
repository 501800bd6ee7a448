"""DoRA: an adapter changes a weight's direction; its magnitude is learned separately.

    W' = m * (W + delta) / ||.||

Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation", eq. 5. The norm depends on the
programs that write and read such files:

* `dora_scale` [1, in, ...]: per input channel, the norm of W + delta.
* `dora_scale` [out, 1, ...]: per output channel, the norm of W, as readers of these files have it.
* peft's `lora_magnitude_vector` [out]: per output channel, the norm of W + delta.

Strengths other than 1 interpolate between W and W': W + strength * (W' - W).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.adapters.change import Delta
from engine.adapters.parts import Parts, Shape


@dataclass(frozen=True, slots=True, eq=False)
class Decomposed:
    """See the module."""

    parts: Parts
    delta: Delta

    def check(self, shape: Shape) -> None:
        """See `Change`."""
        self.delta.check(shape)
        found = self.parts.shape(self._part)
        sides = (shape[0],) if self._is_per_row(shape[0]) else (shape[0], shape[1:2][0])
        if len(shape) < 2 or prod(found) not in sides:
            raise self.parts.refuse(f"magnitudes {list(found)}", shape)

    def changed(self, weight: Tensor, strength: float) -> Tensor:
        """See `Change`."""
        moved = weight + self.delta.delta(weight)
        magnitude = self.parts.values(self._part, weight).flatten()
        if self._is_per_row(weight.shape[0]):
            measured = moved if self._part == "magnitude" else weight
            norm = _norms(measured, keep=0)
            stretch = _along(magnitude, weight, 0) / norm
        else:
            stretch = _along(magnitude, weight, 1) / _norms(moved, keep=1)
        moved = moved.mul_(stretch)
        return moved if strength == 1.0 else torch.lerp(weight, moved, strength)

    @property
    def _part(self) -> str:
        return "magnitude" if "magnitude" in self.parts else "dora_scale"

    def _is_per_row(self, out: int) -> bool:
        return self._part == "magnitude" or self.parts.shape("dora_scale")[0] == out


def _along(values: Tensor, weight: Tensor, axis: int) -> Tensor:
    return values.reshape([-1 if each == axis else 1 for each in range(weight.ndim)])


def _norms(weight: Tensor, *, keep: int) -> Tensor:
    others = [axis for axis in range(weight.ndim) if axis != keep]
    norms = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
    return norms + torch.finfo(torch.float32).eps
