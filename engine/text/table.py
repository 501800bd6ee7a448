"""The text encoders, and the detection of an encoder in a separate file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine.text.bert import BERT
from engine.text.class_labels import CLASS_LABELS
from engine.text.clip import CLIP_G, CLIP_H, CLIP_L
from engine.text.encoder import TextEncoder
from engine.text.language_models import (
    GEMMA2_2B,
    LLAMA3_8B,
    LLAMA31_8B,
    MINISTRAL3_3B,
    MISTRAL3_24B,
    QWEN3_06B,
    QWEN3_4B,
    QWEN3_8B,
    QWEN3VL_4B,
    QWEN3VL_8B,
    QWEN25_7B,
)
from engine.text.t5 import BYT5_SMALL, PILE_T5XL, T5_BASE, T5XXL, UMT5XXL
from engine.text.token_numbers import T5_TOKENS
from engine.weights.state_dict import StateDict

_ALL: tuple[TextEncoder, ...] = (
    *(CLIP_L, CLIP_H, CLIP_G, BERT, CLASS_LABELS),
    *(BYT5_SMALL, UMT5XXL, PILE_T5XL, T5_BASE, T5XXL, T5_TOKENS),
    *(QWEN3_06B, QWEN3_8B, QWEN3_4B, QWEN3VL_8B, QWEN3VL_4B),
    *(QWEN25_7B, MISTRAL3_24B, MINISTRAL3_3B, GEMMA2_2B, LLAMA31_8B, LLAMA3_8B),
)
ENCODERS: Mapping[str, TextEncoder] = MappingProxyType({encoder.name: encoder for encoder in _ALL})


def recognise(weights: StateDict) -> tuple[TextEncoder, Any] | None:
    """The encoder that has these tensors, and its configuration; None if there is none.

    Raises `WeightsError` if they belong to an encoder but are incomplete.
    """
    for encoder in ENCODERS.values():
        config = encoder.detect(weights)
        if config is not None:
            return encoder, config
    return None
