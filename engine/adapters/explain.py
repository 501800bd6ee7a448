"""Explains in sentences which parts of an adapter had no effect, and its likely family."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.adapters.match import Match
from engine.adapters.parts import Parts
from engine.adapters.read import Adapter

_EXAMPLES = 3
_LONGEST = 200
_BY_CONTEXT: Mapping[int, str] = {
    768: "Stable Diffusion 1",
    1024: "Stable Diffusion 2",
    1280: "the refiner of Stable Diffusion XL",
    2048: "Stable Diffusion XL",
}
"""The families by the width of the text that cross-attention reads."""
_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"double_blocks|single_blocks|single_transformer_blocks", "FLUX"),
    (r"(^|_)transformer_blocks_\d+_(img|txt)_(mlp|mod)", "Qwen-Image"),
    (r"joint_blocks|transformer_blocks_\d+_attn_add_k_proj", "Stable Diffusion 3 or Qwen-Image"),
    (r"blocks_\d+_(self_attn|cross_attn|ffn)_", "Wan"),
    (r"(^|_)(layers|(context|noise)_refiner)_\d+_(attention|feed_forward)", "Z-Image or Lumina 2"),
    (r"double_stream|img_in|txt_in", "a diffusion transformer"),
    (r"lora_te2_|text_encoder_2", "Stable Diffusion XL"),
    (r"(down|up|input|output|mid|middle)_blocks?_\d", "Stable Diffusion 1, 2 or XL"),
)


def complaints(adapter: Adapter, match: Match, family: str) -> list[str]:
    """Sentences for the log and the node; none if everything matched.

    `family`: the name of the model's family.
    """
    said: list[str] = []
    if not match.found:
        return [_nothing_fits(adapter, match, family)]
    if match.unmatched:
        said.append(
            f"{adapter.name}: {len(match.unmatched):,} of its names have no place in this "
            f"{family} model and change nothing: {_some(match.unmatched)}"
        )
    if match.misfits:
        said.append(
            f"{adapter.name}: {len(match.misfits):,} of its modules do not fit and change nothing: "
            f"{_some(match.misfits, '; ')}"
        )
    return said


def _nothing_fits(adapter: Adapter, match: Match, family: str) -> str:
    if match.misfits and not match.unmatched:
        return (
            f"{adapter.name} changes nothing: none of its {len(match.misfits):,} modules fits this "
            f"{family} model: {_some(match.misfits, '; ')}. The file is damaged, or made for a "
            "model of other sizes: choose that model, or another LoRA."
        )
    made_for = family_of(adapter)
    if match.left_out and not match.unmatched and not match.misfits:
        return (
            f"{adapter.name} changes nothing here: all of its {match.left_out:,} tensors are for "
            "parts that this node does not change; use Load LoRA for model and text encoder."
        )
    seems, advice = "its names are of no known kind", "Choose another LoRA."
    if made_for:
        seems = f"it seems to be made for {made_for}"
        advice = "Choose a model of that family, or another LoRA."
    return (
        f"{adapter.name} changes nothing: none of its {adapter.tensors:,} tensors has a place in "
        f"this {family} model ({_some((*match.unmatched, *match.misfits))}); {seems}. "
        f"{advice}"
    )


def family_of(adapter: Adapter) -> str | None:
    """The family that an adapter is probably for."""
    for name, parts in adapter.modules.items():
        if name.endswith(("attn2_to_k", "attn2.to_k", "attn2.to_k_lora", "attn2_to_v")):
            width = _inner_width(parts)
            if width is not None and width in _BY_CONTEXT:
                return _BY_CONTEXT[width]
    names = [name.replace(".", "_") for name in adapter.modules]
    for pattern, family in _BY_NAME:
        if any(re.search(pattern, name) for name in names):
            return family
    return None


def _inner_width(parts: Parts) -> int | None:
    """The input width of the module, if one of its shapes shows it."""
    for part in ("down", "hada_w1_b", "diff"):
        entry = parts.entries.get(part)
        if entry is not None and len(entry.shape) > 1:
            return entry.shape[1]
    return None


def _some(names: tuple[str, ...], between: str = ", ") -> str:
    shown = between.join(_printable(name) for name in names[:_EXAMPLES])
    more = len(names) - _EXAMPLES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _printable(name: str) -> str:
    return (name if name.isprintable() else ascii(name))[:_LONGEST]
