"""Crops and scales pictures [B, H, W, C] for networks that take pictures."""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate

from engine.errors import NodeError


def crop_to_proportions(images: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """The largest centred part of the images that has the proportions of `width` to `height`.

    At least one row and one column remain, even for extreme proportions.
    """
    rows, columns = images.shape[1:3]
    across, down = 0, 0
    if columns * height > rows * width:
        across = min(round((columns - rows * width / height) / 2), (columns - 1) // 2)
    elif columns * height < rows * width:
        down = min(round((rows - columns * height / width) / 2), (rows - 1) // 2)
    return images[:, down : rows - down, across : columns - across]


def for_network(images: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Pictures of that size as [B, 3, rows, columns], float32: cut to its proportions, then scaled.

    Grey becomes RGB; channels after the third are dropped.
    """
    images = images.float()
    images = images.expand(*images.shape[:3], 3) if images.shape[3] == 1 else images[..., :3]
    if images.shape[1:3] == (rows, columns):
        return images.movedim(-1, 1)
    cut = crop_to_proportions(images, columns, rows).movedim(-1, 1)
    return interpolate(cut, (rows, columns), mode="nearest-exact")


def crop(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Pictures [B, H, W, C] cropped to multiples of `multiple` around their middle.

    Raises:
        NodeError: nothing would be left.
    """
    height, width = images.shape[1:3]
    rows, columns = height % multiple, width % multiple
    if height < multiple or width < multiple:
        raise NodeError(
            f"a picture of {width} x {height} pixels is too small to encode: "
            f"one latent cell takes {multiple} x {multiple}"
        )
    top, left = rows // 2, columns // 2
    return images[:, top : top + height - rows, left : left + width - columns]


def masked_picture(
    images: torch.Tensor, mask: torch.Tensor, multiple: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """A mask fitted to pictures, and the pictures grey where it is over a half.

    Args:
        images: [B, H, W, 3 or more] in 0..1.
        mask: [..., any size], one for all pictures or one for each; 1 is a hole.
        multiple: both are cropped to multiples of so many pixels.

    Returns:
        The mask [1 or more, 1, h, w] and the pictures [B, h, w, 3].

    Raises:
        NodeError: nothing would be left, or there are several masks, but not one for each picture.
    """
    holes = mask.float().reshape(-1, 1, *mask.shape[-2:])
    if len(holes) > 1 and len(images) not in (1, len(holes)):
        raise NodeError(
            f"{len(holes)} masks do not fit {len(images)} pictures; give one mask for all, or one "
            "for each picture"
        )
    holes = interpolate(holes, size=images.shape[1:3], mode="bilinear")
    holes = crop(holes.movedim(1, -1), multiple).movedim(-1, 1)
    kept = (1 - holes.round()).movedim(1, -1)
    return holes, (crop(images[..., :3], multiple) - 0.5) * kept + 0.5
