"""Converts between tensors and Pillow images; shared by loading, saving and Pillow's filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
        if bool(image.isnan().any()):
            raise NodeError(
                "the image holds values that are not numbers (NaN), usually because half "
                "precision overflowed when it was made; run again with --dtype fp32. If that does "
                "not help, a file of weights holds such values: try another"
            )
        levels = (image.float() * 255.0).clamp(0, 255).to(torch.uint8)
        array = levels.squeeze(-1) if levels.shape[-1] == 1 else levels
        yield Image.fromarray(array.contiguous().cpu().numpy())


def from_picture(picture: Image.Image) -> torch.Tensor:
    """A picture of mode `L`, `RGB`, `RGBA` or `F` (0 to 1) as float32 [H, W, C], 0 to 1.

    `F` is grey of more than 8 bits; its one value becomes all three of RGB.
    """
    values = torch.from_numpy(np.array(picture))
    if picture.mode == "F":
        return values.clamp(0, 1).unsqueeze(-1).repeat(1, 1, 3)
    scaled = values.to(torch.float32) / 255.0
    return scaled.unsqueeze(-1) if scaled.ndim == 2 else scaled
