"""Names of text encoders and of their tensors, as plugins write them."""

from __future__ import annotations

from collections.abc import Mapping

PROJECTION = "text_projection.weight"
SHORT_NAMES: Mapping[str, str] = {"clip_l": "l", "clip_g": "g", "clip_h": "h"}
"""The keys of `tokenize`, by the encoder's name; others are their own key."""


def host_name(name: str, encoder: str) -> str:
    """A tensor's name in the text encoder of that name as plugins write it, below `clip_l.`."""
    of_clip = encoder in SHORT_NAMES and name != PROJECTION
    return f"transformer.text_model.{name}" if of_clip else f"transformer.{name}"
