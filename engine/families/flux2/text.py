"""FLUX.2's text: states of three layers of a language model, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import WeightsError
from engine.families.family import TextPlan
from engine.text.encoder import Encoded, TextStyle

FILE_TYPES = frozenset({"flux2"})
SYSTEM = (
    "You are an AI that reasons about image descriptions. You give structured responses focusing "
    "on object relationships, object\nattribution and actions without speculation."
)
"""As Black Forest Labs published it, with its line break."""
PREFIXES: Mapping[str, tuple[str, ...]] = {
    "mistral3_24b": ("text_encoders.mistral3_24b.transformer.",),
    "qwen3_4b": ("text_encoders.qwen3_4b.transformer.",),
    "qwen3_8b": ("text_encoders.qwen3_8b.transformer.",),
}
_MISTRAL = TextStyle(
    layers=(10, 20, 30),
    normalised=False,
    weighted=False,
    template=f"[SYSTEM_PROMPT]{SYSTEM}[/SYSTEM_PROMPT][INST]{{}}[/INST]",
)
_QWEN = TextStyle(
    layers=(9, 18, 27),
    normalised=False,
    weighted=False,
    template="<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    shortest=512,
    masked=True,
)


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of its one encoder.

    Raises:
        WeightsError: it is missing.
    """
    for name in PREFIXES:
        if name in encoded:
            return encoded[name].states, {}
    raise WeightsError(
        "FLUX.2 needs its text encoder, which is missing: Mistral Small 3.2 for dev, Qwen3 4B for "
        "klein 4B, Qwen3 8B for klein 9B. Load it with Load CLIP, type flux2."
    )


KLEIN_4B = TextPlan({"qwen3_4b": _QWEN}, combine, file_types=FILE_TYPES)
KLEIN_9B = TextPlan({"qwen3_8b": _QWEN}, combine, file_types=FILE_TYPES)
PLAN = TextPlan(
    {"mistral3_24b": _MISTRAL},
    combine,
    file_types=FILE_TYPES,
    places={"mistral3_24b": PREFIXES["mistral3_24b"][0]},
    others=(KLEIN_4B, KLEIN_9B),
)
