"""Nodes for flow-matching models: their noise levels and their empty latents."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch

from engine.diffusion.parameterization import Flow, flow
from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.latent_shapes import CELL
from nodes.sockets import Latent, Model

FLOW_CHANNELS = 16
"""Of the latents of SD3, FLUX.1, Z-Image and others."""
FlowSide = Annotated[int, Range(16, 16384, step=16)]
AlphaOfShift = Range(0.0, 100.0, step=0.01)


@node("ModelSamplingSD3", category="advanced/model", display="ModelSamplingSD3")
def model_sampling_sd3(model: Model, shift: Annotated[float, AlphaOfShift] = 3.0) -> Model:
    """Set how far the noise levels of a flow model are shifted towards the noise.

    For models whose timestep runs to 1000: SD3, Wan, HunyuanVideo.
    """
    return _shifted(model, shift, 1000.0)


@node("ModelSamplingAuraFlow", category="advanced/model", display="ModelSamplingAuraFlow")
def model_sampling_aura_flow(model: Model, shift: Annotated[float, AlphaOfShift] = 1.73) -> Model:
    """Set how far the noise levels of a flow model are shifted towards the noise.

    For models whose timestep runs to 1: AuraFlow, Lumina 2, Z-Image, Qwen-Image.
    """
    return _shifted(model, shift, 1.0)


@node("ModelNoiseScale", category="advanced/model")
def model_noise_scale(
    model: Model, noise_scale: Annotated[float, Range(0.0, 64.0, step=0.01)] = 1.0
) -> Model:
    """Set the standard deviation of the noise that a flow model was trained with; usually 1.

    It scales the noise that sampling starts from. Models of pixels use more: HiDream-O1 8.
    """
    levels = model.parameterization
    if not isinstance(levels, Flow):
        raise NodeError(
            "the noise scale is of flow models such as SD3, FLUX or Wan; this model is trained on "
            "a table of noise levels, which include the scale: take ModelNoiseScale out"
        )
    return replace(model, parameterization=replace(levels, noise_scale=noise_scale))


@node("EmptySD3LatentImage", category="latent/sd3")
def empty_sd3_latent_image(
    width: FlowSide = 1024,
    height: FlowSide = 1024,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
) -> Latent:
    """Create an empty latent of 16 channels, for SD3, FLUX.1, Z-Image; sides in pixels."""
    return {"samples": torch.zeros(batch_size, FLOW_CHANNELS, height // CELL, width // CELL)}


@node(
    "EmptyQwenImageLayeredLatentImage",
    category="latent/qwen",
    display="Empty Qwen Image Layered Latent",
)
def empty_qwen_image_layered_latent_image(
    width: FlowSide = 640,
    height: FlowSide = 640,
    layers: Annotated[int, Range(0, 16384, step=1)] = 3,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
) -> Latent:
    """Create an empty latent of a picture and its layers, for Qwen-Image-Layered.

    LatentCutToBatch along t makes pictures of them, to be decoded one by one.
    """
    size = height // CELL, width // CELL
    return {"samples": torch.zeros(batch_size, FLOW_CHANNELS, layers + 1, *size)}


def _shifted(model: Model, shift: float, multiplier: float) -> Model:
    if shift <= 0.0:
        raise NodeError(
            f"a shift of {shift:g} leaves no noise levels; use 1 for none, 3 is usual for SD3"
        )
    made = flow(shift, multiplier=multiplier)
    before = model.parameterization
    if isinstance(before, Flow):
        made = replace(made, noise_scale=before.noise_scale)
    return replace(model, parameterization=made)
