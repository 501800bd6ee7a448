"""Nodes that scale images without a model: the category `image/upscaling`."""

from __future__ import annotations

import math
from typing import Annotated

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.image_scaling import Crop, ScaleMethod, scale, size_in_proportion
from nodes.sockets import Image

Side = Annotated[int, Range(0, 16384, step=1)]


@node("ImageScale", category="image/upscaling", display="Upscale Image")
def image_scale(
    image: Image,
    upscale_method: ScaleMethod,
    width: Side = 512,
    height: Side = 512,
    *,
    crop: Crop,
) -> Image:
    """Scale images to a size; a side of 0 follows from the other, both of 0 change nothing."""
    rows, columns = image.shape[1:3]
    if width == 0 and height == 0:
        return image
    if width == 0:
        width = round(columns * height / rows)
    elif height == 0:
        height = round(rows * width / columns)
    size = size_in_proportion(width, height, of=(columns, rows))
    return scale(image, *size, method=upscale_method, crop=crop)


@node("ImageScaleBy", category="image/upscaling", display="Upscale Image By")
def image_scale_by(
    image: Image,
    upscale_method: ScaleMethod,
    scale_by: Annotated[float, Range(0.01, 8.0, step=0.01)] = 1.0,
) -> Image:
    """Scale images by a factor."""
    rows, columns = image.shape[1:3]
    size = size_in_proportion(round(columns * scale_by), round(rows * scale_by), of=(columns, rows))
    return scale(image, *size, method=upscale_method)


@node("ImageScaleToMaxDimension", category="image/upscaling")
def image_scale_to_max_dimension(
    image: Image,
    # The incumbent lists bilinear twice; workflows compare the list.
    upscale_method: Annotated[
        str, Choice("area", "lanczos", "bilinear", "nearest-exact", "bilinear", "bicubic")
    ],
    largest_size: Side = 512,
) -> Image:
    """Scale images so that the longer side has that size."""
    if largest_size < 1:
        raise NodeError("the longest side is to be 0 pixels; choose a larger one")
    rows, columns = image.shape[1:3]
    factor = largest_size / max(rows, columns)
    size = size_in_proportion(round(columns * factor), round(rows * factor), of=(columns, rows))
    return scale(image, *size, method=upscale_method)


@node("ImageScaleToTotalPixels", category="image/upscaling")
def image_scale_to_total_pixels(
    image: Image,
    upscale_method: ScaleMethod,
    megapixels: Annotated[float, Range(0.01, 16.0, step=0.01)] = 1.0,
    resolution_steps: Annotated[int, Range(1, 256)] = 1,
) -> Image:
    """Scale images in proportion to about that many pixels (a megapixel is 1024 x 1024).

    Each side is a multiple of `resolution_steps`, at least one.
    """
    rows, columns = image.shape[1:3]
    factor = math.sqrt(megapixels * 1024 * 1024 / (columns * rows))
    width, height = (
        max(round(side * factor / resolution_steps), 1) * resolution_steps
        for side in (columns, rows)
    )
    size = size_in_proportion(width, height, of=(columns, rows))
    return scale(image, *size, method=upscale_method)
