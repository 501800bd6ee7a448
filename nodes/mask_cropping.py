"""Crops images to what a mask shows, on one colour."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Options, Range, Socket
from nodes.colors import read_color
from nodes.image_filters import dilate, erode
from nodes.image_scaling import as_masks, scale, scale_masks, with_channels
from nodes.sockets import Image, Mask

FOREGROUND = 0.5
"""A mask shows a pixel above this."""
Box = tuple[int, int, int, int]
"""The first row and column, and those behind the last."""
Side = Annotated[int, Range(64, 4096, step=8)]


@node("ImageCropToMask", category="image/transform", output_names=("images",))
def image_crop_to_mask(
    images: Image,
    masks: Mask,
    width: Side = 1024,
    height: Side = 1024,
    pad_factor: Annotated[float, Range(1.0, 2.0, step=0.01)] = 1.0,
    grow_mask: Annotated[int, Range(-32, 32, step=1)] = 0,
    background: Annotated[str, Socket("COLOR"), Options(default="#000000")] = "#000000",
) -> Image:
    """Crop images to what their masks show, centred, on one colour, at one size.

    `pad_factor` is the side of the crop as a multiple of the mask's box, which is first completed
    to the proportions of the result. A mask that shows the border and not the middle is inverted.
    One that shows nothing leaves the whole image. Scaling is by Lanczos.
    """
    given = as_masks(masks)
    if len(given) not in (1, len(images)):
        raise NodeError(
            f"there are {len(given)} masks and {len(images)} images; connect one mask for all "
            "images, or one for each"
        )
    rows, columns = images.shape[1:3]
    given = scale_masks(given, columns, rows).clamp(0.0, 1.0)
    paint = torch.tensor(read_color(background)[:3])
    cropped = [
        _cropped(
            image, given[min(index, len(given) - 1)], (height, width), pad_factor, grow_mask, paint
        )
        for index, image in enumerate(with_channels(images, 3))
    ]
    return torch.cat(cropped)


def _cropped(
    image: Tensor, mask: Tensor, size: tuple[int, int], pad: float, grow: int, paint: Tensor
) -> Tensor:
    """One image [H, W, 3] as [1, *size, 3]."""
    mask = _grown(_upright(mask), grow)
    if not (mask > FOREGROUND).any():
        mask = torch.ones_like(mask)
    top, left, bottom, right = _box(mask)
    middle = (top + bottom) / 2.0, (left + right) / 2.0
    proportions = size[1] / size[0]
    tall = max(bottom - top, (right - left) / proportions) * pad
    tall, wide = max(1, round(tall)), max(1, round(tall * proportions))
    shown = image * mask[..., None] + paint * (1.0 - mask[..., None])
    return scale(
        _window(shown, middle, (tall, wide), paint)[None], size[1], size[0], method="lanczos"
    )


def _upright(mask: Tensor) -> Tensor:
    """The mask, inverted if it shows the border and not the middle, or nothing at all."""
    rows, columns = mask.shape
    border = torch.cat((mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    y, x = 2 * rows // 5, 2 * columns // 5
    middle = mask[y : rows - y, x : columns - x]
    inverted = bool(border.mean() > FOREGROUND) and bool(middle.mean() < FOREGROUND)
    return 1.0 - mask if inverted or not (mask > FOREGROUND).any() else mask


def _grown(mask: Tensor, pixels: int) -> Tensor:
    """The mask, larger or smaller by that many pixels on each side."""
    if pixels == 0:
        return mask
    change, reach = (dilate, pixels) if pixels > 0 else (erode, -pixels)
    return change(mask[None, ..., None], 2 * reach + 1)[0, ..., 0]


def _box(mask: Tensor) -> Box:
    """The smallest box around what the mask shows."""
    shown = mask > FOREGROUND
    rows, columns = (shown.any(dim=dim).nonzero().flatten() for dim in (1, 0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _window(
    image: Tensor, middle: tuple[float, float], size: tuple[int, int], paint: Tensor
) -> Tensor:
    """A part of an image around a point; paint beyond its borders."""
    canvas = paint.expand(*size, 3).clone()
    starts = [round(at - side / 2.0) for at, side in zip(middle, size, strict=True)]
    inside = [
        (max(0, start), min(start + side, most))
        for start, side, most in zip(starts, size, image.shape, strict=False)
    ]
    (top, bottom), (left, right) = inside
    y, x = top - starts[0], left - starts[1]
    canvas[y : y + bottom - top, x : x + right - left] = image[top:bottom, left:right]
    return canvas
