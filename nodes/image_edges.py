"""The edges of pictures by Canny's method, as white lines on black."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import pad

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Image

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""
RADIUS = 2
"""Of the Gaussian, whose standard deviation is one pixel."""
STEPS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Row and column of a neighbour on each of four lines, by multiples of 45 degrees."""
EPSILON = 1e-6
Threshold = Annotated[float, Range(0.01, 0.99, step=0.01)]


@node("Canny", category="image/preprocessors")
def canny_edges(
    image: Image, low_threshold: Threshold = 0.4, high_threshold: Threshold = 0.8
) -> Image:
    """Draw the edges of images as white lines on black, as control networks take them.

    A line is drawn where it is stronger than the low threshold, if a part of it is stronger than
    the high one: lower both for more lines.
    """
    if low_threshold > high_threshold:
        raise NodeError(
            f"the low threshold is {low_threshold:g}, the high one {high_threshold:g}: the low "
            "one must not be above the high one; swap them"
        )
    return canny(image, low_threshold, high_threshold)[..., None].repeat(1, 1, 1, 3)


def canny(images: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """The edges of images [B, H, W, C] in 0..1, as [B, H, W]: 1 on a line, 0 elsewhere.

    Canny, "A Computational Approach to Edge Detection", PAMI 1986. Strengths are lengths of
    Sobel's unscaled gradient, up to about 4 for a step from black to white.
    """
    strength, direction = _gradient(_blurred(_grey(images.float())))
    thin = torch.where(_is_ridge(strength, direction), strength, 0)
    found = [_connected(each > low, each > high) for each in thin.cpu().numpy()]
    return torch.from_numpy(np.stack(found)).to(images)


def _grey(images: torch.Tensor) -> torch.Tensor:
    """[B, 1, H, W] of [B, H, W, C]."""
    if images.shape[-1] < 3:
        return images[..., :1].movedim(-1, 1)
    red, green, blue = (images[..., i] * share for i, share in enumerate(LUMINANCE))
    return (red + green + blue)[:, None]


def _blurred(grey: torch.Tensor) -> torch.Tensor:
    far, near, middle = torch.exp(-(torch.arange(-RADIUS, 1.0) ** 2) / 2).tolist()
    whole = middle + 2 * (near + far)
    rows, columns = (min(RADIUS, size - 1) for size in grey.shape[-2:])
    around = pad(grey, (columns, columns, rows, rows), mode="reflect")
    rest = RADIUS - columns, RADIUS - columns, RADIUS - rows, RADIUS - rows
    found = pad(around, rest, mode="replicate")  # only pictures of one or two pixels need it
    # Sums of shifted pictures take a quarter of the time of a convolution of one channel.
    for dim in (-1, -2):
        first, second, third, fourth, fifth = _shifted(found, dim, 2 * RADIUS + 1)
        found = third * (middle / whole)
        found.add_(second + fourth, alpha=near / whole).add_(first + fifth, alpha=far / whole)
    return found


def _shifted(values: torch.Tensor, dim: int, count: int) -> list[torch.Tensor]:
    """Views that begin 0 to `count - 1` values later along a dimension, all of one size."""
    size = values.shape[dim] - count + 1
    return [values.narrow(dim, start, size) for start in range(count)]


def _gradient(grey: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Strength of Sobel's gradient, and its line as an index of `STEPS`, each [B, H, W]."""
    around = pad(grey, (1, 1, 1, 1), mode="replicate")[:, 0]
    x, y = (_sobel(around, dim) for dim in (-1, -2))
    quarters = torch.atan2(y, x).mul_(4 / math.pi).round_().remainder_(len(STEPS))
    return x.square_().add_(y.square_()).add_(EPSILON).sqrt_(), quarters


def _sobel(around: torch.Tensor, dim: int) -> torch.Tensor:
    """The differences along a dimension, smoothed along the other; two smaller both ways."""
    before, _, after = _shifted(around, dim, 3)
    first, second, third = _shifted(after - before, -3 - dim, 3)
    return (first + third).add_(second, alpha=2)


def _is_ridge(strength: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """Whether no neighbour along the gradient is stronger, nor that behind as strong."""
    around = pad(strength, (1, 1, 1, 1))
    rows, columns = strength.shape[-2:]
    found = torch.zeros_like(strength, dtype=torch.bool)
    for axis, (down, right) in enumerate(STEPS):
        ahead, behind = (
            around[:, 1 + y : 1 + y + rows, 1 + x : 1 + x + columns]
            for y, x in ((down, right), (-down, -right))
        )
        # Of two neighbours that are equally strong, as on both sides of a hard edge, one counts.
        is_above = (strength >= ahead).logical_and_(strength > behind)
        found |= is_above.logical_and_(direction == axis)
    return found


def _connected(weak: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """The weak pixels that are connected with a strong one, sideways or diagonally."""
    lines = np.empty(weak.shape, np.int32)
    ndimage.label(weak, structure=np.ones((3, 3)), output=lines)
    return np.isin(lines, np.unique(lines[strong])) & weak
