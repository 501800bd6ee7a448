"""Multi-head attention over tokens, and the transformer blocks of the latent diffusion UNets.

`unet_blocks.py` turns feature maps into tokens and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nets.hooks import BlockHooks
from engine.nets.layers import Linear

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Attention with projected queries, keys and values [B, ., inner] -> [B, N, inner]."""
MOST_ROWS = 65_535
"""Rows that CUDA's fused kernels take (pytorch issue 146704); attention over frames has more for
large videos, a row for each cell."""


class _Instead:
    """What plugins put in the place of parts of all networks of this process."""

    attend: Callable[..., Tensor] | None = None
    block: Callable[..., Tensor | None] | None = None


def attend_by(function: Callable[..., Tensor] | None) -> None:
    """Attend by this function from now on, with the arguments of `attend`; None: by our own."""
    _Instead.attend = function


def blocks_by(function: Callable[..., Tensor | None] | None) -> None:
    """Ask this function, with the arguments of `TransformerBlock.forward`, before computing one."""
    _Instead.block = function


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, *, mask: Tensor | None = None
) -> Tensor:
    """See `attend_fused`; a plugin may have replaced it."""
    instead = _Instead.attend
    return (attend_fused if instead is None else instead)(query, key, value, heads, mask=mask)


def attend_fused(
    query: Tensor, key: Tensor, value: Tensor, heads: int, *, mask: Tensor | None = None
) -> Tensor:
    """softmax(q k^T / sqrt(d)) v (Vaswani et al. 2017, equation 1), every head on its own slice.

    query [B, N, heads * d], key and value [B, M, heads * d] -> [B, N, heads * d]; mask [B or 1,
    heads or 1, N or 1, M], true where a key counts, or numbers that are added to q k^T. On a CPU
    torch's fused kernel is the fastest of the forms tried, from 8 channels a head on.
    """
    if len(query) > MOST_ROWS and mask is None:
        split = (tokens.split(MOST_ROWS) for tokens in (query, key, value))
        return torch.cat([attend_fused(q, k, v, heads) for q, k, v in zip(*split, strict=True)])
    query, key, value = (
        tokens.unflatten(-1, (heads, -1)).transpose(1, 2) for tokens in (query, key, value)
    )
    found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return found.transpose(1, 2).flatten(2)


class OwnForward(partial[Tensor]):
    """A function of ours in the place of a block's `forward`, which is no plugin's."""


def call_block(
    block: nn.Module,
    tokens: Tensor,
    context: Tensor | None,
    hooks: BlockHooks | None,
    number: int,
) -> Tensor:
    """Call a transformer block, whose method a plugin may have replaced on this one object."""
    if _Instead.block is not None and "forward" in block.__dict__:
        found = _Instead.block(block, tokens, context, hooks, number)
        if found is not None:
            return found
    return block(tokens, context, hooks, number)


class CrossAttention(nn.Module):
    """Attention of tokens to a context, or to themselves if none is given."""

    def __init__(self, channels: int, inner: int, context_channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inner = inner
        self.to_q = Linear(channels, inner, bias=False)
        self.to_k = Linear(context_channels, inner, bias=False)
        self.to_v = Linear(context_channels, inner, bias=False)
        self.to_out = nn.Sequential(Linear(inner, channels))

    def forward(
        self,
        tokens: Tensor,
        context: Tensor | None = None,
        value: Tensor | None = None,
        attended: Attend | None = None,
    ) -> Tensor:
        """`tokens` [B, N, C], context [B, M, D] -> [B, N, C].

        Args:
            tokens: the input of queries.
            context: that of keys; None: the tokens.
            value: that of values; None: the context.
            attended: is called with queries, keys and values, each [B, ., inner], instead of
                `attend`.
        """
        context = tokens if context is None else context
        value = context if value is None else value
        projected = self.to_q(tokens), self.to_k(context), self.to_v(value)
        return self.to_out(attended(*projected) if attended else attend(*projected, self.heads))

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]
    ) -> Tensor:
        """The attention itself, see `engine.nets.hooks.HookedAttention`."""
        del options
        return attend(query, key, value, self.heads)


class GatedProjection(nn.Module):
    """GEGLU (Shazeer 2020): half of the projection gates the other, through an exact GELU."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.proj = Linear(channels, 2 * inner)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, channels] -> [B, N, inner]."""
        value, gate = self.proj(tokens).chunk(2, dim=-1)
        return functional.gelu(gate).mul_(value)


class FeedForward(nn.Module):
    """A gated projection to `inner` channels and a plain one back."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        # The second item was a dropout in training, which has no weights.
        self.net = nn.Sequential(
            GatedProjection(channels, inner), nn.Identity(), Linear(inner, channels)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        return self.net(tokens)


class TransformerBlock(nn.Module):
    """Self-attention, attention to the text, feed-forward; each with a norm and a residual.

    Without `self_attention` the first attention is to the text, too.
    """

    def __init__(
        self,
        channels: int,
        context_channels: int,
        heads: int,
        feed_forward: int,
        *,
        self_attention: bool = True,
    ) -> None:
        super().__init__()
        self.self_attention = self_attention
        seen = channels if self_attention else context_channels
        self.attn1 = CrossAttention(channels, channels, seen, heads)
        self.ff = FeedForward(channels, feed_forward)
        self.attn2 = CrossAttention(channels, channels, context_channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)

    def forward(
        self,
        tokens: Tensor,
        context: Tensor | None,
        hooks: BlockHooks | None = None,
        number: int = 0,
    ) -> Tensor:
        """`tokens` [B, N, C], context [B, T, D] -> [B, N, C]; `number`: its index in the block."""
        if _Instead.block is not None:
            instead = _Instead.block(self, tokens, context, hooks, number)
            if instead is not None:
                return instead
        return self.computed(tokens, context, hooks, number)

    def computed(
        self, tokens: Tensor, context: Tensor | None, hooks: BlockHooks | None, number: int
    ) -> Tensor:
        """The same, whatever plugins replaced."""
        if hooks:
            return self._hooked(tokens, context, hooks, number)
        # Adding in place into the layer's new result avoids a copy.
        seen = None if self.self_attention else context
        tokens = self.attn1(self.norm1(tokens), seen).add_(tokens)
        tokens = self.attn2(self.norm2(tokens), context).add_(tokens)
        return self.ff(self.norm3(tokens)).add_(tokens)

    def _hooked(
        self, tokens: Tensor, context: Tensor | None, hooks: BlockHooks, number: int
    ) -> Tensor:
        normal = self.norm1(tokens)
        seen = normal if self.self_attention or context is None else context
        tokens = tokens + hooks.attention("attn1", number, (normal, seen, seen), self.attn1)
        tokens = hooks.between(number, tokens, self.attn1)
        normal = self.norm2(tokens)
        text = normal if context is None else context
        tokens = tokens + hooks.attention("attn2", number, (normal, text, text), self.attn2)
        return self.ff(self.norm3(tokens)).add_(tokens)
