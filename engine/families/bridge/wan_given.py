"""What a conditioning gives Wan's models beside the text: frames, videos to follow, pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import NodeError
from engine.families.family import Entry, Run
from engine.families.picture_channels import MASK, PICTURE
from engine.families.wan_autoencoder import LATENT

SEEN = "clip_vision_output"
"""The key of a conditioning entry for what CLIP sees in the picture."""
LATENT_CHANNELS = 16
MASK_CHANNELS = 4
"""Frames of a latent cell, each of which is given or not."""
VACE_FRAMES, VACE_MASKS, VACE_STRENGTHS = "vace_frames", "vace_mask", "vace_strength"
"""The keys of lists, with an item for each WanVaceToVideo in a row: latents [1, 32, t, h, w] as
the autoencoder encodes them, of what stays and of what is made anew; masks [1, 64, t, h, w], 1
where a pixel is made anew; and how much each counts."""
VACE_CHANNELS = 2 * LATENT_CHANNELS + 64
"""What the blocks of VACE take: both latents, and the mask of each pixel of a cell."""
WITH_CONTROL = 3 * LATENT_CHANNELS
"""Channels that Fun Control takes: the noisy latent, a video to follow, how the video begins."""


def given_frames(entry: Entry, run: Run) -> Tensor:
    """[1, 20, t, h, w]: which frames are given, as four ones for a whole cell; and their latents.

    An entry has `PICTURE` [1, 16, t, h, w] as the autoencoder encodes it, and `MASK` [1, 1, t, h,
    w], 0 where a cell is given. Without a picture nothing is given, and all is zero.

    Raises:
        NodeError: the picture is no latent of Wan's autoencoder, or has another size than x.
    """
    picture, mask = entry.extras.get(PICTURE), entry.extras.get(MASK)
    size = tuple(run.shape[2:])
    if not isinstance(picture, Tensor):
        return torch.zeros(1, LATENT_CHANNELS + MASK_CHANNELS, *size)
    _check(picture, LATENT_CHANNELS, size)
    latent = _as_long(LATENT.into(picture.float().cpu()), size[0])
    if not isinstance(mask, Tensor):
        return torch.cat((torch.zeros(len(latent), MASK_CHANNELS, *size), latent), dim=1)
    mask = mask.float().cpu()
    mask = mask if mask.shape[1] == MASK_CHANNELS else mask.mean(dim=1, keepdim=True)
    if mask.shape[3:] != size[1:]:
        mask = functional.interpolate(mask, (mask.shape[2], *size[1:]))
    given = _as_long(1.0 - mask, size[0]).expand(len(latent), MASK_CHANNELS, *size)
    return torch.cat((given, latent), dim=1)


def given_control(entry: Entry, run: Run) -> Tensor:
    """[1, 32, t, h, w]: the latents of the video to follow, and of how the video begins.

    An entry has both in `PICTURE`, as the autoencoder encodes them; without, all is zero.

    Raises:
        NodeError: it is no such latent, or has another size than x.
    """
    found, size = entry.extras.get(PICTURE), tuple(run.shape[2:])
    if not isinstance(found, Tensor):
        return torch.zeros(1, WITH_CONTROL - LATENT_CHANNELS, *size)
    _check(found, WITH_CONTROL - LATENT_CHANNELS, size)
    parts = found.float().cpu().split(LATENT_CHANNELS, dim=1)
    return torch.cat([_as_long(LATENT.into(part), size[0]) for part in parts], dim=1)


def given_vace(entry: Entry, run: Run) -> tuple[Tensor, Tensor]:
    """([1, n x 96, t, h, w], [1, n]): the videos that VACE follows, and how much each counts.

    Without one, nothing is given: latents of zeros, all of which is made anew.

    Raises:
        NodeError: one has another size than x.
    """
    videos: list[Tensor] = list(entry.extras.get(VACE_FRAMES) or ())
    masks: list[Tensor] = list(entry.extras.get(VACE_MASKS) or ())
    strengths = [float(each) for each in entry.extras.get(VACE_STRENGTHS) or ()]
    size = tuple(run.shape[2:])
    found: list[Tensor] = []
    for video, mask in zip(videos, masks, strict=True):
        if tuple(video.shape[2:]) != size or mask.shape[2:] != video.shape[2:]:
            raise NodeError(
                "the video that VACE follows has "
                f"{' x '.join(str(each) for each in video.shape[2:])} cells (time, rows, columns), "
                f"the latent {' x '.join(str(each) for each in size)}; take the latent from "
                "WanVaceToVideo, too"
            )
        parts = video.float().cpu().split(LATENT_CHANNELS, dim=1)
        found += [*(LATENT.into(part) for part in parts), mask.float().cpu()]
    if not found:
        found = [torch.zeros(1, 2 * LATENT_CHANNELS, *size), torch.ones(1, 64, *size)]
        strengths = [1.0]
    return torch.cat(found, dim=1), torch.tensor([strengths])


def _check(picture: Tensor, channels: int, size: Sequence[int]) -> None:
    if picture.ndim != 5 or picture.shape[1] != channels:
        raise NodeError(
            f"the picture in the conditioning has the shape {list(picture.shape)}, the model takes "
            f"a video's latent of {channels} channels; encode it with the VAE of Wan 2.1, with "
            f"{'WanFunControlToVideo' if channels > LATENT_CHANNELS else 'WanImageToVideo'}"
        )
    if picture.shape[3:] != tuple(size[1:]):
        raise NodeError(
            f"the picture in the conditioning has {picture.shape[3]} x {picture.shape[4]} cells, "
            f"the latent {size[1]} x {size[2]}; take both from the same node"
        )


def _as_long(value: Tensor, cells: int) -> Tensor:
    """[B, C, t, h, w] with so many cells of time: cut, or with zeros behind."""
    missing = max(0, cells - value.shape[2])
    return functional.pad(value[:, :, :cells], (0, 0, 0, 0, 0, missing))


def seen(entry: Entry, width: int, places: int | None) -> Tensor | None:
    """[1, pictures, T, D]: what CLIP sees in the first picture, or in the first and the last.

    None where the workflow connects no CLIP vision: see `text_for_pictures`.
    """
    found = entry.extras.get(SEEN)
    states = getattr(found, "penultimate_hidden_states", None)
    if not isinstance(states, Tensor):
        return None
    if states.shape[-1] != width:
        raise NodeError(
            f"what CLIP sees has {states.shape[-1]} numbers, the model takes {width}: load "
            "clip_vision_h.safetensors with Load CLIP Vision"
        )
    states = states.float().cpu()
    if places is None:
        return states[:1, None]
    if states.shape[1] != places:
        raise NodeError(
            f"this model of Wan takes a first and a last picture, {places} tokens of CLIP; found "
            f"{states.shape[1]}. Use WanFirstLastFrameToVideo with both"
        )
    return states[:1].unflatten(1, (2, places // 2))
