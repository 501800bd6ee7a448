"""Converts between tensors and Pillow images; shared by loading, saving and Pillow's filters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from PIL import Image

from engine.errors import NodeError

_MODES: Mapping[int, str] = {1: "L", 3: "RGB", 4: "RGBA"}


def to_pictures(images: torch.Tensor) -> Iterator[Image.Image]:
    """Each image of a batch [B, H, W, C] as a picture of 8 bits: grey, RGB or RGBA.

    Values are cut off below 0 and above 1 and rounded down to a multiple of 1/255, as users'
    earlier pictures were: rounding to nearest would change every saved file.

    Raises:
        NodeError: the shape is no batch of images, or values are not numbers.
    """
    if images.ndim != 4 or images.shape[-1] not in _MODES:
        raise NodeError(
            f"an image must have the shape [batch, height, width, 1, 3 or 4], "
            f"this one has {list(images.shape)}"
        )
    for image in images:
        # The sum is half as much work, and is a number wherever all values are, but for infinities.
        if bool(image.sum().isnan()) and bool(image.isnan().any()):
            raise NodeError(
                "the image holds values that are not numbers (NaN), usually because half "
                "precision overflowed when it was made; run again with --dtype fp32. If that does "
                "not help, a file of weights holds such values: try another"
            )
        # Grey that is shown as colours, as `expand` makes it, is converted once.
        one = image[..., :1] if image.stride(-1) == 0 else image
        levels = (one.float() * 255.0).clamp_(0, 255).to(torch.uint8)
        if one.shape[-1] < image.shape[-1]:
            levels = levels.expand(image.shape)
        array = levels.squeeze(-1) if levels.shape[-1] == 1 else levels
        yield Image.fromarray(array.contiguous().cpu().numpy())


def from_pictures(pictures: Iterable[Image.Image]) -> torch.Tensor:
    """Pictures of one size and mode as float32 [B, H, W, C]."""
    return stacked([from_picture(picture) for picture in pictures])


def stacked(images: Sequence[torch.Tensor]) -> torch.Tensor:
    """`torch.stack` that does not copy a single one.

    Raises:
        NodeError: there are none.
    """
    if not images:
        raise NodeError("there are no images in the batch")
    return images[0][None] if len(images) == 1 else torch.stack(list(images))


def from_picture(picture: Image.Image) -> torch.Tensor:
    """A picture of mode `L`, `RGB`, `RGBA` or `F` (0 to 1) as float32 [H, W, C], 0 to 1.

    `F` is grey of more than 8 bits; its one value becomes all three of RGB.
    """
    values = torch.from_numpy(np.array(picture))
    if picture.mode == "F":
        return values.clamp(0, 1).unsqueeze(-1).repeat(1, 1, 3)
    scaled = values.to(torch.float32).div_(255.0)
    return scaled.unsqueeze(-1) if scaled.ndim == 2 else scaled
