"""Nodes for networks that change a model's tokens: control networks of Z-Image, Qwen-Image."""

from __future__ import annotations

from typing import Annotated

from engine.errors import NodeError
from engine.families.qwen_image.blockwise import BlockwiseConfig
from engine.files import file_identity
from engine.inference.blockwise_control import Shown, blockwise
from engine.inference.file_handles import handle_of
from engine.inference.model_patches import ControlPictures, controlled, load_model_patch
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Range
from nodes.sockets import Image, Mask, Model, ModelPatch, Vae

FOLDER = "model_patches"
Strength = Annotated[float, Range(-10.0, 10.0, step=0.01)]


@node(
    "ModelPatchLoader",
    category="advanced/loaders",
    display="ModelPatchLoader",
    experimental=True,
)
def model_patch_loader(name: Annotated[str, FileChoice(FOLDER)], ctx: Context) -> ModelPatch:
    """Load a network that changes a model's tokens: a control network of Z-Image or Qwen-Image."""
    return handle_of(ctx.files.find(FOLDER, name), load_model_patch)


@model_patch_loader.fingerprint
def _(name: str | None, ctx: Context) -> object:
    return name and file_identity(ctx.files.find(FOLDER, name))


@node(
    "ZImageFunControlnet",
    category="advanced/loaders/zimage",
    display="ZImageFunControlnet",
    experimental=True,
)
def z_image_fun_controlnet(
    model: Model,
    model_patch: ModelPatch,
    vae: Vae,
    strength: Strength = 1.0,
    image: Image | None = None,
    inpaint_image: Image | None = None,
    mask: Mask | None = None,
) -> Model:
    """Guide a Z-Image by a picture of edges, depth, a pose; version 2 also paints into a picture.

    `mask` is 1 where `inpaint_image` is painted.
    """
    pictures = ControlPictures(vae, image, inpaint_image, mask)
    return controlled(model, model_patch, pictures, strength)


@node(
    "QwenImageDiffsynthControlnet",
    category="advanced/loaders/qwen",
    display="QwenImageDiffsynthControlnet",
    experimental=True,
)
def qwen_image_diffsynth_controlnet(
    model: Model,
    model_patch: ModelPatch,
    vae: Vae,
    image: Image,
    strength: Strength = 1.0,
    mask: Mask | None = None,
) -> Model:
    """Guide a Qwen-Image by a picture; a Z-Image, too, whose workflows use this node.

    `mask` is 1 in the holes that a network for inpainting fills.
    """
    if isinstance(model_patch.config, BlockwiseConfig):
        shown = Shown(vae, image, mask)
        return blockwise(model, model_patch, model_patch.config, shown, strength)
    if mask is not None:
        raise NodeError(
            "a control network of Z-Image takes a mask together with the picture to paint in; use "
            "ZImageFunControlnet for that, or leave the mask out"
        )
    return controlled(model, model_patch, ControlPictures(vae, image), strength)
