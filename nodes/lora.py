"""Nodes that change a model by an adapter: LoRA and similar methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from engine.files import file_identity
from engine.inference.adapters import adapter_file, matched_with, patched_clip, patched_model, said
from engine.inference.widening import widened
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Range
from nodes.sockets import Clip, Model

LoraName = Annotated[str, FileChoice("loras")]
Strength = Annotated[float, Range(-100.0, 100.0, step=0.01)]


@node("LoraLoader", category="loaders", display="Load LoRA")
def load_lora(
    model: Model,
    clip: Clip,
    lora_name: LoraName,
    ctx: Context,
    strength_model: Strength = 1.0,
    strength_clip: Strength = 1.0,
) -> tuple[Model, Clip]:
    """Apply a LoRA (style, character, speed-up) to a model and its text encoder.

    Reads LoRA, LoCon, LoHa, LoKr, GLoRA, OFT, BOFT, DoRA and plain differences, in all common
    namings. Several can be chained; a negative strength subtracts what was learned.
    """
    if strength_model == 0 and strength_clip == 0:
        return model, clip
    adapter = adapter_file(ctx.files.find("loras", lora_name))
    model = widened(model, adapter)
    matched = matched_with(adapter, model, clip)
    show(ctx, said(adapter, matched, model))
    return (
        patched_model(model, matched, strength_model),
        patched_clip(clip, matched, strength_clip),
    )


@load_lora.fingerprint
def _(lora_name: str | None, ctx: Context) -> object:
    return lora_name and file_identity(ctx.files.find("loras", lora_name))


@node("LoraLoaderModelOnly", category="loaders")
def load_lora_for_model(
    model: Model, lora_name: LoraName, ctx: Context, strength_model: Strength = 1.0
) -> Model:
    """Apply a LoRA to the model only; the text encoder is unchanged."""
    if strength_model == 0:
        return model
    adapter = adapter_file(ctx.files.find("loras", lora_name))
    model = widened(model, adapter)
    matched = matched_with(adapter, model, None)
    show(ctx, said(adapter, matched, model))
    return patched_model(model, matched, strength_model)


@load_lora_for_model.fingerprint
def _(lora_name: str | None, ctx: Context) -> object:
    return lora_name and file_identity(ctx.files.find("loras", lora_name))


def show(ctx: Context, sentences: Sequence[str]) -> None:
    """Show sentences under the node in the editor."""
    if sentences:
        ctx.show(text=list(sentences))
