"""The text encoders, and the detection of an encoder in a separate file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine.text.bert import BERT
from engine.text.class_labels import CLASS_LABELS
from engine.text.clip import CLIP_G, CLIP_H, CLIP_L
from engine.text.encoder import TextEncoder
from engine.weights.state_dict import StateDict

ENCODERS: Mapping[str, TextEncoder] = MappingProxyType(
    {encoder.name: encoder for encoder in (CLIP_L, CLIP_H, CLIP_G, BERT, CLASS_LABELS)}
)


def recognise(weights: StateDict) -> tuple[TextEncoder, Any] | None:
    """The encoder that has these tensors, and its configuration; None if there is none.

    Raises `WeightsError` if they belong to an encoder but are incomplete.
    """
    for encoder in ENCODERS.values():
        config = encoder.detect(weights)
        if config is not None:
            return encoder, config
    return None
