"""Nodes that create, measure, batch and compose images: the category `image` except for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import torch

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, Range
from nodes.image_scaling import (
    as_masks,
    batch_images,
    match_count,
    scale,
    scale_masks,
    with_channels,
)
from nodes.sockets import Image, Mask

Side = Annotated[int, Range(1, 16384, step=1)]
Offset = Annotated[int, Range(0, 16384, step=1)]
Margin = Annotated[int, Range(0, 16384, step=8)]
Seed = Annotated[int, Range(0, 2**64 - 1, control_after_generate=True)]
Images = Annotated[Mapping[str, torch.Tensor], Autogrow("image", "IMAGE", 1, 50)]


@node("EmptyImage", category="image")
def empty_image(
    width: Side = 512,
    height: Side = 512,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
    color: Annotated[int, Range(0, 0xFFFFFF, step=1, display="color")] = 0,
) -> Image:
    """Create images of one colour, given as 0xRRGGBB."""
    red, green, blue = color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF
    return (torch.tensor([red, green, blue]) / 255).repeat(batch_size, height, width, 1)


class ImageSize(NamedTuple):
    """How large a batch of images is."""

    width: int
    height: int
    batch_size: int


@node("GetImageSize", category="image", display="Get Image Size", hidden=("UNIQUE_ID",))
def get_image_size(image: Image) -> ImageSize:
    """The width, height and number of images."""
    count, height, width = image.shape[:3]
    return ImageSize(width, height, count)


@node("ImageAddNoise", category="image")
def image_add_noise(
    image: Image,
    seed: Seed = 0,
    strength: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.5,
) -> Image:
    """Add normal noise of that standard deviation to images."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(image.shape, generator=generator)
    return noise.to(image).mul_(strength).add_(image).clamp_(0, 1)


@node("ImageBatch", category="image", display="Batch Images", deprecated=True)
def image_batch(image1: Image, image2: Image) -> Image:
    """Join two batches of images; the second is scaled and cropped to the first one's size."""
    return batch_images([image1, image2])


@node("BatchImagesNode", category="image", display="Batch Images")
def batch_images_node(images: Images) -> Image:
    """Join batches of images; all are scaled and cropped to the first one's size."""
    return batch_images(list(images.values()))


@node("ImageCompositeMasked", category="image")
def image_composite_masked(
    destination: Image,
    source: Image,
    x: Offset = 0,
    y: Offset = 0,
    resize_source: bool = False,
    mask: Mask | None = None,
) -> Image:
    """Place a source over a destination at x, y; where a mask is dark the destination is kept."""
    rows, columns = destination.shape[1:3]
    if resize_source:
        source = scale(source, columns, rows)
    source = with_channels(match_count(source, destination.shape[0]), destination.shape[-1])
    height, width = source.shape[1:3]
    if mask is None:
        cover = torch.ones(1, height, width)
    else:
        cover = scale_masks(as_masks(mask), width, height)
    cover = match_count(cover, destination.shape[0]).unsqueeze(-1).to(destination)
    below = (slice(None), slice(y, y + height), slice(x, x + width))
    seen = (slice(None), slice(0, max(rows - y, 0)), slice(0, max(columns - x, 0)))
    result = destination.clone()
    result[below].mul_(1 - cover[seen]).add_(cover[seen] * source[seen])
    return result


@node("ImageInvert", category="image", display="Invert Image")
def image_invert(image: Image) -> Image:
    """Invert the colours of images."""
    return 1.0 - image


@node("ImagePadForOutpaint", category="image", display="Pad Image for Outpainting")
def image_pad_for_outpaint(
    image: Image,
    left: Margin = 0,
    top: Margin = 0,
    right: Margin = 0,
    bottom: Margin = 0,
    feathering: Offset = 40,
) -> tuple[Image, Mask]:
    """Add grey margins around images, with a mask of the area to be painted.

    Feathering extends the mask into the image, falling with the square of the distance from a
    padded side; it is omitted where it would cover the image from both sides.
    """
    count, height, width, channels = image.shape
    if min(left, top, right, bottom) < 0:
        raise NodeError("margins must not be negative; use Image Crop to make an image smaller")
    padded = image.new_full((count, height + top + bottom, width + left + right, channels), 0.5)
    inside = (slice(top, top + height), slice(left, left + width))
    padded[:, *inside] = image
    mask = torch.ones(1, *padded.shape[1:3])
    mask[0, *inside] = 0.0
    if 0 < 2 * feathering < min(height, width):
        rows, columns = torch.arange(height).float(), torch.arange(width).float()
        far = torch.tensor(float(max(height, width)))
        down = torch.minimum(rows if top else far, height - rows if bottom else far)
        across = torch.minimum(columns if left else far, width - columns if right else far)
        distance = torch.minimum(down.expand(height)[:, None], across.expand(width)[None, :])
        mask[0, *inside] = ((feathering - distance) / feathering).clamp(min=0) ** 2
    return padded, mask
