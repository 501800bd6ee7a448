"""The text of HunyuanImage 2.1 and HunyuanVideo 1.5: Qwen2.5-VL 7B, and ByT5 for quoted words.

Templates, layer, and what is quoted: diffusers 0.42 (Apache-2.0), pipeline_hunyuanimage.py and
pipeline_hunyuan_video1_5.py. Without quotations in a prompt there are no glyphs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from engine.errors import NodeError, WeightsError
from engine.families.family import Entry
from engine.text.encoder import Encoded
from engine.text.quoted import Quotations

TEXT, GLYPH_ENCODER = "qwen25_7b", "byt5_small"
GLYPHS = "glyphs"
"""The key of a conditioning entry: the glyph encoder's states [1, T, C]."""
LAYER = -3
PLACES: Mapping[str, str] = {
    TEXT: "text_encoders.qwen25_7b.transformer.",
    GLYPH_ENCODER: "text_encoders.byt5_small.transformer.",
}
_FORM = "<|im_start|>system\n%s<|im_end|>\n<|im_start|>user\n{}<|im_end|>"
_PAUSE = " " * 9
_RELATED, _CHANGES = "relationships of the objects.", "changes of the objects."
VIDEO_TEMPLATE = (
    _FORM
    % _PAUSE.join(
        (
            "You are a helpful assistant. Describe the video by detailing the following aspects:",
            "1. The main content and theme of the video.",
            f"2. The color, shape, size, texture, quantity, text, and spatial {_RELATED}",
            f"3. Actions, events, behaviors temporal relationships, physical movement {_CHANGES}",
            "4. background environment, light, style and atmosphere.",
            "5. camera angles, movements, and transitions used in the video.",
        )
    )
    + "\n<|im_start|>assistant\n"
)
VIDEO_LEFT_OUT = 108
PICTURE_TEMPLATE = _FORM % (
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:"
)
PICTURE_LEFT_OUT = 34
"""So many tokens before the prompt are left out."""
VIDEO_QUOTATIONS = Quotations((('""', "\u201c\u201d"),), once=True)
PICTURE_QUOTATIONS = Quotations((("''",), ('""',), ("\u2018\u2019",), ("\u201c\u201d",)))


def combined(
    model: str, kind: str
) -> Callable[[Mapping[str, Encoded]], tuple[Tensor, dict[str, Any]]]:
    """How both outputs become one conditioning, for a `TextPlan`.

    Args:
        model: the family's name, for messages.
        kind: the loaders' name of this set of encoders.
    """

    def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
        if TEXT not in encoded:
            raise WeightsError(
                f"{model} needs the text encoder Qwen2.5-VL 7B, which is missing; load "
                "qwen_2.5_vl_7b.safetensors and byt5_small_glyphxl_fp16.safetensors with "
                f"DualCLIPLoader, type {kind}."
            )
        glyphs = encoded.get(GLYPH_ENCODER)
        return encoded[TEXT].states, {} if glyphs is None else {GLYPHS: glyphs.states}

    return combine


def glyphs_of(entry: Entry, width: int, model: str) -> Tensor | None:
    """The states of quoted words [1, T, width]; None without any.

    Raises:
        NodeError: they are those of another encoder.
    """
    found = entry.extras.get(GLYPHS)
    if not isinstance(found, Tensor) or not width:
        return None
    if found.ndim != 3 or found.shape[2] != width:
        raise NodeError(
            f"the states of quoted words have the shape {list(found.shape)}, {model} takes {width} "
            "channels: load byt5_small_glyphxl_fp16.safetensors as the second text encoder"
        )
    return found
