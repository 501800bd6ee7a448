"""Frames that are given beside the noisy latent of a video: of models that begin with a picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import NodeError
from engine.families.family import Entry, Run
from engine.families.latent_format import LatentFormat
from engine.families.picture_channels import MASK, PICTURE


def frames_beside(
    entry: Entry, run: Run, latent: LatentFormat, *, with_mask: bool, advice: str
) -> Tensor:
    """[1, C or C + 1, t, h, w]: the latent of given frames, and 1 where a cell is given.

    An entry has `PICTURE` [1, C, t, h, w] as the autoencoder encodes it, and `MASK` [1, 1, t, h,
    w], 0 where a cell is given. Without a picture nothing is given, and all is zero.

    Args:
        entry: with or without them.
        run: the run.
        latent: of the denoiser.
        with_mask: whether the denoiser takes the mask, too.
        advice: which autoencoder encodes the picture, for messages.

    Raises:
        NodeError: the picture is no latent of a video, or has another size than x.
    """
    size, found = tuple(run.shape[2:]), entry.extras.get(PICTURE)
    channels = latent.channels + with_mask
    if not isinstance(found, Tensor):
        return torch.zeros(1, channels, *size)
    if found.ndim != 5 or found.shape[1] != latent.channels or found.shape[3:] != size[1:]:
        raise NodeError(
            f"the picture in the conditioning has the shape {list(found.shape)}, the latent has "
            f"{latent.channels} channels of {size[1]} x {size[2]} cells; {advice}, and take both "
            "from the same node"
        )
    given = as_long(latent.into(found.float().cpu()), size[0])
    if not with_mask:
        return given
    mask = entry.extras.get(MASK)
    told = torch.zeros(1, 1, *size)
    if isinstance(mask, Tensor):
        told = as_long(1.0 - mask.float().cpu().reshape(1, 1, *mask.shape[-3:]), size[0])
    return torch.cat((given, told.expand(len(given), 1, *size)), dim=1)


def as_long(value: Tensor, cells: int) -> Tensor:
    """[B, C, t, h, w] with so many cells of time: cut, or with zeros behind."""
    missing = max(0, cells - value.shape[2])
    return functional.pad(value[:, :, :cells], (0, 0, 0, 0, 0, missing))
