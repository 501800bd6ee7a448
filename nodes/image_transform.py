"""Nodes that crop, rotate and stitch images."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

import torch
from torch.nn.functional import pad

from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.image_scaling import match_channels, scale, size_in_proportion
from nodes.sockets import Image

Side = Annotated[int, Range(1, 16384, step=1)]
Offset = Annotated[int, Range(0, 16384, step=1)]
Direction = Literal["right", "down", "left", "up"]
SpacingColor = Literal["white", "black", "red", "green", "blue"]
_COLORS = MappingProxyType[str, tuple[float, float, float]](
    {
        "white": (1.0, 1.0, 1.0),
        "black": (0.0, 0.0, 0.0),
        "red": (1.0, 0.0, 0.0),
        "green": (0.0, 1.0, 0.0),
        "blue": (0.0, 0.0, 1.0),
    }
)


@node("ImageCrop", category="image/transform", display="Image Crop")
def image_crop(
    image: Image, width: Side = 512, height: Side = 512, x: Offset = 0, y: Offset = 0
) -> Image:
    """Crop images at x, y; the result is smaller than requested at the borders."""
    x, y = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
    # Copied, so that a small part does not hold the whole in memory.
    return image[:, y : y + height, x : x + width].clone()


@node("ImageFlip", category="image/transform")
def image_flip(
    image: Image, flip_method: Literal["x-axis: vertically", "y-axis: horizontally"]
) -> Image:
    """Mirror images vertically or horizontally."""
    return image.flip(1 if flip_method.startswith("x") else 2)


@node("ImageRotate", category="image/transform")
def image_rotate(
    image: Image, rotation: Literal["none", "90 degrees", "180 degrees", "270 degrees"]
) -> Image:
    """Rotate images clockwise."""
    quarters = {"none": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3}[rotation]
    return torch.rot90(image, quarters, dims=(2, 1))


@node("ImageStitch", category="image/transform", display="Image Stitch")
def image_stitch(
    image1: Image,
    direction: Direction = "right",
    match_image_size: bool = True,
    spacing_width: Annotated[int, Range(0, 1024, step=2)] = 0,
    spacing_color: SpacingColor = "white",
    image2: Image | None = None,
) -> Image:
    """Place a second image beside the first, with a band of colour between them.

    Sizes are matched by scaling the second in proportion, or by borders around the smaller one:
    white if the colour of the band is white, else black. The shorter batch repeats its last image;
    without a second image the first is returned.
    """
    if image2 is None:
        return image1
    count = max(image1.shape[0], image2.shape[0])
    first, second = (_lengthen(each, count) for each in (image1, image2))
    across = 1 if direction in ("left", "right") else 2
    if match_image_size:
        second = _scale_to(second, first.shape[across], across)
    else:
        side = max(first.shape[across], second.shape[across])
        shade = 1.0 if spacing_color == "white" else 0.0
        first, second = (_border(each, side, across, shade) for each in (first, second))
    first, second = match_channels([first, second])
    along = 3 - across
    parts = [first, *_band(first, spacing_width, spacing_color, along), second]
    if direction in ("left", "up"):
        parts.reverse()
    return torch.cat(parts, dim=along)


def _lengthen(images: torch.Tensor, count: int) -> torch.Tensor:
    """A batch of `count`, its last image repeated."""
    if images.shape[0] == count:
        return images
    return torch.cat([images, images[-1:].expand(count - images.shape[0], -1, -1, -1)])


def _scale_to(images: torch.Tensor, side: int, dim: int) -> torch.Tensor:
    """Images scaled in proportion, so that dimension `dim` (1 or 2) is `side`."""
    rows, columns = images.shape[1:3]
    other = int(images.shape[3 - dim] * side / images.shape[dim])
    width, height = (other, side) if dim == 1 else (side, other)
    size = size_in_proportion(width, height, of=(columns, rows))
    return scale(images, *size, method="lanczos")


def _border(images: torch.Tensor, side: int, dim: int, shade: float) -> torch.Tensor:
    """Images centred between borders of that value, so that dimension `dim` (1 or 2) is `side`."""
    missing = side - images.shape[dim]
    around = (missing // 2, missing - missing // 2)
    return pad(images, (0, 0, 0, 0, *around) if dim == 1 else (0, 0, *around), value=shade)


def _band(like: torch.Tensor, width: int, color: str, dim: int) -> list[torch.Tensor]:
    """An opaque band, an even number of pixels wide along `dim`; nothing for no width."""
    width += width % 2
    if not width:
        return []
    shade = torch.tensor((*_COLORS[color], 1.0)[: like.shape[-1]])
    shape = list(like.shape)
    shape[dim] = width
    return [shade.expand(shape)]


@node("ResizeAndPadImage", category="image/transform")
def resize_and_pad_image(
    image: Image,
    target_width: Side = 512,
    target_height: Side = 512,
    *,
    padding_color: Literal["white", "black"],
    interpolation: Literal["area", "bicubic", "nearest-exact", "bilinear", "lanczos"],
) -> Image:
    """Scale images in proportion to fit a frame, centred, on white or black."""
    count, height, width, channels = image.shape
    factor = min(target_width / width, target_height / height)
    inner = max(1, int(width * factor)), max(1, int(height * factor))
    scaled = scale(image, *inner, method=interpolation)
    padding = 1.0 if padding_color == "white" else 0.0
    framed = image.new_full((count, target_height, target_width, channels), padding)
    x, y = (target_width - inner[0]) // 2, (target_height - inner[1]) // 2
    framed[:, y : y + inner[1], x : x + inner[0]] = scaled
    return framed
