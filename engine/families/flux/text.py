"""FLUX.1's text: the tokens of T5-XXL, and one vector by CLIP L."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.errors import NodeError, WeightsError
from engine.families.family import Entry, TextPlan
from engine.text.encoder import Encoded, TextStyle

USUAL_TOKENS = 512
PREFIXES: Mapping[str, tuple[str, ...]] = {
    "clip_l": ("text_encoders.clip_l.transformer.", "text_encoder."),
    "t5xxl": ("text_encoders.t5xxl.transformer.", "text_encoder_2."),
}


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of T5-XXL; pooled is that of CLIP L.

    Raises:
        WeightsError: one of them is missing.
    """
    titles = {"clip_l": "CLIP L", "t5xxl": "T5-XXL"}
    missing = [title for name, title in titles.items() if name not in encoded]
    if missing:
        raise WeightsError(
            f"FLUX.1 needs the text encoders CLIP L and T5-XXL; {' and '.join(missing)} is "
            "missing. Load both with DualCLIPLoader, type flux."
        )
    return encoded["t5xxl"].states, {"pooled_output": encoded["clip_l"].pooled}


SHORTEST = 256
"""Tokens of T5 that a prompt is padded to."""
PLAN = TextPlan(
    {"clip_l": TextStyle(), "t5xxl": TextStyle(shortest=SHORTEST)},
    combine,
    file_types=frozenset({"flux"}),
    places={"clip_l": PREFIXES["clip_l"][0] + "text_model.", "t5xxl": PREFIXES["t5xxl"][0]},
)


def pooled(entry: Entry, width: int) -> Tensor:
    """The pooled text [1, width]; zeros where the conditioning has none.

    Raises:
        NodeError: it is that of another model.
    """
    found = entry.extras.get("pooled_output")
    if found is None:
        return torch.zeros(1, width)
    if found.shape[-1] != width:
        raise NodeError(
            f"the pooled text has {found.shape[-1]} numbers, the model takes {width}: the prompt "
            "was encoded for another model. Use DualCLIPLoader, type flux."
        )
    return found
