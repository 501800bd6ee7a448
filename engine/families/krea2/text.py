"""Krea 2's text: the states of twelve layers of Qwen3-VL 4B, after Qwen-Image's introduction.

Trained with padding between the prompt and the end of the template, which neither is attended to
nor has positions; so it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import WeightsError
from engine.families.family import TextPlan
from engine.text.encoder import Encoded, TextStyle

ENCODER = "qwen3vl_4b"
PREFIXES: Mapping[str, tuple[str, ...]] = {
    ENCODER: ("text_encoders.qwen3vl_4b.transformer.", "text_encoder.")
}
LAYERS = (2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35)
TEMPLATE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states, and their mask if some do not count.

    Raises:
        WeightsError: the encoder is missing.
    """
    found = encoded.get(ENCODER)
    if found is None:
        raise WeightsError(
            "Krea 2 needs the text encoder Qwen3-VL 4B, which is missing; load "
            "qwen3vl_4b.safetensors with Load CLIP, type krea2."
        )
    return found.states, {} if found.mask is None else {"attention_mask": found.mask}


PLAN = TextPlan(
    {
        ENCODER: TextStyle(
            layers=LAYERS, template=TEMPLATE, only_after_template=True, weighted=False
        )
    },
    combine,
    file_types=frozenset({"krea2"}),
    places={ENCODER: PREFIXES[ENCODER][0]},
)
