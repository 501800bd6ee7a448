"""Names of CLIP text encoders' tensors: transformers', OpenCLIP's, old spellings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engine.nets.clip_layers import LAYERS, Kept, changed, of_open_clip, open_clip_layer
from engine.weights.state_dict import Entry, StateDict

MARK = "embeddings.token_embedding.weight"
OPEN_CLIP_MARK = "transformer.resblocks.0.attn.in_proj_weight"
PREFIXES = ("text_model.", "transformer.text_model.", "")
OPEN_CLIP_PREFIXES = ("model.", "")
PARTS = ("embeddings.", "encoder.", "final_layer_norm.", "text_projection.")
POSITION_IDS = "embeddings.position_ids"
"""A row of 0..76 in old files, which the network does not need."""
_OUTER: Mapping[str, str] = {
    MARK: "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "text_projection.weight": "text_projection",
}


def tensors(weights: StateDict) -> StateDict | None:
    """The encoder's tensors under the names of transformers' CLIPTextModel; None without one."""
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights:
            return _of_transformers(weights, prefix)
    for prefix in OPEN_CLIP_PREFIXES:
        if f"{prefix}{OPEN_CLIP_MARK}" in weights:
            return _of_open_clip(weights.part(prefix))
    return None


def within(weights: StateDict, prefixes: Sequence[str]) -> StateDict | None:
    """The part of a checkpoint that is a CLIP text encoder, below the first prefix that has one.

    Raises:
        WeightsError: one of its tensors is empty.
    """
    for prefix in prefixes:
        part = weights.part(prefix)
        if tensors(part) is not None:
            return part.refuse_empty()
    return None


def _of_transformers(weights: StateDict, prefix: str) -> StateDict:
    """The tensors, with the projection from beside the text model or from below it."""
    beside = prefix.removesuffix("text_model.")
    width = weights.entries[f"{prefix}{MARK}"].shape
    entries: dict[str, Entry] = {}
    for name, entry in weights.entries.items():
        short = name.removeprefix(prefix) if name.startswith(prefix) else name
        if name in (f"{beside}text_projection.weight", f"{prefix}text_projection.weight"):
            short = "text_projection.weight"
            if len(entry.shape) != 2 or entry.shape[1:] != width[1:]:
                continue  # left over from another program; unused
        elif not name.startswith(prefix) or not short.startswith(PARTS):
            continue
        if short != POSITION_IDS:
            entries[short] = entry
    return replace(weights, entries=entries)


def _of_open_clip(weights: StateDict) -> StateDict:
    """The tensors of OpenCLIP, which joins query, key and value and transposes the projection."""
    entries: dict[str, Entry] = {}
    for name, entry in weights.entries.items():
        if name == "token_embedding.weight":
            entries[MARK] = entry
        elif name == "positional_embedding":
            entries["embeddings.position_embedding.weight"] = entry
        elif name.startswith("ln_final."):
            entries[name.replace("ln_final.", "final_layer_norm.")] = entry
        elif name == "text_projection" and len(entry.shape) == 2:
            entries["text_projection.weight"] = changed(
                entry, (entry.shape[1], entry.shape[0]), lambda tensor: tensor.T.contiguous()
            )
        elif name == "text_projection.weight":
            entries[name] = entry
        elif name.startswith("transformer.resblocks."):
            entries |= of_open_clip(name.removeprefix("transformer.resblocks."), entry)
    return replace(weights, entries=entries)


def open_clip_layout(names: Iterable[str]) -> dict[str, Kept]:
    """OpenCLIP's names for an encoder with these tensors, each with its content."""
    layout: dict[str, Kept] = {}
    for name in names:
        if name.startswith(LAYERS):
            ours, kept = open_clip_layer(name)
            layout[ours] = kept
            continue
        ours = name.replace("final_layer_norm.", "ln_final.")
        ours = _OUTER.get(ours, ours)
        layout[ours] = Kept((name,), transposed=ours == "text_projection")
    return layout
