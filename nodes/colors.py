"""Colours: read, measured, transferred between images, and predictions shown as colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import torch

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, DynamicCombo, Options, Range, Socket
from nodes.color_statistics import (
    equalised,
    from_lab,
    histogram_map,
    mkl,
    moments,
    reinhard,
    to_lab,
)
from nodes.image_scaling import with_channels
from nodes.sockets import Image

Histogram = Annotated[list[int], Socket("HISTOGRAM")]
Curve = Annotated[Mapping[str, Any], Socket("CURVE")]
BINS = 256
LUMINANCE = (0.2126, 0.7152, 0.0722)
"""ITU-R BT.709."""
STRAIGHT: Mapping[str, Any] = {"points": [[0, 0], [1, 1]], "interpolation": "monotone_cubic"}


def read_color(text: str) -> tuple[float, float, float, float]:
    """Red, green, blue and alpha, 0 to 1, of `#RRGGBB` or `#RRGGBBAA`.

    Raises:
        NodeError: it is neither.
    """
    digits = text.removeprefix("#")
    try:
        if not text.startswith("#") or len(digits) not in (6, 8) or not digits.isalnum():
            raise ValueError
        parts = bytes.fromhex(digits)
    except ValueError as error:
        raise NodeError(
            f"{text[:40]!r} is no colour; one is written #RRGGBB or #RRGGBBAA, such as #ff5733"
        ) from error
    red, green, blue, alpha = (each / 255 for each in (*parts, 255)[:4])
    return red, green, blue, alpha


class Picked(NamedTuple):
    """A colour as a number, as text without its alpha, and its alpha."""

    rgb_int: int
    hex: Annotated[str, Socket("COLOR")]
    alpha: float


@node("ColorToRGBInt", category="utils", display="Color Picker")
def color_to_rgb_int(
    color: Annotated[str, Socket("COLOR"), Options(default="#ffffff")],
) -> Picked:
    """A colour as the number red x 65,536 + green x 256 + blue."""
    alpha = read_color(color)[3]
    return Picked(int(color[1:7], 16), color[:7], alpha)


class Histograms(NamedTuple):
    """How many pixels have each of 256 values."""

    rgb: Histogram
    luminance: Histogram
    red: Histogram
    green: Histogram
    blue: Histogram


@node("ImageHistogram", category="image/color", display="Image Histogram")
def image_histogram(image: Image) -> Histograms:
    """Histograms of the first image: of its mean, of its luminance, of each channel."""
    first = with_channels(image[:1], 3)[0].reshape(-1, 3).float().nan_to_num(0.0).clamp(0.0, 1.0)
    luminance = first @ torch.tensor(LUMINANCE)
    return Histograms(*(_counted(each) for each in (first.mean(-1), luminance, *first.unbind(-1))))


def _counted(values: torch.Tensor) -> list[int]:
    levels = (values * (BINS - 1)).round().long()
    return torch.bincount(levels, minlength=BINS)[:BINS].tolist()


@node("CurveEditor", category="image/color", display="Curve Editor")
def curve_editor(
    histogram: Annotated[Any, Socket("HISTOGRAM")] = None,
    curve: Annotated[Any, Socket("CURVE"), Options(default=STRAIGHT)] = STRAIGHT,
) -> Curve:
    """A curve drawn on the node; a joined histogram is for orientation."""
    del histogram
    return curve


class PerFrame(NamedTuple):
    """Each image is matched by itself."""


class Uniform(NamedTuple):
    """All images are matched by what they are together."""


class TargetFrame(NamedTuple):
    """All images are matched by what one of them is."""

    target_index: Annotated[int, Range(0, 10000)] = 0


@node("ColorTransfer", category="image/color", display="Transfer Color", output_names=("image",))
def color_transfer(
    image_target: Image,
    image_ref: Image,
    *,
    method: Annotated[str, Choice("reinhard_lab", "mkl_lab", "histogram")],
    source_stats: Annotated[
        Mapping[str, Any],
        DynamicCombo({"per_frame": PerFrame, "uniform": Uniform, "target_frame": TargetFrame}),
    ],
    strength: Annotated[float, Range(0.0, 10.0, step=0.01)] = 1.0,
) -> Image:
    """Give images the colours of others.

    `reinhard_lab` matches the mean and the deviation of each channel in CIELAB (Reinhard et al.
    2001), `mkl_lab` the whole covariance (Pitié and Kokaram 2007), `histogram` the distribution of
    each channel of RGB. With a batch of references each image has its own, the last one for all
    that are left.
    """
    if strength == 0.0:
        return image_target
    colors = with_channels(image_target, 3).float()
    reference = with_channels(image_ref, 3).float()
    linear = method != "histogram"
    given, wanted = (to_lab(each) if linear else each for each in (colors, reference))
    frames = []
    for index, frame in enumerate(given):
        own = _source(given, index, source_stats)
        like = wanted[min(index, len(wanted) - 1)]
        frames.append(_matched(frame, own, like, method))
    found = torch.stack(frames)
    found = from_lab(found) if linear else found
    mixed = (colors + (found - colors) * strength).clamp(0.0, 1.0)
    return torch.cat((mixed, image_target[..., 3:]), dim=-1)


def _source(frames: torch.Tensor, index: int, stats: Mapping[str, Any]) -> torch.Tensor:
    """The pixels [N, 3] whose statistics count for one image."""
    match stats["source_stats"]:
        case "uniform":
            return frames.reshape(-1, 3)
        case "target_frame":
            return frames[min(int(stats["target_index"]), len(frames) - 1)].reshape(-1, 3)
        case _:
            return frames[index].reshape(-1, 3)


def _matched(
    frame: torch.Tensor, own: torch.Tensor, like: torch.Tensor, method: str
) -> torch.Tensor:
    flat, like = frame.reshape(-1, 3), like.reshape(-1, 3)
    if method == "histogram":
        return histogram_map(flat, own, like).reshape(frame.shape)
    transform = reinhard if method == "reinhard_lab" else mkl
    return transform(flat, moments(own), moments(like)).reshape(frame.shape)


@node("MarigoldV2PostProcess", category="image/postprocessing", display="Marigold V2 Post-Process")
def marigold_post_process(
    image: Image, prediction: Annotated[str, Choice("depth", "normals", "albedo")]
) -> Image:
    """Show what Marigold predicted.

    Depth becomes bright where it is near, from each image's nearest to its farthest place; normals
    get the length one; albedo is taken from linear light to sRGB.
    """
    values = with_channels(image, 3).float()
    if prediction == "depth":
        depth = values.mean(dim=-1, keepdim=True)
        nearest, farthest = (edge(dim=(1, 2, 3), keepdim=True) for edge in (depth.amin, depth.amax))
        near = 1 - (depth - nearest) / (farthest - nearest).clamp(min=1e-6)
        return near.repeat(1, 1, 1, 3)
    if prediction == "normals":
        normals = torch.nn.functional.normalize(values * 2 - 1, dim=-1, eps=1e-6)
        return normals / 2 + 0.5
    return equalised(values.clamp(0.0, 1.0))
