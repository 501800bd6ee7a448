"""The text of Z-Image and Lumina 2: states of Qwen3 4B and Gemma 2 2B before their last layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import WeightsError
from engine.families.family import TextPlan
from engine.text.encoder import Encoded, TextStyle

TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
"""Qwen3's for one message of a user."""
Z_IMAGE_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "qwen3_4b": ("text_encoders.qwen3_4b.transformer.", "text_encoder.")
}


LUMINA_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "gemma2_2b": ("text_encoders.gemma2_2b.transformer.", "text_encoder.")
}


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of all tokens, the template's too."""
    found = encoded.get("qwen3_4b")
    if found is None:
        raise WeightsError(
            "Z-Image needs the text encoder Qwen3 4B: load it with Load CLIP, type lumina2"
        )
    return found.states, {}


def combine_for_lumina(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of all tokens."""
    found = encoded.get("gemma2_2b")
    if found is None:
        raise WeightsError(
            "Lumina 2 needs the text encoder Gemma 2 2B: load it with Load CLIP, type lumina2"
        )
    return found.states, {}


Z_IMAGE = TextPlan(
    {"qwen3_4b": TextStyle(layer=-2, normalised=False, template=TEMPLATE, weighted=False)},
    combine,
    file_types=frozenset({"lumina2"}),
    places={"qwen3_4b": Z_IMAGE_PREFIXES["qwen3_4b"][0]},
)
LUMINA = TextPlan(
    {"gemma2_2b": TextStyle(layer=-2, normalised=False)},
    combine_for_lumina,
    file_types=frozenset({"lumina2"}),
    places={"gemma2_2b": LUMINA_PREFIXES["gemma2_2b"][0]},
)
