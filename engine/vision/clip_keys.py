"""Names of CLIP image encoders' tensors: transformers' and OpenCLIP's, alone or in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.nets.clip_layers import LAYERS, Kept, changed, of_open_clip, open_clip_layer
from engine.vision.clip_network import MARK, POSITIONS, PROJECTION
from engine.weights.state_dict import Entry, StateDict

PLACES = (
    "",
    "conditioner.embedders.0.open_clip.model.",
    "embedder.model.",
    "cond_stage_model.model.",
    "clip_l_vision.",
    "model.",
)
"""Prefixes of `vision_model.` or `visual.`: a separate file, SVD, unCLIP, Zero123, Stable Cascade,
and other programs' files."""
TRANSFORMERS = "vision_model."
OPEN_CLIP = "visual."
OPEN_CLIP_MARK = "conv1.weight"
PARTS = ("embeddings.", "pre_layrnorm.", "encoder.", "post_layernorm.")
POSITION_IDS = "embeddings.position_ids"
"""A row of numbers in old files, which the network does not need."""
_OUTER: Mapping[str, str] = {
    "class_embedding": "embeddings.class_embedding",
    OPEN_CLIP_MARK: MARK,
    "positional_embedding": POSITIONS,
    "ln_pre.weight": "pre_layrnorm.weight",
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}


def tensors(weights: StateDict) -> StateDict | None:
    """The encoder's tensors under transformers' names without `vision_model.`; None without one.

    Raises:
        WeightsError: one of its tensors is empty.
    """
    for place in PLACES:
        if f"{place}{TRANSFORMERS}{MARK}" in weights:
            return _of_transformers(weights.part(place)).refuse_empty()
        if f"{place}{OPEN_CLIP}{OPEN_CLIP_MARK}" in weights:
            return _of_open_clip(weights.part(f"{place}{OPEN_CLIP}")).refuse_empty()
    if OPEN_CLIP_MARK in weights and "class_embedding" in weights:
        return _of_open_clip(weights).refuse_empty()
    return None


def open_clip_layout(names: Iterable[str]) -> dict[str, Kept]:
    """OpenCLIP's names (`visual.conv1.weight`) for an encoder with these tensors of our module.

    Each with its content: OpenCLIP joins query, key and value, and transposes the projection.
    """
    outer = {ours: theirs for theirs, ours in _OUTER.items()} | {PROJECTION: "proj"}
    layout: dict[str, Kept] = {}
    for name in names:
        if name.startswith(LAYERS):
            ours, kept = open_clip_layer(name)
        else:
            ours, kept = outer[name], Kept((name,), transposed=name == PROJECTION)
        layout[OPEN_CLIP + ours] = kept
    return layout


def _of_transformers(weights: StateDict) -> StateDict:
    entries: dict[str, Entry] = {}
    for name, entry in weights.entries.items():
        short = name.removeprefix(TRANSFORMERS)
        ours = name.startswith(TRANSFORMERS) and short.startswith(PARTS)
        if (ours or name == PROJECTION) and short != POSITION_IDS:
            entries[short] = entry
    return replace(weights, entries=entries)


def _of_open_clip(weights: StateDict) -> StateDict:
    """The tensors of OpenCLIP, which joins query, key and value and transposes the projection."""
    entries: dict[str, Entry] = {}
    for name, entry in weights.entries.items():
        if name in _OUTER:
            entries[_OUTER[name]] = entry
        elif name == "proj" and len(entry.shape) == 2:
            entries[PROJECTION] = changed(
                entry, (entry.shape[1], entry.shape[0]), lambda tensor: tensor.T.contiguous()
            )
        elif name.startswith("transformer.resblocks."):
            entries |= of_open_clip(name.removeprefix("transformer.resblocks."), entry)
    return replace(weights, entries=entries)
