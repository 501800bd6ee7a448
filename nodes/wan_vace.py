"""The node of Wan's VACE: a video to follow or to change in parts, and a picture to refer to."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import NodeError
from engine.families.bridge.wan_given import VACE_FRAMES, VACE_MASKS, VACE_STRENGTHS
from engine.families.wan_autoencoder import LATENT
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.image_scaling import as_masks, scale_masks
from nodes.sockets import Conditioning, Image, Latent, Mask, Vae
from nodes.wan import (
    GREY,
    VIDEO_MODELS,
    Count,
    Length,
    Side,
    empty_video,
    encoded,
    frames_of,
)


class Followed(NamedTuple):
    """Both conditionings, the empty latent, and its cells of time that show the reference."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent
    trim_latent: int


@node("WanVaceToVideo", category=VIDEO_MODELS)
def wan_vace_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    strength: Annotated[float, Range(0.0, 1000.0, step=0.01)] = 1.0,
    control_video: Image | None = None,
    control_masks: Mask | None = None,
    reference_image: Image | None = None,
    *,
    ctx: Context,
) -> Followed:
    """Give Wan VACE a video to follow or to change, where to change it, and a picture to refer to.

    Masks are 1 where the video is made anew. Frames that the video lacks are grey, those that the
    masks lack are made anew. The picture, the first of a batch, becomes the first cells of the
    latent: Trim Video Latent takes `trim_latent` of them away again. Several of these nodes in a
    row are followed at once. As the published pipeline does it (diffusers, pipeline_wan_vace.py),
    but that pictures are cut to the proportions, as in the other nodes of Wan.
    """
    masks = _masks(control_masks, width, height, length)
    kept, changed = _kept_and_changed(control_video, masks, width, height)
    video = torch.cat([encoded(vae, each, ctx) for each in (kept, changed)], dim=1)
    if video.shape[1] != 2 * LATENT.channels:
        raise NodeError(
            f"the VAE makes latents of {video.shape[1] // 2} channels, VACE takes "
            f"{LATENT.channels}: load wan_2.1_vae.safetensors with Load VAE"
        )
    places = _of_cells(masks)
    latent = empty_video(width, height, length, batch_size)
    before = 0
    if reference_image is not None:
        seen = encoded(vae, frames_of(reference_image[:1], width, height), ctx)
        before = seen.shape[2]
        # Nothing of it is made anew: zero in the denoiser's space.
        video = torch.cat((torch.cat((seen, LATENT.out(torch.zeros_like(seen))), 1), video), 2)
        places = functional.pad(places, (0, 0, 0, 0, before, 0))
        latent["samples"] = functional.pad(latent["samples"], (0, 0, 0, 0, before, 0))
    added = {VACE_FRAMES: video, VACE_MASKS: places, VACE_STRENGTHS: strength}
    positive, negative = (
        [
            [text, {**known, **{key: [*known.get(key, ()), added[key]] for key in added}}]
            for text, known in each
        ]
        for each in (positive, negative)
    )
    return Followed(positive, negative, latent, before)


def _masks(masks: Tensor | None, width: int, height: int, length: int) -> Tensor:
    """Masks [length, H, W] of that size; what is missing is 1."""
    if masks is None:
        return torch.ones(length, height, width)
    found = as_masks(masks).float()
    found = scale_masks(found[:length], width, height, crop="center")
    return functional.pad(found, (0, 0, 0, 0, 0, length - len(found)), value=1.0)


def _kept_and_changed(
    video: Tensor | None, masks: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor]:
    """Two videos [N, H, W, 3]: what stays and what is made anew, both grey elsewhere."""
    length = len(masks)
    frames = torch.full((length, height, width, 3), GREY)
    if video is not None:
        given = frames_of(video[:length], width, height)
        frames[: len(given)] = given
    anew = (masks > 0.5)[..., None]
    grey = torch.tensor(GREY)
    return torch.where(anew, grey, frames), torch.where(anew, frames, grey)


def _of_cells(masks: Tensor) -> Tensor:
    """Masks [N, H, W] -> [1, 64, t, h, w]: every pixel of a cell, at a frame in its middle."""
    _, down, across = LATENT.downscale
    frames, height, width = masks.shape
    rows, columns = height // down, width // across
    pixels = masks[:, : rows * down, : columns * across]
    split = pixels.reshape(frames, rows, down, columns, across).permute(2, 4, 0, 1, 3)
    found = split.reshape(1, down * across, frames, rows, columns)
    cells = LATENT.cells(frames)
    return functional.interpolate(found, (cells, rows, columns), mode="nearest-exact")
