"""Attention of Wan's models to a picture, where no picture was shown to CLIP.

Their layers attend to the text, and with keys and values of their own to what CLIP sees. As in the
incumbent, without CLIP these look at the text, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from engine.nets.attention import attend


class TextForPictures:
    """A processor of diffusers' attention layer: both kinds of keys and values are of the text."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        rotary_emb: Any = None,
    ) -> Tensor:
        """[B, N, C] and a text [B, T, C] -> [B, N, C]."""
        del attention_mask, rotary_emb
        text = encoder_hidden_states
        query = attn.norm_q(attn.to_q(hidden_states))
        seen = attend(query, attn.norm_k(attn.to_k(text)), attn.to_v(text), attn.heads)
        key, value = attn.norm_added_k(attn.add_k_proj(text)), attn.add_v_proj(text)
        out: Tensor = attn.to_out[0](seen + attend(query, key, value, attn.heads))
        return out


_TEXT_FOR_PICTURES = TextForPictures()


@contextmanager
def text_for_pictures(net: nn.Module) -> Iterator[None]:
    """Have the layers of a network that know pictures look at the text inside the `with`."""
    layers: list[Any] = [block.attn2 for block in net.blocks]  # type: ignore[union-attr]
    layers = [each for each in layers if each.add_k_proj is not None]
    kept = [each.processor for each in layers]
    for each in layers:
        each.processor = _TEXT_FOR_PICTURES
    try:
        yield
    finally:
        for each, before in zip(layers, kept, strict=True):
            each.processor = before
