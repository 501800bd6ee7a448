"""Nodes that open weights files. They read names and shapes; tensors are loaded at first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch

from engine.files import VAE_CHOICES, file_identity
from engine.inference.load import (
    load_checkpoint,
    load_denoiser,
    load_tiny_vae,
    load_vae,
    pixel_space_vae,
    remark,
)
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice
from engine.tiny_names import TINY_AUTOENCODERS
from nodes.sockets import Clip, Model, Vae

PIXEL_SPACE = "pixel_space"


@node("CheckpointLoaderSimple", category="loaders", display="Load Checkpoint")
def load_checkpoint_file(
    ckpt_name: Annotated[str, FileChoice("checkpoints")], ctx: Context
) -> tuple[Model, Clip, Vae]:
    """Load the three parts of a checkpoint: the diffusion model, text encoder and autoencoder."""
    model, clip, vae = load_checkpoint(ctx.files.find("checkpoints", ckpt_name))
    _show(model, ctx)
    return model, clip, vae


@load_checkpoint_file.fingerprint
def _(ckpt_name: str | None, ctx: Context) -> object:
    return ckpt_name and file_identity(ctx.files.find("checkpoints", ckpt_name))


@node("VAELoader", category="loaders", display="Load VAE")
def load_vae_file(
    vae_name: Annotated[str, FileChoice(VAE_CHOICES, also=(PIXEL_SPACE,))], ctx: Context
) -> Vae:
    """Load an autoencoder from a separate file; `pixel_space` is the identity.

    `taesd`, `taesdxl` and so on are tiny autoencoders whose files are in vae_approx/.
    """
    if vae_name == PIXEL_SPACE:
        return pixel_space_vae()
    if _is_tiny(vae_name, ctx):
        return load_tiny_vae(vae_name, ctx.files.tiny_autoencoder(vae_name))
    return load_vae(ctx.files.find("vae", vae_name))


@load_vae_file.fingerprint
def _(vae_name: str | None, ctx: Context) -> object:
    if not vae_name or vae_name == PIXEL_SPACE:
        return vae_name
    if _is_tiny(vae_name, ctx):
        return [file_identity(path) for path in ctx.files.tiny_autoencoder(vae_name)]
    return file_identity(ctx.files.find("vae", vae_name))


def _is_tiny(name: str, ctx: Context) -> bool:
    """Whether a choice is a tiny autoencoder; a file of that very name in vae/ comes first."""
    return name in TINY_AUTOENCODERS and not ctx.files.has("vae", name)


STORAGE: Mapping[str, torch.dtype | None] = {
    "default": None,
    "fp8_e4m3fn": torch.float8_e4m3fn,
    "fp8_e4m3fn_fast": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
}


@node("UNETLoader", category="advanced/loaders", display="Load Diffusion Model")
def load_diffusion_model(
    *,
    unet_name: Annotated[str, FileChoice("diffusion_models")],
    weight_dtype: Annotated[str, Choice(*STORAGE)],
    ctx: Context,
) -> Model:
    """Load a diffusion model from a separate file.

    `weight_dtype` rounds the weights to 8 bits, which takes half of the memory of 16; the
    computing dtype does not change. `fp8_e4m3fn_fast` is the same as `fp8_e4m3fn`.
    """
    path = ctx.files.find("diffusion_models", unet_name)
    model = load_denoiser(path, storage=STORAGE[weight_dtype])
    _show(model, ctx)
    return model


def _show(model: Model, ctx: Context) -> None:
    """Say below the node whose network the model is, if it is not ours."""
    said = remark(model)
    if said:
        ctx.show(text=[said])


@load_diffusion_model.fingerprint
def _(unet_name: str | None, ctx: Context) -> object:
    return unet_name and file_identity(ctx.files.find("diffusion_models", unet_name))
