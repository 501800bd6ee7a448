"""The text of models that were trained with OpenCLIP's ViT-H: Stable Diffusion 2 and its kin.

Its penultimate layer, normalised (Stable Diffusion 2.0 release notes, Stability AI 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import WeightsError
from engine.families import declared
from engine.families.family import TextPlan
from engine.text import clip_keys
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

ENCODER = "clip_h"
CONTEXT_CHANNELS = 1024
"""Width of the released encoder, which identifies these models if a file holds no text encoder."""
PREFIXES = (
    "cond_stage_model.model.",
    "cond_stage_model.transformer.",
    "text_encoders.clip_h.transformer.",
    "text_encoder.",
)


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of CLIP H, and its pooled output.

    Raises:
        WeightsError: it is missing.
    """
    found = encoded.get(ENCODER)
    if found is None:
        raise WeightsError("Stable Diffusion 2 needs the text encoder CLIP H, which is missing")
    return found.states, {"pooled_output": found.pooled}


TEXT = TextPlan(
    {ENCODER: TextStyle(layer=-2, normalised=True, projected=True)},
    combine,
    file_types=frozenset({"stable_diffusion"}),
    places={ENCODER: PREFIXES[0]},
)
"""How these models use the encoder."""


def within(weights: StateDict, name: str) -> StateDict | None:
    """The tensors of the text encoder of that name in a checkpoint; None if it has none."""
    return clip_keys.within(weights, PREFIXES) if name == ENCODER else None


def width(weights: StateDict, family: str) -> int:
    """The width of the text that models of these weights take, of the family of that name."""
    text = within(weights, ENCODER)
    tensors = clip_keys.tensors(text) if text else None
    shape = (tensors.shape(clip_keys.MARK) if tensors else None) or ()
    if len(shape) == 2:
        return shape[1]
    return declared.text_width(weights, family, CONTEXT_CHANNELS)
