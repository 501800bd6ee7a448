"""Classes as conditioning, for models that were trained with class numbers instead of texts."""

from __future__ import annotations

from typing import Annotated

from engine.errors import NodeError
from engine.inference.encode import encode
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Clip, Conditioning

CLASSES = "classes"
"""The text encoder of such models."""


@node("ClassConditioning", category="conditioning", display="Class Conditioning")
def class_conditioning(
    *,
    clip: Clip,
    class_number: Annotated[int, Range(0, 1000, control_after_generate=True)] = 0,
    ctx: Context,
) -> Conditioning:
    """Encode the number of a class, for class-conditional models such as cin256-v2.

    ImageNet's classes are 0 to 999; 1000 is no class, for the negative. CLIP Text Encode does the
    same with a number as its text, and with an empty text for no class.
    """
    if CLASSES not in clip.parts:
        found = " and ".join(part.encoder.title for part in clip.parts.values())
        raise NodeError(
            f"Class Conditioning takes the CLIP of a class-conditional model (such as cin256-v2); "
            f"this one has {found}. Use CLIP Text Encode with it."
        )
    return encode(clip, str(class_number), _no_embedding, checkpoint=ctx.checkpoint)


def _no_embedding(name: str, encoder: str) -> None:
    del name, encoder
