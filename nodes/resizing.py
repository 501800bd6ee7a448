"""Resizes images and masks by one of several rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import DynamicCombo, MatchType, Range
from nodes.image_scaling import (
    Crop,
    ScaleMethod,
    as_masks,
    scale,
    scale_masks,
    size_in_proportion,
)
from nodes.sockets import Image, Mask

_Side = Annotated[int, Range(0, 16384, step=1)]


class _Multiplier(NamedTuple):
    multiplier: Annotated[float, Range(0.01, 8.0, step=0.01)] = 1.0


class _Dimensions(NamedTuple):
    width: _Side = 512
    height: _Side = 512
    crop: Crop = "center"


class _Longer(NamedTuple):
    longer_size: _Side = 512


class _Shorter(NamedTuple):
    shorter_size: _Side = 512


class _Width(NamedTuple):
    width: _Side = 512


class _Height(NamedTuple):
    height: _Side = 512


class _Pixels(NamedTuple):
    megapixels: Annotated[float, Range(0.01, 16.0, step=0.01)] = 1.0


class _Match(NamedTuple):
    match: Image | Mask
    crop: Crop = "center"


ResizeType = Annotated[
    Mapping[str, Any],
    DynamicCombo(
        {
            "scale by multiplier": _Multiplier,
            "scale dimensions": _Dimensions,
            "scale longer dimension": _Longer,
            "scale shorter dimension": _Shorter,
            "scale width": _Width,
            "scale height": _Height,
            "scale total pixels": _Pixels,
            "match size": _Match,
        }
    ),
]


@node(
    "ResizeImageMaskNode",
    category="transform",
    display="Resize Image/Mask",
    output_names=("resized",),
)
def resize_image_or_mask(
    input: Annotated[Any, MatchType("input_type", "IMAGE,MASK")],  # noqa: A002 - its name
    resize_type: ResizeType,
    scale_method: ScaleMethod = "area",
) -> Annotated[Any, MatchType("input_type", "IMAGE,MASK")]:
    """Resize images or masks; a side of 0 follows from the other.

    By a factor, to a size, to one side, to a number of pixels, or to the size of others.
    """
    is_image = input.ndim == 4
    found = input if is_image else as_masks(input)
    rows, columns = found.shape[1:3]
    width, height, crop = _wanted(resize_type, columns, rows)
    size = size_in_proportion(width, height, of=(columns, rows))
    resize = scale if is_image else scale_masks
    return resize(found, *size, method=scale_method, crop=crop)


def _wanted(chosen: Mapping[str, Any], width: int, height: int) -> tuple[int, int, str]:
    """The width, the height, and whether the input is cut to their proportions."""
    crop: str = chosen.get("crop", "disabled")
    match chosen["resize_type"]:
        case "scale by multiplier":
            factor = float(chosen["multiplier"])
        case "scale dimensions":
            return *_sides(chosen["width"], chosen["height"], width, height), crop
        case "scale longer dimension":
            factor = chosen["longer_size"] / max(width, height)
        case "scale shorter dimension":
            factor = chosen["shorter_size"] / min(width, height)
        case "scale width":
            return *_sides(chosen["width"], 0, width, height), crop
        case "scale height":
            return *_sides(0, chosen["height"], width, height), crop
        case "scale total pixels":
            factor = math.sqrt(chosen["megapixels"] * 1024 * 1024 / (width * height))
        case "match size":
            other = chosen["match"]
            other = other if other.ndim == 4 else as_masks(other)
            return other.shape[2], other.shape[1], crop
        case unknown:
            raise NodeError(f"there is no way to resize called {str(unknown)[:60]!r}")
    return round(width * factor), round(height * factor), crop


def _sides(wide: int, high: int, width: int, height: int) -> tuple[int, int]:
    if wide == 0 and high == 0:
        return width, height
    if wide == 0:
        return round(width * high / height), high
    return wide, high or round(height * wide / width)
