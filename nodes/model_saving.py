"""Nodes that save models and parts of them, with the workflow that made them in the header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from engine.inference.extraction import lora_tensors
from engine.inference.saving import (
    checkpoint_tensors,
    encoder_tensors,
    file_metadata,
    image_encoder_in_checkpoint,
    tensors_of,
)
from engine.media.metadata import metadata_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range, Text
from engine.weights.write import ToWrite, write
from nodes.merging import CATEGORY
from nodes.sockets import Clip, ClipVision, Model, Vae

HIDDEN = ("PROMPT", "EXTRA_PNGINFO")
Prefix = Annotated[str, Text(multiline=None)]


@node("CheckpointSave", category=CATEGORY, display="Save Checkpoint", output=True, hidden=HIDDEN)
def save_checkpoint(
    model: Model,
    clip: Clip,
    vae: Vae,
    ctx: Context,
    filename_prefix: Prefix = "checkpoints/ComfyUI",
) -> None:
    """Save a model with its text encoder and autoencoder as one checkpoint, LoRAs included.

    The file is in the original layout and in the precision of the source files.
    """
    tensors = checkpoint_tensors(model, clip, vae)
    save_file(ctx, filename_prefix, tensors, file_metadata(model, filename_prefix))


@node("ImageOnlyCheckpointSave", category=CATEGORY, output=True, hidden=HIDDEN)
def save_image_only_checkpoint(
    model: Model,
    clip_vision: ClipVision,
    vae: Vae,
    ctx: Context,
    filename_prefix: Prefix = "checkpoints/ComfyUI",
) -> None:
    """Save a model with its image encoder and autoencoder as one checkpoint, LoRAs included.

    Image Only Checkpoint Loader reads it. The image encoder is stored as Stable Video Diffusion
    has it.
    """
    tensors = checkpoint_tensors(model, None, vae) | image_encoder_in_checkpoint(clip_vision)
    save_file(ctx, filename_prefix, tensors, file_metadata(model, filename_prefix))


@node("ModelSave", category=CATEGORY, output=True, hidden=HIDDEN)
def save_model(
    model: Model, ctx: Context, filename_prefix: Prefix = "diffusion_models/ComfyUI"
) -> None:
    """Save a model alone, LoRAs included, for Load Diffusion Model."""
    tensors = checkpoint_tensors(model, None, None)
    save_file(ctx, filename_prefix, tensors, file_metadata(model, filename_prefix))


@node("CLIPSave", category=CATEGORY, output=True, hidden=HIDDEN)
def save_clip(clip: Clip, ctx: Context, filename_prefix: Prefix = "clip/ComfyUI") -> None:
    """Save text encoders, LoRAs included, each to a separate file, for Load CLIP."""
    for name, part in clip.parts.items():
        if not part.weights.is_missing:
            prefix = f"{filename_prefix}_{name}"
            save_file(ctx, prefix, encoder_tensors(part), file_metadata(None, prefix))


@node("VAESave", category=CATEGORY, output=True, hidden=HIDDEN)
def save_vae(vae: Vae, ctx: Context, filename_prefix: Prefix = "vae/ComfyUI_vae") -> None:
    """Save an autoencoder to a separate file, for Load VAE."""
    metadata = file_metadata(None, filename_prefix)
    save_file(ctx, filename_prefix, tensors_of(vae.autoencoder), metadata)


@node(
    "LoraSave",
    category="_for_testing",
    display="Extract and Save Lora",
    output=True,
    hidden=HIDDEN,
    experimental=True,
)
def save_lora(
    *,
    ctx: Context,
    filename_prefix: Annotated[str, Text()] = "loras/ComfyUI_extracted_lora",
    rank: Annotated[int, Range(1, 4096, step=1)] = 8,
    lora_type: Annotated[str, Choice("standard", "full_diff")],
    bias_diff: bool = True,
    model_diff: Model | None = None,
    text_encoder_diff: Clip | None = None,
) -> None:
    """Make a LoRA from a difference, such as that of ModelMergeSubtract, and save it.

    `full_diff` stores whole differences: as exact as the models, and as large.
    """
    tensors = lora_tensors(
        model_diff, text_encoder_diff, rank=rank, full=lora_type == "full_diff", biases=bias_diff
    )
    save_file(ctx, filename_prefix, tensors, file_metadata(None, filename_prefix))


def save_file(
    ctx: Context, prefix: str, tensors: Mapping[str, ToWrite], metadata: Mapping[str, str]
) -> None:
    """Stream tensors into the next free file of the output folder, with the workflow."""
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    new = ctx.files.new_output(prefix, ".safetensors")
    ctx.files.fill(
        new,
        lambda stream: write(stream, tensors, {**metadata, **texts}, on_tensor=ctx.progress),
    )
    ctx.show(text=["/".join(part for part in (new.subfolder, new.path.name) if part)])
