"""Matches images of different sizes, channels or counts; shared by several nodes.

Pure functions of tensors [B, H, W, C] and masks [B, H, W].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from PIL import Image
from torch.nn.functional import interpolate, pad

from engine.errors import NodeError
from engine.inference.pictures import crop_to_proportions
from nodes.pixels import from_pictures, to_pictures

ScaleMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
Crop = Literal["disabled", "center"]
MOST_SIDE = 65536
"""Pixels; beyond it a factor was meant for a smaller image."""


def scale(
    images: torch.Tensor,
    width: int,
    height: int,
    *,
    method: str = "bilinear",
    crop: str = "disabled",
) -> torch.Tensor:
    """Images at another size; `crop="center"` first cuts them to its proportions.

    `bicubic` may overshoot 0..1 a little at hard edges and is not clamped. `lanczos` works on 8
    bits, even where the size stays the same.

    Raises:
        NodeError: the size is not positive, or the method unknown.
    """
    if width < 1 or height < 1:
        raise NodeError(f"cannot scale an image to {width}x{height}; both must be at least 1")
    if crop == "center":
        images = crop_to_proportions(images, width, height)
    if method == "lanczos":
        return _scale_lanczos(images, width, height)
    if images.shape[1:3] == (height, width):
        return images
    if method not in ("nearest-exact", "bilinear", "area", "bicubic"):
        raise NodeError(f"unknown way to scale {method!r}; choose nearest-exact, bilinear, ...")
    return interpolate(images.movedim(-1, 1), (height, width), mode=method).movedim(1, -1)


def _scale_lanczos(images: torch.Tensor, width: int, height: int) -> torch.Tensor:
    return from_pictures(
        picture.resize((width, height), Image.Resampling.LANCZOS) for picture in to_pictures(images)
    ).to(images)


def size_in_proportion(width: int, height: int, *, of: tuple[int, int]) -> tuple[int, int]:
    """A computed size, width first, with at least one pixel each way.

    Args:
        width: what was computed, in pixels.
        height: likewise.
        of: width and height of the image it was computed from, for the message.

    Raises:
        NodeError: a side is longer than `MOST_SIDE`.
    """
    if max(width, height) > MOST_SIDE:
        raise NodeError(
            f"an image of {of[0]}x{of[1]} would become {width}x{height}; no side may be longer "
            f"than {MOST_SIDE}, choose another size"
        )
    return max(width, 1), max(height, 1)


def scale_masks(
    masks: torch.Tensor,
    width: int,
    height: int,
    *,
    method: str = "bilinear",
    crop: str = "disabled",
) -> torch.Tensor:
    """`scale` for masks [B, H, W]."""
    return scale(masks.unsqueeze(-1), width, height, method=method, crop=crop).squeeze(-1)


def as_masks(mask: torch.Tensor) -> torch.Tensor:
    """A mask of any number of leading dimensions as [B, H, W].

    Raises:
        NodeError: it has fewer than two dimensions.
    """
    if mask.ndim < 2:
        raise NodeError(f"a mask must have a height and a width, this one is {list(mask.shape)}")
    return mask.reshape(-1, *mask.shape[-2:])


def match_count(batch: torch.Tensor, count: int) -> torch.Tensor:
    """A batch of exactly `count`: repeated from its start, or cut off."""
    have = batch.shape[0]
    if have < count:
        batch = batch.repeat(-(-count // have), *(1,) * (batch.ndim - 1))
    return batch[:count]


def with_channels(images: torch.Tensor, count: int) -> torch.Tensor:
    """Images of that many channels: the rest is left out, an alpha that is missing is opaque.

    Grey of one channel becomes RGB first.
    """
    if images.shape[-1] == 1 and count >= 3:
        images = images.repeat(1, 1, 1, 3)
    missing = count - images.shape[-1]
    return pad(images, (0, missing), value=1.0) if missing > 0 else images[..., :count]


def match_channels(images: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """All images with an alpha channel, if any of them has one."""
    most = max(image.shape[-1] for image in images)
    return [with_channels(image, most) for image in images]


def batch_images(images: Sequence[torch.Tensor]) -> torch.Tensor:
    """One batch of several: all scaled and cropped to the first one's size.

    Raises:
        NodeError: there are none.
    """
    if not images:
        raise NodeError("asked for a batch of no images; connect at least one")
    height, width = images[0].shape[1:3]
    sized = [scale(image, width, height, crop="center") for image in match_channels(images)]
    return torch.cat(sized)
