"""Qwen-Image 2.1's text: the last layer's states of Qwen3-VL 8B, after a fixed introduction.

Pictures in the text are seen by the encoder; where they stand, the denoiser has their latents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import WeightsError
from engine.families.family import TextPlan
from engine.text.encoder import Encoded, TextStyle

ENCODER = "qwen3vl_8b"
PREFIXES: Mapping[str, tuple[str, ...]] = {
    ENCODER: ("text_encoders.qwen3vl_8b.transformer.", "text_encoder.")
}
PICTURES = "picture_tokens"
"""The key of a conditioning entry: the first token of each picture, and that behind the last."""
TEMPLATE = (
    "<|im_start|>system\nComprehend and analyze the provided prompt.<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states, their mask if some do not count, and where pictures are.

    Raises:
        WeightsError: the encoder is missing.
    """
    found = encoded.get(ENCODER)
    if found is None:
        raise WeightsError(
            "Qwen-Image 2.1 needs the text encoder Qwen3-VL 8B, which is missing; load "
            "qwen3vl_8b_bf16.safetensors with Load CLIP, type qwen_image."
        )
    extras: dict[str, Any] = {} if found.mask is None else {"attention_mask": found.mask}
    if found.pictures:
        extras[PICTURES] = found.pictures
    return found.states, extras


PLAN = TextPlan(
    {
        ENCODER: TextStyle(
            normalised=False, template=TEMPLATE, only_after_system=True, weighted=False
        )
    },
    combine,
    file_types=frozenset({"qwen_image"}),
    places={ENCODER: PREFIXES[ENCODER][0]},
)
