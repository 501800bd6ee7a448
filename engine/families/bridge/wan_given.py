"""What a conditioning gives Wan's models beside the text: frames, videos to follow, pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import NodeError
from engine.families.family import Entry, Run
from engine.families.latent_format import LatentFormat
from engine.families.picture_channels import MASK, PICTURE
from engine.families.reference_latents import REFERENCES
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
CAMERA = "camera_conditions"
"""The key of the rays of a camera [1, 24, t, H, W], see `nodes.wan_camera`."""
SUBJECTS = "time_dim_concat"
"""The key of latents [1, 16, n, h, w] that Phantom is shown behind the last cell of time."""


def given_frames(entry: Entry, run: Run, latent: LatentFormat, channels: int) -> Tensor:
    """[1, channels, t, h, w]: what a model takes beside its latent of C channels.

    That is: C: how the video begins (Fun Camera). C + 4: which frames are given, as four ones for a
    whole cell, and their latents. 2 C: a video to follow, and how the video begins (Fun Control).
    2 C + 4: a video to follow, which frames are given, and their latents.

    An entry has latents of C or 2 C channels in `PICTURE` as the autoencoder encodes them, and
    `MASK` [1, 1 or 4, t, h, w], 0 where a cell is given. Without a picture all is zero.

    Raises:
        NodeError: the picture is no latent of that autoencoder, or has another size than x.
    """
    picture, size = entry.extras.get(PICTURE), tuple(run.shape[2:])
    if not isinstance(picture, Tensor):
        return torch.zeros(1, channels, *size)
    flags = channels % latent.channels
    _check(picture, channels - flags, size, latent)
    parts = picture.float().cpu().split(latent.channels, dim=1)
    found = [_as_long(latent.into(part), size[0]) for part in parts]
    if flags:
        found.insert(len(found) - 1, _given(entry, size).expand(len(picture), -1, -1, -1, -1))
    return torch.cat(found, dim=1)


def _given(entry: Entry, size: Sequence[int]) -> Tensor:
    """[1, 4, t, h, w]: 1 where a frame of a cell is given; zeros where nothing says so."""
    mask = entry.extras.get(MASK)
    if not isinstance(mask, Tensor):
        return torch.zeros(1, MASK_CHANNELS, *size)
    mask = mask.float().cpu()
    mask = mask if mask.shape[1] == MASK_CHANNELS else mask.mean(dim=1, keepdim=True)
    if mask.shape[3:] != tuple(size[1:]):
        mask = functional.interpolate(mask, (mask.shape[2], *size[1:]))
    return _as_long(1.0 - mask, size[0]).expand(-1, MASK_CHANNELS, *size)


def given_reference(entry: Entry, run: Run, latent: LatentFormat) -> Tensor:
    """[1, C, h, w]: the picture that Fun Control refers to; zeros without one.

    Raises:
        NodeError: it has another size than x.
    """
    found, size = entry.extras.get(REFERENCES), tuple(run.shape[3:])
    if not found:
        return torch.zeros(1, latent.channels, *size)
    picture: Tensor = found[0]
    picture = picture if picture.ndim == 5 else picture[:, :, None]
    _check(picture, latent.channels, (1, *size), latent)
    return latent.into(picture.float().cpu())[:, :, 0]


def given_rays(entry: Entry, run: Run, channels: int) -> Tensor | None:
    """[1, channels, t, h, w]: the rays of a camera for every pixel of a cell; None without one.

    Raises:
        NodeError: they are for another size.
    """
    rays = entry.extras.get(CAMERA)
    if not isinstance(rays, Tensor):
        return None
    side = math.isqrt(channels // rays.shape[1])
    wanted = (run.shape[2], side * run.shape[3], side * run.shape[4])
    if tuple(rays.shape[2:]) != wanted:
        raise NodeError(
            f"the camera of WanCameraEmbedding is for {rays.shape[2]} cells of time and pictures "
            f"of {rays.shape[4]} x {rays.shape[3]}, the latent has {wanted[0]} and {wanted[2]} x "
            f"{wanted[1]}; give both nodes the same width, height and length"
        )
    frames = rays.float().cpu()[0].transpose(0, 1)
    return functional.pixel_unshuffle(frames, side).transpose(0, 1)[None]


def given_subjects(entry: Entry, run: Run) -> Tensor | None:
    """[1, 16, n, h, w]: the pictures that Phantom is shown; None without.

    Raises:
        NodeError: they are no such latents, or have another size than x.
    """
    found = entry.extras.get(SUBJECTS)
    if not isinstance(found, Tensor):
        return None
    _check(found, LATENT.channels, (found.shape[2], *run.shape[3:]), LATENT)
    return LATENT.into(found.float().cpu())


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


def _check(picture: Tensor, channels: int, size: Sequence[int], latent: LatentFormat) -> None:
    if picture.ndim != 5 or picture.shape[1] != channels:
        vae = "2.1" if latent is LATENT else "2.2"
        raise NodeError(
            f"the picture in the conditioning has the shape {list(picture.shape)}, the model takes "
            f"a video's latent of {channels} channels; encode it with the VAE of Wan {vae}, with "
            f"{'WanFunControlToVideo' if channels > latent.channels else 'WanImageToVideo'}"
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
