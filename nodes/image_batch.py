"""Batches of images split and joined, and images as luma and chroma."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.image_scaling import batch_images
from nodes.sockets import Image


@node("ImageFromBatch", category="image/batch")
def image_from_batch(
    image: Image,
    batch_index: Annotated[int, Range(-4096, 4095)] = 0,
    length: Annotated[int, Range(1, 4096)] = 1,
) -> Image:
    """Take `length` images of a batch from `batch_index` on, or as many as there are.

    A negative index counts from the end: -1 is the last image.
    """
    count = image.shape[0]
    first = max(batch_index + count, 0) if batch_index < 0 else min(batch_index, count - 1)
    return image[first : first + length].clone()


@node("RebatchImages", category="image/batch", display="Rebatch Images", input_is_list=True)
def rebatch_images(
    images: Sequence[Image],
    batch_size: Sequence[Annotated[int, Range(1, 4096)]] = (1,),
) -> list[Image]:
    """Regroup a list of batches into batches of `batch_size`."""
    single = [image[None] for batch in images for image in batch]
    size = batch_size[0]
    return [batch_images(single[at : at + size]) for at in range(0, len(single), size)]


@node("RepeatImageBatch", category="image/batch")
def repeat_image_batch(image: Image, amount: Annotated[int, Range(1, 4096)] = 1) -> Image:
    """Repeat a batch of images `amount` times."""
    return image.repeat(amount, 1, 1, 1)


class LumaChroma(NamedTuple):
    """Three grey images."""

    Y: Image
    U: Image
    V: Image


@node("ImageRGBToYUV", category="image/batch")
def image_rgb_to_yuv(image: Image) -> LumaChroma:
    """Convert images to luma and two chroma differences (ITU-R BT.601, full range).

    Chroma is centred on 0.5: U = 0.5 + 0.564 (B - Y), V = 0.5 + 0.713 (R - Y).
    """
    if image.shape[-1] < 3:
        raise NodeError(f"colour needs 3 channels, the image has {image.shape[-1]}")
    red, green, blue = image[..., 0:1], image[..., 1:2], image[..., 2:3]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    parts = (luma, 0.564 * (blue - luma) + 0.5, 0.713 * (red - luma) + 0.5)
    return LumaChroma(*(part.repeat(1, 1, 1, 3) for part in parts))


@node("ImageYUVToRGB", category="image/batch")
def image_yuv_to_rgb(Y: Image, U: Image, V: Image) -> Image:  # noqa: N803 - the sockets' names
    """Convert luma and chroma to images; the channels of each are averaged first."""
    if not Y.shape[:3] == U.shape[:3] == V.shape[:3]:
        sizes = ", ".join(str(list(part.shape[:3])) for part in (Y, U, V))
        raise NodeError(f"Y, U and V must be of one size and number, they are {sizes}")
    luma, blue_difference, red_difference = (
        part.mean(dim=-1, keepdim=True) - middle for part, middle in ((Y, 0), (U, 0.5), (V, 0.5))
    )
    red = luma + 1.403 * red_difference
    green = luma - 0.714 * red_difference - 0.344 * blue_difference
    blue = luma + 1.773 * blue_difference
    return torch.cat([red, green, blue], dim=-1).clamp(0, 1)
