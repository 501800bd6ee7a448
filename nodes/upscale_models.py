"""Upscaling with a neural network."""

from __future__ import annotations

from typing import Annotated

from engine.files import file_identity
from engine.inference.upscale import load_upscale_model, upscale
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice
from nodes.sockets import Image, UpscaleModel

FOLDER = "upscale_models"


@node("UpscaleModelLoader", category="loaders", display="Load Upscale Model")
def load_upscale_model_file(
    model_name: Annotated[str, FileChoice(FOLDER)], ctx: Context
) -> UpscaleModel:
    """Load a network that enlarges pictures."""
    return load_upscale_model(ctx.files.find(FOLDER, model_name))


@load_upscale_model_file.fingerprint
def _(model_name: str | None, ctx: Context) -> object:
    return model_name and file_identity(ctx.files.find(FOLDER, model_name))


@node("ImageUpscaleWithModel", category="image/upscaling", display="Upscale Image (using Model)")
def image_upscale_with_model(upscale_model: UpscaleModel, image: Image, ctx: Context) -> Image:
    """Enlarge images by the factor of the model, in tiles if memory requires it."""
    return upscale(upscale_model, image, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
