"""A prompt of its own for control networks."""

from __future__ import annotations

from engine.errors import NodeError
from engine.inference.control_text import POOLED, TOKENS
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from nodes.conditioning import with_values
from nodes.sockets import Clip, Conditioning
from nodes.text import Prompt, clip_text_encode, embeddings_mentioned


@node("CLIPTextEncodeControlnet", category="_for_testing/conditioning", experimental=True)
def clip_text_encode_controlnet(
    clip: Clip, conditioning: Conditioning, text: Prompt, ctx: Context
) -> Conditioning:
    """Encode a prompt that only the control networks of a conditioning read.

    The model reads the prompt that was there before; without a control network nothing changes.
    """
    encoded = clip_text_encode(text, clip, ctx)
    if len(encoded) != 1:
        raise NodeError(
            f"the prompt for control networks became {len(encoded)} conditionings, one for each "
            "keyframe of the hooks of its CLIP; take the CLIP from before those hooks"
        )
    tokens, known = encoded[0]
    return with_values(conditioning, **{TOKENS: tokens, POOLED: known.get("pooled_output")})


@clip_text_encode_controlnet.fingerprint
def _(text: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return embeddings_mentioned(text, ctx)
