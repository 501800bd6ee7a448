"""Nodes that load style models and add the style of a picture to a prompt."""

from __future__ import annotations

from typing import Annotated

import torch

from engine.errors import NodeError
from engine.families.flux.styles import STYLES
from engine.files import file_identity
from engine.inference.style import load_style_model
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice, Range
from nodes.sockets import ClipVisionOutput, Conditioning, StyleModel

FOLDER = "style_models"


@node("StyleModelLoader", category="loaders", display="Load Style Model")
def load_style(style_model_name: Annotated[str, FileChoice(FOLDER)], ctx: Context) -> StyleModel:
    """Load a style model, which adds the style of a picture to a prompt."""
    return load_style_model(ctx.files.find(FOLDER, style_model_name))


@load_style.fingerprint
def _(style_model_name: str | None, ctx: Context) -> object:
    return style_model_name and file_identity(ctx.files.find(FOLDER, style_model_name))


@node("StyleModelApply", category="conditioning/style_model", display="Apply Style Model")
def apply_style(
    *,
    conditioning: Conditioning,
    style_model: StyleModel,
    clip_vision_output: ClipVisionOutput,
    strength: Annotated[float, Range(0.0, 10.0, step=0.001)] = 1.0,
    strength_type: Annotated[str, Choice("multiply", "attn_bias")],
    ctx: Context,
) -> Conditioning:
    """Add a picture to a prompt as further tokens.

    `multiply` multiplies them by `strength`. With `attn_bias` FLUX.1 attends to them that many
    times as much; it is for Redux.
    """
    style = style_model.get_cond(clip_vision_output).flatten(0, 1)[None]
    biased = strength_type == "attn_bias" and style_model.is_redux
    if strength_type == "multiply":
        style = style * strength
    elif strength != 1 and not biased:
        ctx.show(text=["the strength has no effect with attn_bias; choose multiply"])
    for tokens, _ in conditioning:
        if tokens.shape[-1] != style.shape[-1]:
            raise NodeError(
                f"the prompt's tokens have {tokens.shape[-1]} numbers, those of the style model "
                f"{style.shape[-1]}; the style model was made for another model"
            )
    found: Conditioning = []
    for tokens, known in conditioning:
        longer = torch.cat((tokens, style.to(tokens).expand(len(tokens), -1, -1)), dim=1)
        extras = dict(known)
        if biased and strength != 1:
            place = (tokens.shape[1], style.shape[1], strength)
            extras[STYLES] = (*known.get(STYLES, ()), place)
        found.append([longer, extras])
    return found
