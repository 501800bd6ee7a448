"""Pictures in a prompt that attention weighs: Redux with `attn_bias`.

A conditioning entry holds `STYLES`. The logarithm of a strength is added where the text and the
picture look at a style's tokens, so that strength 2 counts them twice; they themselves look at all
tokens alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.diffusion.conditioning import Input

STYLES = "style_strengths"
"""The key of a conditioning entry: (first token, number of tokens, strength) of each style."""


def style_inputs(extras: Mapping[str, Any], tokens: int) -> dict[str, Input]:
    """The input `styles` [1, T, 2] of an entry: each token's style from 1 on, and its bias."""
    given: Sequence[tuple[int, int, float]] = extras.get(STYLES) or ()
    if not given:
        return {}
    found = torch.zeros(1, tokens, 2)
    for number, (first, count, strength) in enumerate(given):
        bias = math.log(strength) if strength > 0 else -math.inf
        found[:, first : first + count] = torch.tensor((number + 1.0, bias))
    return {"styles": Input(found)}


def attention_bias(styles: Tensor, img: Tensor) -> Tensor:
    """What is added to the product of a query and a key, [B, T + N, T + N].

    Args:
        styles: [B, T, 2], of the text.
        img: [B, N, D], tokens of the picture, which have no style.
    """
    style, bias = styles.unbind(-1)
    nothing = img.new_zeros(len(style), img.shape[1])
    style, bias = (torch.cat((each.to(img.dtype), nothing), dim=1) for each in (style, bias))
    # A style's own tokens, and those of styles that were added after it, are not biased by it.
    before = style[:, :, None] < style[:, None]
    return torch.where(before, bias[:, None], 0.0)
