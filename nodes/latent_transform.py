"""Latents flipped, rotated and cropped."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.latent_shapes import CELL
from nodes.sockets import Latent

Side = Annotated[int, Range(64, 16384, step=8)]
Offset = Annotated[int, Range(0, 16384, step=8)]
LEAST_CELLS = 8
"""How much of a latent a cut leaves at least, however far to the edge it begins."""


@node("LatentFlip", category="latent/transform", display="Flip Latent")
def latent_flip(
    samples: Latent, flip_method: Literal["x-axis: vertically", "y-axis: horizontally"]
) -> Latent:
    """A latent mirrored, upside down or left to right."""
    dim = -2 if flip_method.startswith("x") else -1
    return samples | {"samples": samples["samples"].flip(dim)}


@node("LatentRotate", category="latent/transform", display="Rotate Latent")
def latent_rotate(
    samples: Latent, rotation: Literal["none", "90 degrees", "180 degrees", "270 degrees"]
) -> Latent:
    """A latent turned clockwise."""
    quarters = {"none": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3}[rotation]
    return samples | {"samples": torch.rot90(samples["samples"], quarters, dims=(-1, -2))}


@node("LatentCrop", category="latent/transform", display="Crop Latent")
def latent_crop(
    samples: Latent,
    width: Side = 512,
    height: Side = 512,
    x: Offset = 0,
    y: Offset = 0,
) -> Latent:
    """A part of a latent, in pixels; what lies beyond its edges is left out."""
    whole = samples["samples"]
    rows, columns = whole.shape[-2:]
    left = min(x // CELL, max(columns - LEAST_CELLS, 0))
    top = min(y // CELL, max(rows - LEAST_CELLS, 0))
    part = whole[..., top : top + height // CELL, left : left + width // CELL]
    return samples | {"samples": part.clone()}
