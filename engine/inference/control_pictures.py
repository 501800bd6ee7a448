"""The pictures of control networks, at the size of a run and encoded where they take latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.families.family import Checkpoint
from engine.inference.control import Control, ControlNet
from engine.inference.pictures import for_network
from engine.inference.vae import encode


def shown(net: ControlNet, picture: Tensor, size: Sequence[int]) -> Tensor:
    """A picture [B, H, W, C] in 0..1 as pixels [B, 3, h, w] for x of that size."""
    fitted = for_network(picture, *net.kind.picture_size(net.config, size))
    return net.kind.shown(net.config, fitted)


def encoded(net: ControlNet, control: Control, size: Sequence[int], stop: Checkpoint) -> Tensor:
    """The picture in the denoiser's space, with the mask behind it where the network takes one.

    Args:
        net: whose `latent` is not None.
        control: with a VAE, see `engine.inference.control.check_encoder`.
        size: of x behind its channels.
        stop: called while encoding; may raise `Stopped`.

    Returns:
        [B, C, ..., h, w], on the CPU.
    """
    latent = net.kind.latent(net.config)
    if latent is None or control.vae is None:
        raise ValueError("the network takes no encoded picture, or there is no VAE")
    pixels = shown(net, control.picture, size).movedim(1, -1)
    # One by one: an autoencoder of videos would take them as frames.
    rows = [encode(control.vae, row[None], checkpoint=stop) for row in pixels]
    found = latent.into(torch.cat(rows))
    if not net.kind.takes_mask(net.config):
        return found
    return torch.cat((found, _kept(control.mask, found)), dim=1)


def _kept(mask: Tensor | None, found: Tensor) -> Tensor:
    """Where the picture counts [B, 1, ..., h, w]: 1, and 0 in the holes of a mask [M, H, W]."""
    if mask is None:
        return torch.ones_like(found[:, :1])
    holes = mask.float().reshape(-1, *mask.shape[-2:], 1)
    kept = 1 - for_network(holes, found.shape[-2], found.shape[-1])[:, :1]
    kept = kept[torch.arange(len(found)) % len(kept)]
    return kept.reshape(len(found), 1, *found.shape[2:])
