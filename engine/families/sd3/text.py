"""The text of Stable Diffusion 3: two CLIP encoders side by side, and T5 after them.

Esser et al. 2024, section 4.2 and figure 2. Any of the three may be absent: zeros stand for a CLIP
encoder beside the other, and T5's tokens are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import WeightsError
from engine.families.family import TextPlan
from engine.text.encoder import Encoded, TextStyle

WIDTH = 4096
"""Numbers of a token, those of T5-XXL; CLIP's are filled up with zeros."""
CLIP_L, CLIP_G = 768, 1280
SHORTEST = 77
"""Tokens that T5's prompts are padded to at least."""
PREFIXES: Mapping[str, tuple[str, ...]] = {
    "clip_l": ("text_encoders.clip_l.transformer.", "text_encoder."),
    "clip_g": ("text_encoders.clip_g.transformer.", "text_encoder_2."),
    "t5xxl": ("text_encoders.t5xxl.transformer.", "text_encoder_3."),
}


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """Tokens [1, T, 4096] and `pooled_output` [1, 2048] of the encoders that there are."""
    first, second, t5 = (encoded.get(name) for name in ("clip_l", "clip_g", "t5xxl"))
    wide = WIDTH if t5 is None else t5.states.shape[-1]
    tokens: list[Tensor] = []
    if first is not None or second is not None:
        tokens.append(_side_by_side(first, second, wide))
    if t5 is not None:
        tokens.append(t5.states)
    if not tokens:
        raise WeightsError("Stable Diffusion 3 needs at least one of CLIP L, CLIP bigG and T5 XXL")
    pooled = torch.cat((_pooled(first, CLIP_L), _pooled(second, CLIP_G)), dim=-1)
    return torch.cat(tokens, dim=1), {"pooled_output": pooled}


def _side_by_side(first: Encoded | None, second: Encoded | None, wide: int) -> Tensor:
    """The states of both CLIP encoders in one token each, zeros after them and for an absent one.

    Textual inversions may make one longer; tokens without a counterpart are left out.
    """
    if first is None or second is None:
        states = (first or second).states  # type: ignore[union-attr] - one of them is there
        before = 0 if second is None else CLIP_L
        return functional.pad(states, (before, wide - before - states.shape[-1]))
    count = min(first.states.shape[1], second.states.shape[1])
    states = torch.cat((first.states[:, :count], second.states[:, :count]), dim=-1)
    return functional.pad(states, (0, wide - states.shape[-1]))


def _pooled(encoded: Encoded | None, width: int) -> Tensor:
    if encoded is None or encoded.pooled is None:
        return torch.zeros(1, width)
    return encoded.pooled


PENULTIMATE = TextStyle(layer=-2, normalised=False)
PLAN = TextPlan(
    {
        "clip_l": PENULTIMATE,
        "clip_g": TextStyle(layer=-2, normalised=False, projected=True),
        "t5xxl": TextStyle(shortest=SHORTEST),
    },
    combine,
    optional=frozenset({"clip_l", "clip_g", "t5xxl"}),
    file_types=frozenset({"sd3"}),
    places={
        "clip_l": "text_encoders.clip_l.transformer.text_model.",
        "clip_g": "text_encoders.clip_g.transformer.text_model.",
        "t5xxl": "text_encoders.t5xxl.transformer.",
    },
)
