"""Nodes that load image encoders and encode pictures with them."""

from __future__ import annotations

from typing import Annotated

from engine.families.sd2.unclip import PICTURES
from engine.files import file_identity
from engine.inference.vision import encode_pictures, load_image_encoder, load_with_image_encoder
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice, Range
from nodes.sockets import Clip, ClipVision, ClipVisionOutput, Conditioning, Image, Model, Vae

FOLDER = "clip_vision"
CHECKPOINTS = "checkpoints"


@node("CLIPVisionLoader", category="loaders", display="Load CLIP Vision")
def load_clip_vision(clip_name: Annotated[str, FileChoice(FOLDER)], ctx: Context) -> ClipVision:
    """Load an image encoder, with which pictures take the place of a prompt."""
    return load_image_encoder(ctx.files.find(FOLDER, clip_name))


@load_clip_vision.fingerprint
def _(clip_name: str | None, ctx: Context) -> object:
    return clip_name and file_identity(ctx.files.find(FOLDER, clip_name))


@node("CLIPVisionEncode", category="conditioning", display="CLIP Vision Encode")
def clip_vision_encode(
    *,
    clip_vision: ClipVision,
    image: Image,
    crop: Annotated[str, Choice("center", "none")],
    ctx: Context,
) -> ClipVisionOutput:
    """Encode pictures with an image encoder, which reads squares.

    `center` crops the middle of a picture, `none` distorts the whole picture to a square.
    """
    return encode_pictures(clip_vision, image, crop=crop == "center", checkpoint=ctx.checkpoint)


@node("unCLIPCheckpointLoader", category="loaders")
def load_unclip_checkpoint(
    ckpt_name: Annotated[str, FileChoice(CHECKPOINTS)], ctx: Context
) -> tuple[Model, Clip, Vae, ClipVision]:
    """Load the parts of a checkpoint, among them the image encoder of an unCLIP model."""
    return load_with_image_encoder(ctx.files.find(CHECKPOINTS, ckpt_name))


@load_unclip_checkpoint.fingerprint
def _(ckpt_name: str | None, ctx: Context) -> object:
    return ckpt_name and file_identity(ctx.files.find(CHECKPOINTS, ckpt_name))


@node(
    "ImageOnlyCheckpointLoader",
    category="loaders/video_models",
    display="Image Only Checkpoint Loader (img2vid model)",
)
def load_image_only_checkpoint(
    ckpt_name: Annotated[str, FileChoice(CHECKPOINTS)], ctx: Context
) -> tuple[Model, ClipVision, Vae]:
    """Load the parts of a checkpoint that takes a picture and no text."""
    model, _, vae, vision = load_with_image_encoder(ctx.files.find(CHECKPOINTS, ckpt_name))
    return model, vision, vae


@load_image_only_checkpoint.fingerprint
def _(ckpt_name: str | None, ctx: Context) -> object:
    return ckpt_name and file_identity(ctx.files.find(CHECKPOINTS, ckpt_name))


@node("unCLIPConditioning", category="conditioning")
def unclip_conditioning(
    conditioning: Conditioning,
    clip_vision_output: ClipVisionOutput,
    strength: Annotated[float, Range(-10.0, 10.0, step=0.01)] = 1.0,
    noise_augmentation: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.0,
) -> Conditioning:
    """Add an encoded picture to a prompt for an unCLIP model; more of them are merged.

    `noise_augmentation` lets the result be less like the picture; strength 0 has no effect.
    """
    if strength == 0:
        return conditioning
    picture = {
        "clip_vision_output": clip_vision_output,
        "strength": strength,
        "noise_augmentation": noise_augmentation,
    }
    return [
        [tokens, {**known, PICTURES: [*known.get(PICTURES, ()), picture]}]
        for tokens, known in conditioning
    ]
