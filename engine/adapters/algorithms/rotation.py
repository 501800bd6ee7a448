"""Shared by OFT and BOFT: orthogonal blocks from skew-symmetric ones.

    Q = B - B^T,  R = (I + Q)(I - Q)^-1                               (Cayley)

alpha limits the norm of all of a module's Q together; 0 or none: no limit.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.adapters.parts import Parts

_TINY = 1e-8


def rotations(parts: Parts, part: str, like: Tensor) -> Tensor:
    """The orthogonal blocks [..., b, b] of a module's skew ones, on the device of `like`."""
    blocks = parts.values(part, like)
    skew = limited(parts, blocks - blocks.mT)
    one = torch.eye(skew.shape[-1], device=skew.device)
    return torch.linalg.solve(one - skew, one + skew)


def limited(parts: Parts, skew: Tensor) -> Tensor:
    """Skew-symmetric blocks [..., b, b], their norm held below a module's alpha."""
    limit = parts.alpha() or 0.0
    if limit <= 0:
        return skew
    norm = torch.linalg.vector_norm(skew)
    return skew * ((norm.clamp(max=limit) + _TINY) / (norm + _TINY))


def blended(rotation: Tensor, strength: float) -> Tensor:
    """Linear interpolation from the identity to a rotation [..., b, b]."""
    one = torch.eye(rotation.shape[-1], device=rotation.device)
    return torch.lerp(one.expand_as(rotation), rotation, strength)


def rescaled(parts: Parts, weight: Tensor) -> Tensor:
    """The weight times the module's `rescale` per output channel, if there is one."""
    if "rescale" not in parts:
        return weight
    rescale = parts.values("rescale", weight).reshape(-1, *(1 for _ in weight.shape[1:]))
    return weight * rescale
