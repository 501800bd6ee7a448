"""OFT: the output channels of a weight are rotated, block by block.

    W'_k = R_k W_k,  then per output channel times `rescale`

Qiu et al. 2023, "Controlling Text-to-Image Diffusion by Orthogonal Finetuning", section 4, in
LyCORIS' form ("Diag-OFT"). Existing files expect that the strength counts twice: it blends the
rotation with the identity, and it multiplies the change of the weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.adapters.algorithms.rotation import blended, rescaled, rotations
from engine.adapters.parts import Parts, Shape


@dataclass(frozen=True, slots=True, eq=False)
class Oft:
    """See the module."""

    parts: Parts

    def check(self, shape: Shape) -> None:
        """See `Change`."""
        parts = self.parts
        parts.check_alpha()
        found = parts.shape(self._part)
        if len(found) != 3 or found[1] != found[2] or found[0] * found[1] != shape[0]:
            raise parts.refuse(f"blocks {list(found)}", shape)
        if "rescale" in parts and prod(parts.shape("rescale")) != shape[0]:
            raise parts.refuse(f"rescale {list(parts.shape('rescale'))}", shape)

    def changed(self, weight: Tensor, strength: float) -> Tensor:
        """See `Change`."""
        rotation = blended(rotations(self.parts, self._part, weight), strength)
        blocks = weight.reshape(*rotation.shape[:2], -1)
        turned = torch.einsum("knm,kni->kmi", rotation, blocks).reshape(weight.shape)
        return torch.lerp(weight, rescaled(self.parts, turned), strength)

    @property
    def _part(self) -> str:
        return "oft_blocks" if "oft_blocks" in self.parts else "oft_diag"
