"""LoRA and LoCon: a product of two small matrices, for convolutions optionally with a middle.

    delta W = alpha / r * up @ down                          (linear, and convolutions flattened)
    delta W[o, i, h, w] = alpha / r * sum_ab up[o, a] mid[a, b, h, w] down[b, i]

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", eq. 3; the form with a middle
(a Tucker decomposition) after Yeh et al. 2023, "Navigating Text-To-Image Customization" (LyCORIS).
Without alpha the factor is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.adapters.parts import Parts, Shape


@dataclass(frozen=True, slots=True, eq=False)
class LoraDelta:
    """See the module."""

    parts: Parts

    def check(self, shape: Shape) -> None:
        """See `Delta`."""
        parts = self.parts
        parts.check_alpha()
        (out, rank), (rows, inner) = parts.matrix("up"), parts.matrix("down")
        if "mid" in parts:
            mid = parts.shape("mid")
            made: Shape = (out, inner, *mid[2:])
            agree = len(mid) == len(shape) > 2 and mid[:2] == (rank, rows) and made == shape
        else:
            made = (out, inner)
            agree = rank == rows and made == (shape[0], prod(shape[1:]))
        if not agree:
            raise parts.refuse(f"{[out, rank]} x {[rows, inner]}", shape)

    def delta(self, weight: Tensor) -> Tensor:
        """See `Delta`."""
        parts = self.parts
        up, down = parts.flat("up", weight), parts.flat("down", weight)
        if "mid" in parts:
            mid = parts.values("mid", weight)
            product = torch.einsum("oa,ab...,bi->oi...", up, mid, down)
        else:
            product = up @ down
        return product.mul_(parts.scale(down.shape[0])).reshape(weight.shape)


@dataclass(frozen=True, slots=True, eq=False)
class LoraBiasDelta:
    """The bias of `up`, which peft trains with `lora_bias`: added to that of the module."""

    parts: Parts

    def check(self, shape: Shape) -> None:
        """See `Delta`."""
        if self.parts.shape("up_bias") != shape:
            raise self.parts.refuse(list(self.parts.shape("up_bias")), shape)

    def delta(self, weight: Tensor) -> Tensor:
        """See `Delta`."""
        rank = self.parts.shape("down")[0]
        return self.parts.values("up_bias", weight) * self.parts.scale(rank)
