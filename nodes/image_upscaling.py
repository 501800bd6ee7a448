"""Images at other sizes, without a model: the category `image/upscaling`."""

from __future__ import annotations

import math
from typing import Annotated

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.image_scaling import Crop, ScaleMethod, scale
from nodes.sockets import Image

Side = Annotated[int, Range(0, 16384, step=1)]
MOST_SIDE = 65536
"""Pixels; beyond it a factor was meant for a smaller image."""


@node("ImageScale", category="image/upscaling", display="Upscale Image")
def image_scale(
    image: Image,
    upscale_method: ScaleMethod,
    width: Side = 512,
    height: Side = 512,
    *,
    crop: Crop,
) -> Image:
    """Images at a given size; a side of 0 follows from the other, both of 0 change nothing."""
    rows, columns = image.shape[1:3]
    if width == 0 and height == 0:
        return image
    if width == 0:
        width = max(1, round(columns * height / rows))
    elif height == 0:
        height = max(1, round(rows * width / columns))
    return scale(image, width, height, method=upscale_method, crop=crop)


@node("ImageScaleBy", category="image/upscaling", display="Upscale Image By")
def image_scale_by(
    image: Image,
    upscale_method: ScaleMethod,
    scale_by: Annotated[float, Range(0.01, 8.0, step=0.01)] = 1.0,
) -> Image:
    """Images larger or smaller by a factor."""
    width, height = round(image.shape[2] * scale_by), round(image.shape[1] * scale_by)
    return _scale_within_bounds(image, width, height, upscale_method)


@node("ImageScaleToMaxDimension", category="image/upscaling")
def image_scale_to_max_dimension(
    image: Image,
    # The incumbent lists bilinear twice; workflows compare the list.
    upscale_method: Annotated[
        str, Choice("area", "lanczos", "bilinear", "nearest-exact", "bilinear", "bicubic")
    ],
    largest_size: Side = 512,
) -> Image:
    """Images whose longer side is given."""
    rows, columns = image.shape[1:3]
    factor = largest_size / max(rows, columns)
    return _scale_within_bounds(
        image, round(columns * factor), round(rows * factor), upscale_method
    )


@node("ImageScaleToTotalPixels", category="image/upscaling")
def image_scale_to_total_pixels(
    image: Image,
    upscale_method: ScaleMethod,
    megapixels: Annotated[float, Range(0.01, 16.0, step=0.01)] = 1.0,
    resolution_steps: Annotated[int, Range(1, 256)] = 1,
) -> Image:
    """Images of about that many pixels (a megapixel is 1024 x 1024), in proportion.

    Each side is a multiple of `resolution_steps`.
    """
    rows, columns = image.shape[1:3]
    factor = math.sqrt(megapixels * 1024 * 1024 / (columns * rows))
    width, height = (
        round(side * factor / resolution_steps) * resolution_steps for side in (columns, rows)
    )
    return _scale_within_bounds(image, width, height, upscale_method)


def _scale_within_bounds(image: Image, width: int, height: int, method: str) -> Image:
    if not (1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE):
        rows, columns = image.shape[1:3]
        raise NodeError(
            f"an image of {columns}x{rows} would become {width}x{height}; each side must be "
            f"between 1 and {MOST_SIDE}, choose another size"
        )
    return scale(image, width, height, method=method)
