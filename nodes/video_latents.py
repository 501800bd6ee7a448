"""Latents of videos: empty ones, cut ones, and their size.

How many pixels and frames a cell stands for is a fact of each autoencoder, as its paper states it.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Latent

VIDEO = "latent/video"
Batch = Annotated[int, Range(1, 4096)]
Side16 = Annotated[int, Range(16, 16384, step=16)]
Side32 = Annotated[int, Range(64, 16384, step=32)]


def _empty(
    batch: int, channels: int, length: int, frames: int, height: int, width: int, cell: int
) -> dict[str, torch.Tensor]:
    """Zeros [B, C, T, h, w]; the first frame has a cell of its own, `frames` share each other."""
    cells = (length - 1) // frames + 1, height // cell, width // cell
    return {"samples": torch.zeros(batch, channels, *cells)}


@node("EmptyMochiLatentVideo", category=VIDEO)
def empty_mochi_latent_video(
    width: Side16 = 848,
    height: Side16 = 480,
    length: Annotated[int, Range(7, 16384, step=6)] = 25,
    batch_size: Batch = 1,
) -> Latent:
    """Create an empty latent of 12 channels, for Mochi; sides in pixels."""
    return _empty(batch_size, 12, length, 6, height, width, 8)


@node("EmptyLTXVLatentVideo", category="latent/video/ltxv")
def empty_ltxv_latent_video(
    width: Side32 = 768,
    height: Side32 = 512,
    length: Annotated[int, Range(1, 16384, step=8)] = 97,
    batch_size: Batch = 1,
) -> Latent:
    """Create an empty latent of 128 channels, for LTX-Video; sides in pixels."""
    return _empty(batch_size, 128, length, 8, height, width, 32)


@node("EmptyCosmosLatentVideo", category=VIDEO)
def empty_cosmos_latent_video(
    width: Side16 = 1280,
    height: Side16 = 704,
    length: Annotated[int, Range(1, 16384, step=8)] = 121,
    batch_size: Batch = 1,
) -> Latent:
    """Create an empty latent of 16 channels, for Cosmos; sides in pixels."""
    return _empty(batch_size, 16, length, 8, height, width, 8)


@node("EmptyChromaRadianceLatentImage", category="latent/chroma_radiance")
def empty_chroma_radiance_latent_image(
    width: Side16 = 1024, height: Side16 = 1024, batch_size: Batch = 1
) -> Latent:
    """Create an empty image of three channels, for models that work on pixels."""
    return {"samples": torch.zeros(batch_size, 3, height, width)}


class Stages(NamedTuple):
    """Latents of both stages."""

    stage_c: Latent
    stage_b: Latent


@node("StableCascade_EmptyLatentImage", category="latent/stable_cascade")
def stable_cascade_empty_latent_image(
    width: Annotated[int, Range(256, 16384, step=8)] = 1024,
    height: Annotated[int, Range(256, 16384, step=8)] = 1024,
    compression: Annotated[int, Range(4, 128, step=1)] = 42,
    batch_size: Batch = 1,
) -> Stages:
    """Create the empty latents of Stable Cascade's stages C and B; sides in pixels."""
    size = height // compression, width // compression
    return Stages(
        {"samples": torch.zeros(batch_size, 16, *size)},
        {"samples": torch.zeros(batch_size, 4, height // 4, width // 4)},
    )


@node("TrimVideoLatent", category=VIDEO)
def trim_video_latent(samples: Latent, trim_amount: Annotated[int, Range(0, 99999)] = 0) -> Latent:
    """Leave out so many latent frames at the beginning."""
    frames = _frames(samples)
    if trim_amount >= frames:
        raise NodeError(f"the latent has {frames} frames; {trim_amount} cannot be left out")
    found = dict(samples)
    found["samples"] = samples["samples"][:, :, trim_amount:]
    mask = samples.get("noise_mask")
    if mask is not None and mask.ndim == 5 and mask.shape[2] == frames:
        found["noise_mask"] = mask[:, :, trim_amount:]
    return found


def _frames(latent: Latent) -> int:
    samples = latent["samples"]
    if samples.ndim != 5:
        raise NodeError(
            f"this latent is of pictures, {list(samples.shape)}; the node takes one of a video "
            "(batch, channels, frames, height, width)"
        )
    return samples.shape[2]


@node("NormalizeVideoLatentStart", category="conditioning/video_models", output_names=("latent",))
def normalize_video_latent_start(
    latent: Latent,
    start_frame_count: Annotated[int, Range(1, 16384, step=1)] = 4,
    reference_frame_count: Annotated[int, Range(1, 16384, step=1)] = 5,
) -> Latent:
    """Give the first latent frames the mean and the deviation that those after them have.

    For each channel, as Kandinsky 5 does it.
    """
    frames = _frames(latent)
    if frames <= 1:
        return latent
    samples = latent["samples"]
    start, after = samples[:, :, :start_frame_count], samples[:, :, start_frame_count:]
    reference = after[:, :, : min(reference_frame_count, frames - 1)]
    if reference.shape[2] == 0:
        return latent
    dims = (2, 3, 4)
    own, wanted = (
        (each.mean(dims, keepdim=True), each.std(dims, keepdim=True)) for each in (start, reference)
    )
    changed = (start - own[0]) / own[1].clamp(min=1e-8) * wanted[1] + wanted[0]
    return {**latent, "samples": torch.cat((changed, after), dim=2)}


class LatentSize(NamedTuple):
    """The size of a latent in cells."""

    width: int
    height: int
    frames: int
    batch_size: int


@node("GetLatentSize", category="latent", display="Get Latent Size")
def get_latent_size(latent: Latent) -> LatentSize:
    """How many cells a latent is wide and high, its frames (1 for pictures) and its batch."""
    samples = latent["samples"]
    frames = samples.shape[2] if samples.ndim == 5 else 1
    return LatentSize(samples.shape[-1], samples.shape[-2], frames, samples.shape[0])
