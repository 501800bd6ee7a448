"""The further channels of FLUX.1 Fill, Canny and Depth: a picture beside the noisy latent."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine.diffusion.conditioning import Input, Join
from engine.errors import NodeError
from engine.families.family import Entry, Run
from engine.families.flux.network import FluxConfig
from engine.families.latent_format import LatentFormat
from engine.families.picture_channels import MASK, PICTURE, sized

PATCH_CELLS = 4
"""Cells of a patch of 2 x 2."""


def beside(config: FluxConfig, entry: Entry, run: Run, latent: LatentFormat) -> dict[str, Input]:
    """The input `concat` [B, C, h, w] of a model whose tokens hold more than the noisy latent.

    Canny and Depth take the latent of a picture; Fill the latent of a picture with a hole, then
    the mask with a channel for each of the 8 x 8 pixels of a cell. Where a conditioning has no
    picture it is grey, and without a mask all of it is the hole.

    Raises:
        NodeError: the picture is no latent of this model's autoencoder.
    """
    more = config.in_channels // PATCH_CELLS - latent.channels
    if more <= 0:
        return {}
    picture = entry.extras.get(PICTURE)
    if picture is None:
        picture = torch.zeros(1, latent.channels, *run.shape[-2:])
    if not isinstance(picture, Tensor) or picture.shape[1:2] != (latent.channels,):
        found = list(picture.shape) if isinstance(picture, Tensor) else type(picture).__name__
        raise NodeError(
            f"the picture in the conditioning has the shape {found}, the model takes a latent of "
            f"{latent.channels} channels; encode it with the VAE that belongs to the model"
        )
    value = latent.into(sized(picture.float().cpu(), run))
    if more > latent.channels:
        cells = _mask(entry, run, latent.pixels)
        rows = max(len(value), len(cells))
        value = torch.cat((_repeated(value, rows), _repeated(cells, rows)), dim=1)
    return {"concat": Input(value, Join.CROP_TO_AREA)}


def _mask(entry: Entry, run: Run, pixels: int) -> Tensor:
    """The mask [B, pixels pixels, h, w]; 1 in the hole."""
    height, width = run.shape[-2:]
    mask = entry.extras.get(MASK)
    mask = run.mask if mask is None else mask
    if mask is None:
        return torch.ones(1, pixels * pixels, height, width)
    mask = mask.float().cpu().reshape(-1, 1, *mask.shape[-2:])
    size = height * pixels, width * pixels
    if mask.shape[-2:] != size:
        whole = Run((1, 1, *size))
        mask = sized(mask, whole)
    return functional.pixel_unshuffle(mask, pixels)


def _repeated(value: Tensor, rows: int) -> Tensor:
    return value.repeat(-(-rows // len(value)), 1, 1, 1)[:rows]
