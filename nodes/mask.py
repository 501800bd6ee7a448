"""Nodes that create, crop, combine and convert masks: the category `mask` except for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, Range
from nodes.image_filters import dilate, dilate_diamond
from nodes.image_scaling import as_masks, match_count, scale_masks
from nodes.sockets import Image, Mask

Side = Annotated[int, Range(1, 16384, step=1)]
Offset = Annotated[int, Range(0, 16384, step=1)]
Fraction = Annotated[float, Range(0.0, 1.0, step=0.01)]
Masks = Annotated[Mapping[str, torch.Tensor], Autogrow("mask", "MASK", 2, 50)]
Channel = Literal["red", "green", "blue", "alpha"]
Operation = Literal["multiply", "add", "subtract", "and", "or", "xor"]


@node("BatchMasksNode", category="mask", display="Batch Masks")
def batch_masks_node(masks: Masks) -> Mask:
    """Join masks to a batch; all are scaled and cropped to the first one's size."""
    given = [as_masks(mask) for mask in masks.values()]
    if not given:
        raise NodeError("asked for a batch of no masks; connect at least one")
    height, width = given[0].shape[1:]
    return torch.cat([scale_masks(mask, width, height, crop="center") for mask in given])


@node("SolidMask", category="mask")
def solid_mask(value: Fraction = 1.0, width: Side = 512, height: Side = 512) -> Mask:
    """Create a mask of one value."""
    return torch.full((1, height, width), value)


@node("InvertMask", category="mask")
def invert_mask(mask: Mask) -> Mask:
    """Invert a mask."""
    return 1.0 - mask


@node("CropMask", category="mask")
def crop_mask(
    mask: Mask, x: Offset = 0, y: Offset = 0, width: Side = 512, height: Side = 512
) -> Mask:
    """Crop a mask at x, y; the result is smaller than requested at the borders."""
    masks = as_masks(mask)
    rows, columns = masks.shape[1:]
    if x >= columns or y >= rows:
        raise NodeError(f"cannot crop at {x}, {y}: the mask is {columns}x{rows}")
    return masks[:, y : y + height, x : x + width].clone()


@node("FeatherMask", category="mask")
def feather_mask(
    mask: Mask, left: Offset = 0, top: Offset = 0, right: Offset = 0, bottom: Offset = 0
) -> Mask:
    """Fade a mask in evenly over that many pixels from each side.

    The fades from the right and from the bottom begin with their second value; their first and
    darkest is in the first column or row. The incumbent's masks are like this, and pictures made
    with them depend on it.
    """
    masks = as_masks(mask)
    rows, columns = masks.shape[1:]
    across = _fade(columns, left) * _fade_from_end(columns, right)
    down = _fade(rows, top) * _fade_from_end(rows, bottom)
    return masks * across * down[:, None]


def _fade(size: int, width: int) -> torch.Tensor:
    """Factors 1/width, 2/width, ... 1, 1, 1; the width is cut to the size first."""
    width = min(width, size)
    factors = torch.ones(size)
    if width:
        factors[:width] = torch.arange(1, width + 1) / width
    return factors


def _fade_from_end(size: int, width: int) -> torch.Tensor:
    """`_fade` from the other end, shifted by one, so that 1/width comes first."""
    return _fade(size, width).flip(0).roll(1)


@node("GrowMask", category="mask", display="Grow Mask")
def grow_mask(
    mask: Mask,
    expand: Annotated[int, Range(-16384, 16384, step=1)] = 0,
    tapered_corners: bool = True,
) -> Mask:
    """Grow a mask by that many pixels, or shrink it if negative.

    It grows as a square, or as a diamond with tapered corners.
    """
    masks = as_masks(mask)
    if expand < 0:
        return -_grow(-masks, -expand, tapered=tapered_corners)
    return _grow(masks, expand, tapered=tapered_corners)


def _grow(masks: torch.Tensor, steps: int, *, tapered: bool) -> torch.Tensor:
    rows, columns = masks.shape[1:]
    if tapered:
        return dilate_diamond(masks, min(steps, rows + columns))
    return dilate(masks, 2 * min(steps, max(rows, columns)) + 1)


@node("ThresholdMask", category="mask")
def threshold_mask(mask: Mask, value: Fraction = 0.5) -> Mask:
    """Make a mask white where it is above the value, else black."""
    return (mask > value).to(mask)


@node("MaskComposite", category="mask")
def mask_composite(
    destination: Mask, source: Mask, x: Offset = 0, y: Offset = 0, *, operation: Operation
) -> Mask:
    """Combine a source with the part of a destination that it covers at x, y.

    For `and`, `or` and `xor`, values above a half are true.
    """
    result = as_masks(destination).clone()
    above = match_count(as_masks(source), result.shape[0]).to(result)
    rows, columns = result.shape[1:]
    above = above[:, : max(rows - y, 0), : max(columns - x, 0)]
    part = result[:, y : y + above.shape[1], x : x + above.shape[2]]
    part.copy_(_combine(part, above, operation).clamp(0, 1))
    return result


def _combine(below: torch.Tensor, above: torch.Tensor, operation: Operation) -> torch.Tensor:
    match operation:
        case "multiply":
            return below * above
        case "add":
            return below + above
        case "subtract":
            return below - above
        case "and":
            return (below.round().bool() & above.round().bool()).to(below)
        case "or":
            return (below.round().bool() | above.round().bool()).to(below)
        case "xor":
            return (below.round().bool() ^ above.round().bool()).to(below)


@node("MaskToImage", category="mask", display="Convert Mask to Image")
def mask_to_image(mask: Mask) -> Image:
    """Convert a mask to a grey image."""
    return as_masks(mask).unsqueeze(-1).repeat(1, 1, 1, 3)


@node("ImageToMask", category="mask", display="Convert Image to Mask")
def image_to_mask(image: Image, channel: Channel) -> Mask:
    """Convert one channel of an image to a mask."""
    index = ("red", "green", "blue", "alpha").index(channel)
    if index >= image.shape[-1]:
        raise NodeError(
            f"the channel {channel!r} was asked for, the image has {image.shape[-1]} channels; "
            "choose another, or add an alpha with Join Image with Alpha"
        )
    return image[..., index].clone()


@node("ImageColorToMask", category="mask")
def image_color_to_mask(
    image: Image,
    color: Annotated[int, Range(0, 0xFFFFFF, step=1, display="number")] = 0,
) -> Mask:
    """Make a mask that is white where an image has exactly that colour, given as 0xRRGGBB."""
    levels = (image[..., :3].clamp(0, 1) * 255).round().to(torch.int64)
    wanted = torch.tensor([color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF])
    return (levels == wanted).all(dim=-1).to(torch.float32)
