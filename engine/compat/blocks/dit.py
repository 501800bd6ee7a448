# pyright: basic
"""Small functions that diffusion transformers share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def pad_to_patch_size(
    img: Tensor, patch_size: Sequence[int] = (2, 2), padding_mode: str = "circular"
) -> Tensor:
    """A latent [B, C, ...] padded at the ends of its axes to multiples of the patch's sides."""
    pads: list[int] = []
    for side, size in zip(reversed(patch_size), reversed(img.shape[2:]), strict=False):
        pads += [0, -size % side]
    if not any(pads):
        return img
    return functional.pad(img, pads, mode=padding_mode)


def rms_norm(x: Tensor, weight: Tensor | None = None, eps: float = 1e-6) -> Tensor:
    """X over its root mean square (Zhang & Sennrich 2019), along the weight's axes or the last."""
    if weight is None:
        return functional.rms_norm(x, (x.shape[-1],), eps=eps)
    weight = weight.to(x)
    return functional.rms_norm(x, weight.shape, weight=weight, eps=eps)
