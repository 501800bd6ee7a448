"""Anima's text: the states of Qwen3 0.6B, and the numbers of the tokens that T5 makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.diffusion.conditioning import Input
from engine.errors import NodeError, WeightsError
from engine.families.family import Entry, TextPlan
from engine.text.encoder import Encoded, TextStyle

ENCODER, TOKENS = "qwen3_06b", "t5_tokens"
PREFIXES: Mapping[str, tuple[str, ...]] = {
    ENCODER: ("text_encoders.qwen3_06b.transformer.", "text_encoder.")
}
IDS, WEIGHTS = "t5xxl_ids", "t5xxl_weights"
"""Keys of a conditioning entry: [1, N] and [1, N] or [N]."""
ADVICE = "Encode the prompt with Qwen3 0.6B: Load CLIP, qwen_3_06b_base.safetensors."


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states, and beside them the numbers and weights of T5's tokens.

    Raises:
        WeightsError: the encoder is missing.
    """
    found = encoded.get(ENCODER)
    if found is None:
        raise WeightsError(f"Anima needs the text encoder Qwen3 0.6B, which is missing. {ADVICE}")
    tokens = encoded.get(TOKENS)
    if tokens is None or tokens.pooled is None:
        return found.states, {}
    return found.states, {IDS: tokens.states[..., 0].long(), WEIGHTS: tokens.pooled}


PLAN = TextPlan(
    {ENCODER: TextStyle(weighted=False), TOKENS: TextStyle()},
    combine,
    optional=frozenset({TOKENS}),
    file_types=frozenset({"stable_diffusion", "qwen_image", "cosmos"}),
    places={ENCODER: PREFIXES[ENCODER][0]},
)


def numbers(entry: Entry) -> dict[str, Input]:
    """The tokens of T5 in an entry, and their weights.

    Raises:
        NodeError: there are none.
    """
    found = entry.extras.get(IDS)
    if not isinstance(found, Tensor):
        raise NodeError(
            f"the conditioning lacks the tokens of T5 ({IDS}), which Anima takes beside the states "
            f"of its text encoder: the prompt was encoded for another model. {ADVICE}"
        )
    inputs = {IDS: Input(found.long().reshape(-1, found.shape[-1]))}
    weights = entry.extras.get(WEIGHTS)
    if isinstance(weights, Tensor) and not torch.equal(weights, torch.ones_like(weights)):
        inputs[WEIGHTS] = Input(weights.float().reshape(-1, found.shape[-1], 1))
    return inputs
