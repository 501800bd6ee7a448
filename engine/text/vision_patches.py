"""Pictures as the patches that vision towers of Qwen take, and the positions of those."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

MERGED = 2
"""Patches of a vector, in rows and in columns."""
THETA = 10_000.0


def fitted(pixels: Tensor, multiple: int, limits: tuple[int, int]) -> Tensor:
    """[1, h, w, 3] resized to sides that are multiples, [3, h, w] float32.

    `limits` are the fewest and the most pixels.
    """
    fewest, most = limits
    height, width = pixels.shape[1:3]
    sides = [max(multiple, round(side / multiple) * multiple) for side in (height, width)]
    area = height * width
    if sides[0] * sides[1] > most:
        factor = math.sqrt(area / most)
        sides = [
            max(multiple, math.floor(side / factor / multiple) * multiple)
            for side in (height, width)
        ]
    elif sides[0] * sides[1] < fewest:
        factor = math.sqrt(fewest / area)
        sides = [math.ceil(side * factor / multiple) * multiple for side in (height, width)]
    picture = pixels[:1, ..., :3].movedim(-1, 1).float()
    return functional.interpolate(picture, size=tuple(sides), mode="bilinear")[0]


def patches_of(picture: Tensor, patch: int, frames: int) -> Tensor:
    """[3, h, w] -> [N, 3 * frames * patch * patch], the four patches of a vector together."""
    rows, columns = (side // patch for side in picture.shape[1:])
    split = picture.reshape(
        3, rows // MERGED, MERGED, patch, columns // MERGED, MERGED, patch
    ).permute(1, 4, 2, 5, 0, 3, 6)
    whole = split[..., None, :, :].expand(*split.shape[:5], frames, patch, patch)
    return whole.reshape(rows * columns, -1)


def patch_places(rows: int, columns: int, device: torch.device) -> Tensor:
    """Row and column [2, N] of every patch, in the order of `patches_of`."""
    across = torch.meshgrid(
        torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij"
    )
    return torch.stack(
        [
            each.reshape(rows // MERGED, MERGED, columns // MERGED, MERGED)
            .transpose(1, 2)
            .flatten()
            for each in across
        ]
    )


def place_table(
    rows: int, columns: int, head_channels: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """(cosines, sines) [N, head_channels / 2]: half of the angles by row, half by column.

    In the order of `patches_of`; after Wang et al. 2024, "Qwen2-VL", section 2.1.
    """
    half = head_channels // 2
    exponents = torch.arange(0, half, 2, dtype=torch.float32, device=device) / half
    places = patch_places(rows, columns, device).float()
    angles = (places[..., None] * THETA**-exponents).movedim(0, 1).flatten(1)
    return angles.cos(), angles.sin()
