"""Images of different sizes, channels or counts brought together; what several nodes share.

Pure functions of tensors [B, H, W, C] and masks [B, H, W]. Knows no node and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from PIL import Image
from torch.nn.functional import interpolate, pad

from engine.errors import NodeError
from nodes.pixels import from_picture, to_pictures

ScaleMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
Crop = Literal["disabled", "center"]


def scale(
    images: torch.Tensor,
    width: int,
    height: int,
    *,
    method: str = "bilinear",
    crop: str = "disabled",
) -> torch.Tensor:
    """Images at another size; `crop="center"` first cuts them to its proportions.

    `bicubic` may overshoot 0..1 a little at hard edges, and is left so. `lanczos` works on 8 bits.

    Raises:
        NodeError: the size is not positive, or the method unknown.
    """
    if width < 1 or height < 1:
        raise NodeError(f"cannot scale an image to {width}x{height}; both must be at least 1")
    if crop == "center":
        images = crop_to_proportions(images, width, height)
    if images.shape[1:3] == (height, width):
        return images
    if method == "lanczos":
        return _scale_lanczos(images, width, height)
    if method not in ("nearest-exact", "bilinear", "area", "bicubic"):
        raise NodeError(f"unknown way to scale {method!r}; choose nearest-exact, bilinear, ...")
    return interpolate(images.movedim(-1, 1), (height, width), mode=method).movedim(1, -1)


def _scale_lanczos(images: torch.Tensor, width: int, height: int) -> torch.Tensor:
    filtered = (
        from_picture(picture.resize((width, height), Image.Resampling.LANCZOS))
        for picture in to_pictures(images)
    )
    return torch.stack(list(filtered)).to(images)


def crop_to_proportions(images: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """The largest centred part of the images that has the proportions of `width` to `height`."""
    rows, columns = images.shape[1:3]
    across, down = 0, 0
    if columns * height > rows * width:
        across = round((columns - rows * width / height) / 2)
    elif columns * height < rows * width:
        down = round((rows - columns * height / width) / 2)
    return images[:, down : rows - down, across : columns - across]


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


def with_alpha(images: torch.Tensor) -> torch.Tensor:
    """Images of four channels; an alpha that is missing is opaque."""
    return images if images.shape[-1] >= 4 else pad(images, (0, 4 - images.shape[-1]), value=1.0)


def match_channels(images: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """All images with an alpha channel, if any of them has one."""
    if len({image.shape[-1] for image in images}) == 1:
        return list(images)
    return [with_alpha(image) for image in images]


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
