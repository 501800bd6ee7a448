"""Qwen-Image's text: the states of Qwen2.5-VL 7B after a fixed introduction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import WeightsError
from engine.families.family import TextPlan
from engine.text.encoder import Encoded, TextStyle

ENCODER = "qwen25_7b"
PREFIXES: Mapping[str, tuple[str, ...]] = {
    ENCODER: ("text_encoders.qwen25_7b.transformer.", "text_encoder.")
}
_FORM = "<|im_start|>system\n%s<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
TEMPLATE = _FORM % (
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:"
)
EDIT_TEMPLATE = _FORM % (
    "Describe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. "
    "Generate a new image that meets the user's requirements while maintaining consistency with "
    "the original input where appropriate."
)
"""The introductions that the model was trained with (arXiv 2508.02324, figures 6 and 12)."""


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states, and their mask if some do not count.

    Raises:
        WeightsError: the encoder is missing.
    """
    found = encoded.get(ENCODER)
    if found is None:
        raise WeightsError(
            "Qwen-Image needs the text encoder Qwen2.5-VL 7B, which is missing; load "
            "qwen_2.5_vl_7b.safetensors with Load CLIP, type qwen_image."
        )
    return found.states, {} if found.mask is None else {"attention_mask": found.mask}


PLAN = TextPlan(
    {
        ENCODER: TextStyle(
            template=TEMPLATE,
            picture_template=EDIT_TEMPLATE,
            only_after_template=True,
            weighted=False,
        )
    },
    combine,
    file_types=frozenset({"qwen_image"}),
    places={ENCODER: PREFIXES[ENCODER][0]},
)
