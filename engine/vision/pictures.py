"""Pictures as image encoders take them: squares of one size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

LONGEST = 16
"""Proportions of a picture that is cropped: of a longer one only the middle is scaled, since all of
it could take gigabytes."""


def squares(
    pictures: Tensor, side: int, mean: Sequence[float], deviation: Sequence[float], *, crop: bool
) -> Tensor:
    """Pictures [B, H, W, 3 or more] in 0..1 as [B, 3, side, side], normalised, float32.

    Resized (bicubic), cropped or distorted, rounded to 8 bits. A picture of the right size is not
    resized.

    Args:
        pictures: see above.
        side: in pixels.
        mean: of each colour, which becomes 0.
        deviation: of each colour, which becomes 1.
        crop: whether a square is cut from the middle; else the picture is distorted to one.
    """
    pixels = pictures[..., :3].movedim(-1, 1).float()
    if pixels.shape[2:] != (side, side):
        pixels = _middle(pixels) if crop else pixels
        height, width = pixels.shape[2:]
        scale = side / min(height, width)
        size = (round(scale * height), round(scale * width)) if crop else (side, side)
        pixels = functional.interpolate(pixels, size, mode="bicubic", antialias=True)
        top, left = (size[0] - side) // 2, (size[1] - side) // 2
        pixels = pixels[:, :, top : top + side, left : left + side]
    pixels = (255 * pixels).clamp(0, 255).round() / 255
    middle, spread = (torch.tensor(tuple(row)).view(1, 3, 1, 1) for row in (mean, deviation))
    return (pixels - middle) / spread


def _middle(pixels: Tensor) -> Tensor:
    """The middle of pictures [B, 3, H, W] that are more than `LONGEST` times as long as wide."""
    longest = LONGEST * min(pixels.shape[2:])
    for axis in (2, 3):
        margin = max(pixels.shape[axis] - longest, 0)
        pixels = pixels.narrow(axis, margin // 2, pixels.shape[axis] - margin)
    return pixels
