"""Crops and scales pictures [B, H, W, C] for networks that take pictures."""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate


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
