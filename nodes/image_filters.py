"""Filters over neighbourhoods: Gaussian blur, running extremes, dithered palettes.

Pure functions of images [B, H, W, C]; `image_postprocessing.py` and `mask.py` make nodes of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import pad

from nodes.pixels import from_picture, to_pictures


def gaussian_blur(images: torch.Tensor, radius: int, sigma: float) -> torch.Tensor:
    """A Gaussian over `2 radius + 1` pixels each way, mirrored at the borders.

    `sigma` counts in radii, not in pixels: 1.0 means that the outermost pixel weighs
    `exp(-1/2)` of the middle one, whatever the radius.
    """
    offsets = torch.linspace(-1, 1, 2 * radius + 1)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    for dim in (1, 2):
        size = images.shape[dim]
        around = images.index_select(dim, _mirrored(torch.arange(-radius, size + radius), size))
        images = torch.zeros_like(images)
        for offset, weight in enumerate(weights.tolist()):
            images.add_(around.narrow(dim, offset, size), alpha=weight)
    return images


def _mirrored(positions: torch.Tensor, size: int) -> torch.Tensor:
    """Positions outside 0..size-1, reflected at the outermost pixels."""
    if size == 1:
        return torch.zeros_like(positions)
    period = 2 * (size - 1)
    positions = positions.remainder(period)
    return torch.minimum(positions, period - positions)


def dilate(images: torch.Tensor, size: int) -> torch.Tensor:
    """The largest value within a square of `size` pixels around each pixel.

    Pixels beyond the border do not count. A square of even size reaches a pixel further to
    the left and up.
    """
    for dim in (1, 2):
        images = _running_maximum(images, size, dim)
    return images


def erode(images: torch.Tensor, size: int) -> torch.Tensor:
    """The smallest value within the same square as in `dilate`."""
    return -dilate(-images, size)


def _running_maximum(values: torch.Tensor, size: int, dim: int) -> torch.Tensor:
    """By doubling: a maximum over 2n is that of two over n; other sizes are of two that overlap."""
    before = size // 2
    after = size - 1 - before
    values = values.movedim(dim, -1)
    length = values.shape[-1]
    maximum, width = pad(values, (before, after), value=-math.inf), 1
    while width * 2 <= size:
        maximum = torch.maximum(maximum[..., :-width], maximum[..., width:])
        width *= 2
    maximum = torch.maximum(
        maximum[..., :length], maximum[..., size - width : size - width + length]
    )
    return maximum.movedim(-1, dim)


def dilate_diamond(images: torch.Tensor, radius: int) -> torch.Tensor:
    """The largest value within `radius` steps to the side, up or down of each pixel."""
    reached = 0
    while reached < radius:
        # A pixel further away than `reached` is further than half of that along one side, so one
        # jump of this length towards it stays inside the image and brings it into reach.
        jump = min(reached // 2 + 1, radius - reached)
        grown = images.clone()
        for dim in (1, 2):
            rest = images.shape[dim] - jump
            if rest > 0:
                for here, there in ((0, jump), (jump, 0)):
                    part = grown.narrow(dim, here, rest)
                    torch.maximum(part, images.narrow(dim, there, rest), out=part)
        images, reached = grown, reached + jump
    return images


def quantize(images: torch.Tensor, colors: int, dither: str) -> Iterator[torch.Tensor]:
    """Each image [H, W, C] in at most that many colours, chosen for it by median cut; grey as RGB.

    Args:
        images: RGB; an alpha is kept as it is.
        colors: 1 to 256.
        dither: `none`, `floyd-steinberg` or `bayer-N`, N a power of two.
    """
    if images.shape[-1] < 3:
        images = images[..., :1].repeat(1, 1, 1, 3)
    for image, picture in zip(images, to_pictures(images[..., :3]), strict=True):
        palette = picture.quantize(colors=colors)
        if dither == "floyd-steinberg":
            mapped = picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        elif dither == "none":
            mapped = picture.quantize(palette=palette, dither=Image.Dither.NONE)
        else:
            order = int(dither.removeprefix("bayer-"))
            mapped = _ordered(picture, palette, order)
        yield torch.cat([from_picture(mapped.convert("RGB")), image[..., 3:]], dim=-1)


def _ordered(picture: Image.Image, palette: Image.Image, order: int) -> Image.Image:
    """Ordered dithering (Bayer 1973); the fewer colours, the stronger the pattern."""
    count = max(len(palette.getpalette() or ()) // 3, 1)
    spread = 2 * 256 / count
    values = np.array(picture).astype(np.float32)
    height, width = values.shape[:2]
    pattern = np.tile(spread * bayer_matrix(order), (-(-height // order), -(-width // order)))
    shifted = values + pattern[:height, :width, None] + 0.5
    return Image.fromarray(shifted.clip(0, 255).astype(np.uint8)).quantize(
        palette=palette, dither=Image.Dither.NONE
    )


def bayer_matrix(order: int) -> np.ndarray:
    """The threshold matrix of that order, a power of two, centred: mean 0, within -0.5..0.5.

    Bayer, "An optimum method for two-level rendition of continuous-tone pictures", ICC 1973.
    """
    ranks = np.zeros((1, 1), dtype=np.float32)
    while len(ranks) < order:
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return (ranks + 0.5) / ranks.size - 0.5
