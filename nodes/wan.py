"""Nodes for videos of Wan: empty latents, and the frames that a video begins or ends with."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.families.bridge.wan_given import MASK_CHANNELS, SEEN
from engine.families.latent_format import LatentFormat
from engine.families.picture_channels import MASK, PICTURE
from engine.families.reference_latents import REFERENCES
from engine.families.wan22_autoencoder import LATENT as LATENT_22
from engine.families.wan_autoencoder import LATENT
from engine.inference.vae import encode
from engine.inference.vision import ClipVisionOutput as Seen
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.conditioning import with_values
from nodes.image_scaling import scale
from nodes.sockets import ClipVisionOutput, Conditioning, Image, Latent, Vae

VIDEO_MODELS = "conditioning/video_models"
GREY = 0.5
"""What frames that are not given are filled with."""
Side = Annotated[int, Range(16, 16384, step=16)]
Length = Annotated[int, Range(1, 16384, step=4)]
Count = Annotated[int, Range(1, 4096)]


class Prepared(NamedTuple):
    """Both conditionings with the given frames, and the empty latent to start from."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("EmptyHunyuanLatentVideo", category="latent/video", display="Empty HunyuanVideo 1.0 Latent")
def empty_hunyuan_latent_video(
    width: Annotated[int, Range(16, 16384, step=16)] = 848,
    height: Annotated[int, Range(16, 16384, step=16)] = 480,
    length: Length = 25,
    batch_size: Count = 1,
) -> Latent:
    """Create an empty latent of a video, for Wan 2.1, Wan 2.2 14B and HunyuanVideo.

    Sides in pixels, the length in frames.
    """
    return empty_video(width, height, length, batch_size)


@node("WanImageToVideo", category=VIDEO_MODELS)
def wan_image_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    clip_vision_output: ClipVisionOutput | None = None,
    start_image: Image | None = None,
    *,
    ctx: Context,
) -> Prepared:
    """Give Wan the picture, or the frames, that the video begins with.

    Models of Wan 2.1 also take what CLIP sees in the picture; those of 2.2 do not.
    """
    latent = empty_video(width, height, length, batch_size)
    given: dict[str, Any] = {}
    if start_image is not None:
        frames = frames_of(start_image[:length], width, height)
        video = grey(width, height, length, frames)
        video[: len(frames)] = frames
        mask = torch.ones(1, 1, *latent["samples"].shape[2:])
        mask[:, :, : LATENT.cells(len(frames))] = 0.0
        given = {PICTURE: encoded(vae, video, ctx), MASK: mask}
    return prepared(positive, negative, given, clip_vision_output, latent)


@node("WanFirstLastFrameToVideo", category=VIDEO_MODELS)
def wan_first_last_frame_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    clip_vision_start_image: ClipVisionOutput | None = None,
    clip_vision_end_image: ClipVisionOutput | None = None,
    start_image: Image | None = None,
    end_image: Image | None = None,
    *,
    ctx: Context,
) -> Prepared:
    """Give Wan the frames that the video begins with, and those that it ends with.

    The model trained for it (FLF2V) also takes what CLIP sees in both.
    """
    latent = empty_video(width, height, length, batch_size, format_of(vae))
    cells, rows, columns = latent["samples"].shape[2:]
    seen = [each for each in (clip_vision_start_image, clip_vision_end_image) if each is not None]
    given: dict[str, Any] = {}
    if start_image is not None or end_image is not None:
        some = start_image if start_image is not None else end_image
        video = grey(width, height, length, some)
        # The first cell is one frame, which counts four times.
        mask = torch.ones(1, 1, cells * MASK_CHANNELS, rows, columns)
        if start_image is not None:
            frames = frames_of(start_image[:length], width, height)
            video[: len(frames)] = frames
            mask[:, :, : len(frames) + MASK_CHANNELS - 1] = 0.0
        if end_image is not None:
            frames = frames_of(end_image[-length:], width, height)
            video[-len(frames) :] = frames
            mask[:, :, -len(frames) :] = 0.0
        of_cells = mask.unflatten(2, (cells, MASK_CHANNELS)).squeeze(1).transpose(1, 2)
        given = {PICTURE: encoded(vae, video, ctx), MASK: of_cells}
    return prepared(positive, negative, given, _side_by_side(seen), latent)


@node("WanFunInpaintToVideo", category=VIDEO_MODELS)
def wan_fun_inpaint_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    clip_vision_output: ClipVisionOutput | None = None,
    start_image: Image | None = None,
    end_image: Image | None = None,
    *,
    ctx: Context,
) -> Prepared:
    """Give Wan Fun InP the frames that the video begins with, and those that it ends with."""
    return wan_first_last_frame_to_video(
        positive,
        negative,
        vae,
        width,
        height,
        length,
        batch_size,
        clip_vision_output,
        start_image=start_image,
        end_image=end_image,
        ctx=ctx,
    )


@node("WanFunControlToVideo", category=VIDEO_MODELS)
def wan_fun_control_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    clip_vision_output: ClipVisionOutput | None = None,
    start_image: Image | None = None,
    control_video: Image | None = None,
    *,
    ctx: Context,
) -> Prepared:
    """Give Wan Fun Control a video to follow (edges, depth, poses), and how its own begins."""
    beside, latent = _control(vae, width, height, length, batch_size)
    for first, images in ((0, control_video), (beside.shape[1] // 2, start_image)):
        if images is not None:
            given = encoded(vae, frames_of(images[:length], width, height), ctx)
            beside[:, first : first + given.shape[1], : given.shape[2]] = given
    return prepared(positive, negative, {PICTURE: beside}, clip_vision_output, latent)


@node("Wan22FunControlToVideo", category=VIDEO_MODELS)
def wan22_fun_control_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    ref_image: Image | None = None,
    control_video: Image | None = None,
    *,
    ctx: Context,
) -> Prepared:
    """Give Wan 2.2 Fun Control a video to follow (edges, depth, poses), and a picture to refer to.

    The 5B model takes the VAE of Wan 2.2, those of 14B that of Wan 2.1.
    """
    beside, latent = _control(vae, width, height, length, batch_size)
    if control_video is not None:
        given = encoded(vae, frames_of(control_video[:length], width, height), ctx)
        beside[:, : given.shape[1], : given.shape[2]] = given
    values: dict[str, Any] = {PICTURE: beside}
    if ref_image is not None:
        values[REFERENCES] = [encoded(vae, frames_of(ref_image[:1], width, height), ctx)]
    return prepared(positive, negative, values, None, latent)


def _control(
    vae: Vae, width: int, height: int, length: int, batch: int
) -> tuple[Tensor, dict[str, Any]]:
    """Twice the channels of an empty latent with nothing given, and the empty latent.

    Where nothing is given, the latents are zero in the denoiser's space.
    """
    scaling = format_of(vae)
    latent = empty_video(width, height, length, batch, scaling)
    nothing = scaling.out(torch.zeros(1, *latent["samples"].shape[1:]))
    return torch.cat((nothing, nothing), dim=1), latent


@node("Wan22ImageToVideoLatent", category="conditioning/inpaint")
def wan22_image_to_video_latent(
    vae: Vae,
    width: Annotated[int, Range(32, 16384, step=32)] = 1280,
    height: Annotated[int, Range(32, 16384, step=32)] = 704,
    length: Length = 49,
    batch_size: Count = 1,
    start_image: Image | None = None,
    *,
    ctx: Context,
) -> Latent:
    """Create an empty latent for Wan 2.2 5B, with the picture, or the frames, that it begins with.

    They are kept by a noise mask.
    """
    _, down, across = LATENT_22.downscale
    size = (LATENT_22.cells(length), height // down, width // across)
    empty = torch.zeros(1, LATENT_22.channels, *size)
    if start_image is None:
        return {"samples": empty.repeat(batch_size, 1, 1, 1, 1)}
    given = encoded(vae, frames_of(start_image[:length], width, height), ctx)
    if given.shape[1:2] != empty.shape[1:2]:
        raise NodeError(
            f"the VAE makes latents of {given.shape[1]} channels, Wan 2.2 5B takes "
            f"{LATENT_22.channels}: load wan2.2_vae.safetensors. For the models of 14B use "
            "WanImageToVideo with wan_2.1_vae.safetensors"
        )
    # Where nothing is given, the latent is zero in the denoiser's space.
    samples, mask = LATENT_22.out(empty), torch.ones(1, 1, *size)
    samples[:, :, : given.shape[2]] = given
    mask[:, :, : given.shape[2]] = 0.0
    return {
        "samples": samples.repeat(batch_size, 1, 1, 1, 1),
        "noise_mask": mask.repeat(batch_size, 1, 1, 1, 1),
    }


def prepared(
    positive: Conditioning,
    negative: Conditioning,
    given: dict[str, Any],
    seen: Any,
    latent: dict[str, Any],
) -> Prepared:
    """Both conditionings with these values and what CLIP sees, if anything."""
    if seen is not None:
        given = {**given, SEEN: seen}
    if given:
        positive, negative = (with_values(each, **given) for each in (positive, negative))
    return Prepared(positive, negative, latent)


def _side_by_side(seen: list[Any]) -> Any:
    """What CLIP sees in several pictures, as the tokens of one; None of none."""
    if len(seen) < 2:
        return seen[0] if seen else None
    parts = ("last_hidden_state", "image_embeds", "penultimate_hidden_states")
    last, embeds, penultimate = ([getattr(each, part) for each in seen] for part in parts)
    return Seen(torch.cat(last, 1), torch.cat(embeds), torch.cat(penultimate, 1))


def empty_video(
    width: int, height: int, length: int, batch: int, latent: LatentFormat = LATENT
) -> dict[str, Any]:
    """An empty latent of one of Wan's autoencoders: sides in pixels, the length in frames."""
    _, down, across = latent.downscale
    shape = (latent.cells(length), height // down, width // across)
    return {"samples": torch.zeros(batch, latent.channels, *shape)}


def format_of(vae: Vae) -> LatentFormat:
    """The scaling of the denoiser that an autoencoder belongs to: that of Wan 2.2 5B, or 2.1's."""
    return LATENT_22 if vae.latent.channels == LATENT_22.channels else LATENT


def frames_of(images: Tensor, width: int, height: int) -> Tensor:
    """Pictures [N, H, W, 3] at that size, cut to its proportions."""
    return scale(images[..., :3], width, height, crop="center")


def grey(width: int, height: int, length: int, like: Tensor | None) -> Tensor:
    """The frames of a video [length, H, W, 3] of which none is given."""
    dtype = torch.float32 if like is None else like.dtype
    return torch.full((length, height, width, 3), GREY, dtype=dtype)


def encoded(vae: Vae, video: Tensor, ctx: Context) -> Tensor:
    """The latent [1, C, t, h, w] of a video [N, H, W, 3]."""
    return encode(vae, video, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
