"""Nodes that condition a model on one picture alone: for a video of it, or other views of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from engine.diffusion.frame_guidance import peaking_over_frames, rising_over_frames
from engine.families.picture_channels import PICTURE
from engine.families.svd.family import AUGMENTATION, AZIMUTH, ELEVATION, FPS, MOTION
from engine.inference.vae import encode
from engine.inference.vision import encode_pictures
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.image_scaling import scale
from nodes.sockets import ClipVision, Conditioning, Image, Latent, Model, Vae

VIEWS = "conditioning/3d_models"
LATENT_CHANNELS, CELL = 4, 8
Side = Annotated[int, Range(16, 16384, step=8)]
Count = Annotated[int, Range(1, 4096)]
Angle = Annotated[float, Range(-180.0, 180.0, step=0.1, round=False)]
Least = Annotated[float, Range(0.0, 100.0, step=0.5, round=0.01)]
STANDING_UPRIGHT = math.pi / 2
"""The angle from the vertical to the camera of the given picture, which is taken as level."""


class Prepared(NamedTuple):
    """Both conditionings with the picture, and the empty latent to start from."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node(
    "SVD_img2vid_Conditioning",
    category="conditioning/video_models",
)
def svd_img2vid_conditioning(
    clip_vision: ClipVision,
    init_image: Image,
    vae: Vae,
    width: Side = 1024,
    height: Side = 576,
    video_frames: Count = 14,
    motion_bucket_id: Annotated[int, Range(1, 1023)] = 127,
    fps: Annotated[int, Range(1, 1024)] = 6,
    augmentation_level: Annotated[float, Range(0.0, 10.0, step=0.01)] = 0.0,
    *,
    ctx: Context,
) -> Prepared:
    """Give Stable Video Diffusion the picture that begins the video, and how much moves in it.

    Noise on the picture (`augmentation_level`) lets the video differ more from it.
    """
    seen = _seen(clip_vision, init_image, ctx)
    pixels = scale(init_image[..., :3], width, height, crop="center")
    if augmentation_level > 0:
        noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
        pixels = pixels + noise * augmentation_level
    picture = encode(vae, pixels, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
    given: dict[str, Any] = {
        MOTION: motion_bucket_id,
        FPS: fps,
        AUGMENTATION: augmentation_level,
    }
    return _prepared(seen, picture, given, _empty(video_frames, width, height))


@node("SV3D_Conditioning", category=VIEWS)
def sv3d_conditioning(
    clip_vision: ClipVision,
    init_image: Image,
    vae: Vae,
    width: Side = 576,
    height: Side = 576,
    video_frames: Count = 21,
    elevation: Annotated[float, Range(-90.0, 90.0, step=0.1, round=False)] = 0.0,
    *,
    ctx: Context,
) -> Prepared:
    """Give SV3D the picture of an object; the frames go once around it, ending at the picture."""
    seen = _seen(clip_vision, init_image, ctx)
    picture = _encoded(vae, init_image, width, height, ctx)
    step = 360 / (max(video_frames, 2) - 1)
    given = {
        ELEVATION: [elevation] * video_frames,
        AZIMUTH: [step * number for number in range(video_frames)],
    }
    return _prepared(seen, picture, given, _empty(video_frames, width, height))


@node("StableZero123_Conditioning", category=VIEWS)
def stable_zero123_conditioning(
    clip_vision: ClipVision,
    init_image: Image,
    vae: Vae,
    width: Side = 256,
    height: Side = 256,
    batch_size: Count = 1,
    elevation: Angle = 0.0,
    azimuth: Angle = 0.0,
    *,
    ctx: Context,
) -> Prepared:
    """Give Stable Zero123 the picture of an object, and from where to look at it, in degrees."""
    seen = _seen(clip_vision, init_image, ctx)
    picture = _encoded(vae, init_image, width, height, ctx)
    camera = _camera(elevation, azimuth)
    latent = _empty(batch_size, width, height)
    return _viewed(seen, camera, picture, latent)


@node("StableZero123_Conditioning_Batched", category=VIEWS)
def stable_zero123_conditioning_batched(
    clip_vision: ClipVision,
    init_image: Image,
    vae: Vae,
    width: Side = 256,
    height: Side = 256,
    batch_size: Count = 1,
    elevation: Angle = 0.0,
    azimuth: Angle = 0.0,
    elevation_batch_increment: Angle = 0.0,
    azimuth_batch_increment: Angle = 0.0,
    *,
    ctx: Context,
) -> Prepared:
    """The same with a view for each row of the batch; all rows begin with the same noise."""
    seen = _seen(clip_vision, init_image, ctx)
    picture = _encoded(vae, init_image, width, height, ctx)
    cameras = [
        _camera(
            elevation + elevation_batch_increment * row, azimuth + azimuth_batch_increment * row
        )
        for row in range(batch_size)
    ]
    latent = _empty(batch_size, width, height)
    latent["batch_index"] = [0] * batch_size
    return _viewed(seen, torch.cat(cameras), picture, latent)


def _seen(clip_vision: ClipVision, image: Tensor, ctx: Context) -> Tensor:
    """The vectors of pictures as tokens [1, B, P]."""
    found = encode_pictures(clip_vision, image, crop=True, checkpoint=ctx.checkpoint)
    return found.image_embeds[None]


def _encoded(vae: Vae, image: Tensor, width: int, height: int, ctx: Context) -> Tensor:
    pixels = scale(image[..., :3], width, height, crop="center")
    return encode(vae, pixels, checkpoint=ctx.checkpoint, on_tile=ctx.progress)


def _empty(rows: int, width: int, height: int) -> Latent:
    return {"samples": torch.zeros(rows, LATENT_CHANNELS, height // CELL, width // CELL)}


def _camera(elevation: float, azimuth: float) -> Tensor:
    """[1, 1, 4]: the change of the camera that Zero123 is given; angles in degrees.

    Down by the elevation, the azimuth as sine and cosine, and the angle of the given picture's
    camera from the vertical.
    """
    around = math.radians(azimuth)
    return torch.tensor(
        [[[-math.radians(elevation), math.sin(around), math.cos(around), STANDING_UPRIGHT]]]
    )


def _viewed(seen: Tensor, cameras: Tensor, picture: Tensor, latent: Latent) -> Prepared:
    """The conditioning for views [B, 1, 4]; the negative has no camera."""
    views = torch.cat(
        (
            seen.expand(len(cameras), -1, -1),
            cameras.expand(-1, seen.shape[1], -1),
        ),
        dim=-1,
    )
    return Prepared(
        [[views, {PICTURE: picture}]],
        [[torch.zeros_like(seen), {PICTURE: torch.zeros_like(picture)}]],
        latent,
    )


def _prepared(seen: Tensor, picture: Tensor, given: dict[str, Any], latent: Latent) -> Prepared:
    """The conditioning on a picture, and the negative on none."""
    return Prepared(
        [[seen, {**given, PICTURE: picture}]],
        [[torch.zeros_like(seen), {**given, PICTURE: torch.zeros_like(picture)}]],
        latent,
    )


@node("VideoLinearCFGGuidance", category="sampling/video_models")
def video_linear_cfg_guidance(model: Model, min_cfg: Least = 1.0) -> Model:
    """Guide the first frame of a video by `min_cfg`, and later ones more, up to the run's cfg."""
    return replace(model, guidance=replace(model.guidance, combine=rising_over_frames(min_cfg)))


@node("VideoTriangleCFGGuidance", category="sampling/video_models")
def video_triangle_cfg_guidance(model: Model, min_cfg: Least = 1.0) -> Model:
    """Guide the middle frame by the run's cfg, and frames towards both ends less."""
    return replace(model, guidance=replace(model.guidance, combine=peaking_over_frames(min_cfg)))
