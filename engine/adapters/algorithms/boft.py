"""BOFT: the output channels are rotated by a product of sparse rotations, as in a butterfly.

    W' = P_1^T R_1 P_1 ... P_m^T R_m P_m W,  then per output channel times `rescale`

Liu et al. 2024, "Parameter-Efficient Orthogonal Finetuning via Butterfly Factorization", section
5.1, in LyCORIS' form. P_i moves channels that are 2^i half blocks apart next to each other.
Strength as in OFT.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.adapters.algorithms.rotation import blended, rescaled, rotations
from engine.adapters.parts import Parts, Shape


@dataclass(frozen=True, slots=True, eq=False)
class Boft:
    """See the module."""

    parts: Parts

    def check(self, shape: Shape) -> None:
        """See `Change`."""
        parts = self.parts
        parts.check_alpha()
        found = parts.shape("oft_blocks")
        fits = len(found) == 4 and found[2] == found[3] and found[2] % 2 == 0
        fits = fits and found[1] * found[2] == shape[0]
        # The most distant channels that a factor pairs must exist.
        if not fits or shape[0] % (2 ** found[0] * (found[2] // 2)):
            raise parts.refuse(f"blocks {list(found)}", shape)
        if "rescale" in parts and prod(parts.shape("rescale")) != shape[0]:
            raise parts.refuse(f"rescale {list(parts.shape('rescale'))}", shape)

    def changed(self, weight: Tensor, strength: float) -> Tensor:
        """See `Change`."""
        factors = rotations(self.parts, "oft_blocks", weight)
        turned = weight.flatten(1)
        half = factors.shape[-1] // 2
        for i, factor in enumerate(factors):
            turned = _turned(turned, blended(factor, strength), 2**i * half)
        turned = rescaled(self.parts, turned.reshape(weight.shape))
        return torch.lerp(weight, turned, strength)


def _turned(weight: Tensor, factor: Tensor, apart: int) -> Tensor:
    """Rotate rows [out, in] that are `apart` rows from each other."""
    paired = weight.reshape(-1, 2, apart, weight.shape[1]).transpose(1, 2)
    blocks = paired.reshape(*factor.shape[:2], -1)
    turned = torch.einsum("bij,bjn->bin", factor, blocks)
    back = turned.reshape(-1, apart, 2, weight.shape[1]).transpose(1, 2)
    return back.reshape(weight.shape)
