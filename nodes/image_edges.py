"""The edges of pictures by Canny's method, as white lines on black."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import conv2d, pad

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Image

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""
RADIUS = 2
"""Of the Gaussian, whose standard deviation is one pixel."""
STEPS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
"""Row and column of the neighbour in each of eight directions, by multiples of 45 degrees."""
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
    weights = torch.exp(-(torch.arange(-RADIUS, RADIUS + 1, device=grey.device) ** 2) / 2)
    weights = weights / weights.sum()
    rows, columns = (min(RADIUS, size - 1) for size in grey.shape[-2:])
    around = pad(grey, (columns, columns, rows, rows), mode="reflect")
    rest = RADIUS - columns, RADIUS - columns, RADIUS - rows, RADIUS - rows
    around = pad(around, rest, mode="replicate")  # only pictures of one or two pixels need it
    return conv2d(conv2d(around, weights[None, None, None, :]), weights[None, None, :, None])


def _gradient(grey: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Length, and direction as one of `STEPS`, of Sobel's gradient, each [B, H, W]."""
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=grey.device)
    kernels = torch.stack([across, across.T])[:, None]
    x, y = conv2d(pad(grey, (1, 1, 1, 1), mode="replicate"), kernels).unbind(1)
    eighths = torch.round(torch.atan2(y, x) * (4 / math.pi)).long() % len(STEPS)
    return (x * x + y * y + EPSILON).sqrt(), eighths


def _is_ridge(strength: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """Whether a pixel is stronger than its neighbours along the gradient, both ways."""
    around = pad(strength, (1, 1, 1, 1))
    rows, columns = strength.shape[-2:]
    neighbours = torch.stack(
        [around[:, 1 + y : 1 + y + rows, 1 + x : 1 + x + columns] for y, x in STEPS]
    )
    ahead, behind = direction, (direction + len(STEPS) // 2) % len(STEPS)
    return (strength > neighbours.gather(0, ahead[None])[0]) & (
        strength > neighbours.gather(0, behind[None])[0]
    )


def _connected(weak: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """The weak pixels that are connected with a strong one, sideways or diagonally."""
    lines = np.empty(weak.shape, np.int32)
    ndimage.label(weak, structure=np.ones((3, 3)), output=lines)
    return np.isin(lines, np.unique(lines[strong])) & weak
