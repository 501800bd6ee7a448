"""Nodes for HunyuanVideo 1.5: an empty video, and one that begins with a picture."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.families.hunyuan_video.glyphs.video import LATENT, SEEN
from engine.families.picture_channels import MASK, PICTURE
from engine.inference.vae import encode
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.conditioning import with_values
from nodes.image_scaling import scale
from nodes.sockets import ClipVisionOutput, Conditioning, Image, Latent, Vae

Side = Annotated[int, Range(16, 16384, step=16)]
Count = Annotated[int, Range(1, 4096)]


class Prepared(NamedTuple):
    """Both conditionings with the given picture, and the empty latent to start from."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("EmptyHunyuanVideo15Latent", category="latent/video", display="Empty HunyuanVideo 1.5 Latent")
def empty_hunyuan_video15_latent(
    width: Side = 848,
    height: Side = 480,
    length: Annotated[int, Range(1, 16384, step=4)] = 25,
    batch_size: Count = 1,
) -> Latent:
    """Create an empty latent of a video for HunyuanVideo 1.5.

    Sides in pixels, the length in frames.
    """
    _, down, across = LATENT.downscale
    size = LATENT.cells(length), height // down, width // across
    return {"samples": torch.zeros(batch_size, LATENT.channels, *size)}


@node("HunyuanVideo15ImageToVideo", category="conditioning/video_models")
def hunyuan_video15_image_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 848,
    height: Side = 480,
    length: Annotated[int, Range(1, 16384, step=4)] = 33,
    batch_size: Count = 1,
    start_image: Image | None = None,
    clip_vision_output: ClipVisionOutput | None = None,
    *,
    ctx: Context,
) -> Prepared:
    """Give HunyuanVideo 1.5 the picture, or the frames, that the video begins with.

    What SigLIP sees in the picture is given, too: CLIPVisionEncode with
    sigclip_vision_patch14_384.
    """
    latent = empty_hunyuan_video15_latent(width, height, length, batch_size)
    given: dict[str, Any] = {}
    if start_image is not None:
        frames = scale(start_image[:length, ..., :3], width, height, crop="center")
        given = beginning(vae, frames, latent["samples"], ctx)
    if clip_vision_output is not None:
        given[SEEN] = clip_vision_output
    if not given:
        return Prepared(positive, negative, latent)
    return Prepared(with_values(positive, **given), with_values(negative, **given), latent)


def beginning(vae: Vae, frames: Tensor, samples: Tensor, ctx: Context) -> dict[str, Any]:
    """The values of a conditioning entry for a video that begins with frames.

    Args:
        vae: HunyuanVideo 1.5's.
        frames: [N, H, W, 3] of the video's size.
        samples: a latent of the whole video.
        ctx: of the node.

    Raises:
        NodeError: the autoencoder is that of another model.
    """
    found = encode(vae, frames, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
    size = tuple(samples.shape[2:])
    if found.shape[1:2] != (LATENT.channels,) or found.shape[3:] != size[1:]:
        raise NodeError(
            f"the VAE makes latents of the shape {list(found.shape)}, HunyuanVideo 1.5 takes "
            f"{LATENT.channels} channels of {size[1]} x {size[2]} cells: load "
            "hunyuanvideo15_vae_fp16.safetensors"
        )
    mask = torch.ones(1, 1, *size)
    mask[:, :, : found.shape[2]] = 0.0
    return {PICTURE: found, MASK: mask}
