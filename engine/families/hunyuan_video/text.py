"""HunyuanVideo's text: a language model that is asked to describe a video, and CLIP L."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.errors import NodeError, WeightsError
from engine.families.family import Entry, TextPlan
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

PREFIXES: Mapping[str, str] = {
    "clip_l": "text_encoders.clip_l.transformer.",
    "llama3_8b": "text_encoders.llama.transformer.",
}
TEMPLATE = (
    "<|start_header_id|>system<|end_header_id|>\n\n"
    "Describe the video by detailing the following aspects: "
    "1. The main content and theme of the video."
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects."
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the "
    "objects."
    "4. background environment, light, style and atmosphere."
    "5. camera angles, movements, and transitions used in the video:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
)
SYSTEM_TOKENS = 95
"""Tokens of the template in front of the prompt, whose states are left out: both from the
repository Tencent/HunyuanVideo and from diffusers 0.42 (Apache-2.0)."""
LAYER = -3
POOLED = "pooled_output"


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of the language model; pooled is that of CLIP L.

    Raises:
        WeightsError: one of them is missing.
    """
    titles = {"clip_l": "CLIP L", "llama3_8b": "Llama 3 8B (llava)"}
    missing = [title for name, title in titles.items() if name not in encoded]
    if missing:
        raise WeightsError(
            f"HunyuanVideo needs the text encoders CLIP L and Llama 3 8B; {' and '.join(missing)} "
            "is missing. Load clip_l.safetensors and llava_llama3_fp8_scaled.safetensors with "
            "DualCLIPLoader, type hunyuan_video."
        )
    return encoded["llama3_8b"].states, {POOLED: encoded["clip_l"].pooled}


PLAN = TextPlan(
    {
        "clip_l": TextStyle(),
        "llama3_8b": TextStyle(
            layer=LAYER, normalised=False, template=TEMPLATE, left_out=SYSTEM_TOKENS
        ),
    },
    combine,
    file_types=frozenset({"hunyuan_video"}),
    places={"clip_l": f"{PREFIXES['clip_l']}text_model.", "llama3_8b": PREFIXES["llama3_8b"]},
)


def within(weights: StateDict, name: str) -> StateDict | None:
    """The tensors of one text encoder within a checkpoint; None without it."""
    part = weights.part(PREFIXES[name]) if name in PREFIXES else None
    return part or None


def pooled(entry: Entry, width: int) -> Tensor:
    """The pooled text [1, width]; zeros where the conditioning has none.

    Raises:
        NodeError: it is that of another model.
    """
    found = entry.extras.get(POOLED)
    if not isinstance(found, Tensor):
        return torch.zeros(1, width)
    if found.shape[-1] != width:
        raise NodeError(
            f"the pooled text has {found.shape[-1]} numbers, HunyuanVideo takes {width}: encode "
            "the prompt with DualCLIPLoader, type hunyuan_video"
        )
    return found
