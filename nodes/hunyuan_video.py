"""Nodes for HunyuanVideo: a video that begins with a picture."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch

from engine.errors import NodeError
from engine.families.hunyuan_video.family import GUIDING_FRAME, LATENT
from engine.families.picture_channels import MASK, PICTURE
from engine.inference.vae import encode
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.conditioning import with_values
from nodes.image_scaling import scale
from nodes.sockets import Conditioning, Image, Latent, Vae

BESIDE, REPLACED, OWN = "v1 (concat)", "v2 (replace)", "custom"
Side = Annotated[int, Range(16, 16384, step=16)]


class Prepared(NamedTuple):
    """The conditioning with the picture, and the latent to start from."""

    positive: Conditioning
    latent: Latent


@node("HunyuanImageToVideo", category="conditioning/video_models")
def hunyuan_image_to_video(
    *,
    positive: Conditioning,
    vae: Vae,
    width: Side = 848,
    height: Side = 480,
    length: Annotated[int, Range(1, 16384, step=4)] = 53,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
    guidance_type: Annotated[str, Choice(BESIDE, REPLACED, OWN)],
    start_image: Image | None = None,
    ctx: Context,
) -> Prepared:
    """Give HunyuanVideo the picture, or the frames, that the video begins with.

    `v1 (concat)` is for the first release for pictures, and for SkyReels: beside the latent. `v2
    (replace)` is for the second: in the place of the first frame. `custom` only passes the
    picture's latent on, as `ref_latent`, for nodes of packs.
    """
    _, down, across = LATENT.downscale
    size = LATENT.cells(length), height // down, width // across
    samples = torch.zeros(1, LATENT.channels, *size)
    if start_image is None:
        return Prepared(positive, {"samples": samples.repeat(batch_size, 1, 1, 1, 1)})
    frames = scale(start_image[:length, ..., :3], width, height, crop="center")
    given = encode(vae, frames, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
    if given.shape[1:2] != (LATENT.channels,) or given.shape[3:] != size[1:]:
        raise NodeError(
            f"the VAE makes latents of the shape {list(given.shape)}, HunyuanVideo takes "
            f"{LATENT.channels} channels of {size[1]} x {size[2]} cells: load "
            "hunyuan_video_vae_bf16.safetensors"
        )
    mask = torch.ones(1, 1, *size)
    mask[:, :, : given.shape[2]] = 0.0
    latent = {"samples": samples.repeat(batch_size, 1, 1, 1, 1)}
    if guidance_type == BESIDE:
        return Prepared(with_values(positive, **{PICTURE: given, MASK: mask}), latent)
    if guidance_type == OWN:
        return Prepared(with_values(positive, ref_latent=given), latent)
    latent["samples"][:, :, : given.shape[2]] = given
    latent["noise_mask"] = mask.repeat(batch_size, 1, 1, 1, 1)
    return Prepared(with_values(positive, **{GUIDING_FRAME: 0}), latent)
