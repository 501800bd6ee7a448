"""Nodes for postprocessing: blends, blur, sharpening, quantisation, morphology."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Annotated, Literal

import torch

from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.image_filters import dilate, erode, gaussian_blur, quantize
from nodes.image_scaling import match_count, scale, with_channels
from nodes.sockets import Image

Radius = Annotated[int, Range(1, 31, step=1)]


def _overlay(below: torch.Tensor, above: torch.Tensor) -> torch.Tensor:
    return torch.where(below <= 0.5, 2 * below * above, 1 - 2 * (1 - below) * (1 - above))


def _soft_light(below: torch.Tensor, above: torch.Tensor) -> torch.Tensor:
    """W3C, Compositing and Blending Level 1, 10.1.9."""
    curve = torch.where(
        below <= 0.25, ((16 * below - 12) * below + 4) * below, below.clamp(min=0).sqrt()
    )
    darker = below - (1 - 2 * above) * below * (1 - below)
    lighter = below + (2 * above - 1) * (curve - below)
    return torch.where(above <= 0.5, darker, lighter)


_BLENDS = MappingProxyType[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]](
    {
        "normal": lambda _, above: above,
        "multiply": torch.mul,
        "screen": lambda below, above: 1 - (1 - below) * (1 - above),
        "overlay": _overlay,
        "soft_light": _soft_light,
        "difference": torch.sub,
    }
)


@node("ImageBlend", category="image/postprocessing")
def image_blend(
    image1: Image,
    image2: Image,
    blend_factor: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.5,
    *,
    blend_mode: Literal["normal", "multiply", "screen", "overlay", "soft_light", "difference"],
) -> Image:
    """Blend a second image over the first, by a factor.

    The second is scaled and cropped to the first one's size, and gets its number of channels: its
    alpha is dropped, or it is made opaque. The difference is signed, and clipped at black only
    after blending.
    """
    below, above = image1, with_channels(image2, image1.shape[-1])
    above = scale(above, below.shape[2], below.shape[1], method="bicubic", crop="center")
    above = match_count(above, below.shape[0]).to(below)
    return torch.lerp(below, _BLENDS[blend_mode](below, above), blend_factor).clamp_(0, 1)


@node("ImageBlur", category="image/postprocessing")
def image_blur(
    image: Image,
    blur_radius: Radius = 1,
    sigma: Annotated[float, Range(0.1, 10.0, step=0.1)] = 1.0,
) -> Image:
    """Blur images; sigma is in units of the radius."""
    return gaussian_blur(image, blur_radius, sigma)


@node("ImageSharpen", category="image/postprocessing")
def image_sharpen(
    image: Image,
    sharpen_radius: Radius = 1,
    sigma: Annotated[float, Range(0.1, 10.0, step=0.01)] = 1.0,
    alpha: Annotated[float, Range(0.0, 5.0, step=0.01)] = 1.0,
) -> Image:
    """Unsharp masking: add ten times alpha of the difference to a blurred image."""
    detail = image - gaussian_blur(image, sharpen_radius, sigma)
    return (image + 10 * alpha * detail).clamp_(0, 1)


@node("ImageQuantize", category="image/postprocessing")
def image_quantize(
    image: Image,
    colors: Annotated[int, Range(1, 256, step=1)] = 256,
    *,
    dither: Literal["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16"],
) -> Image:
    """Reduce each image to its best few colours."""
    return torch.stack(list(quantize(image, colors, dither)))


@node("Morphology", category="image/postprocessing", display="ImageMorphology")
def morphology(
    image: Image,
    operation: Literal["erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat"],
    kernel_size: Annotated[int, Range(3, 999, step=1)] = 3,
) -> Image:
    """Grow or shrink bright areas with a square; or show the change."""
    match operation:
        case "erode":
            return erode(image, kernel_size)
        case "dilate":
            return dilate(image, kernel_size)
        case "open":
            return dilate(erode(image, kernel_size), kernel_size)
        case "close":
            return erode(dilate(image, kernel_size), kernel_size)
        case "gradient":
            return dilate(image, kernel_size) - erode(image, kernel_size)
        case "top_hat":
            return image - dilate(erode(image, kernel_size), kernel_size)
        case "bottom_hat":
            return erode(dilate(image, kernel_size), kernel_size) - image
