"""Anima's adapter: it makes the text that the denoiser attends to.

Learned vectors of the tokens that T5 would have made of the prompt attend to the states of a
language model.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.family import Checkpoint
from engine.nets import rope
from engine.nets.layers import Linear
from engine.nets.transformer_layers import attend_heads

EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """Sizes, from tensor shapes.

    Attributes:
        tokens: the number of learned vectors.
        channels_out: of those, and of the result.
        channels: of a token inside.
        source: of the language model's states.
        head_channels: of one head.
        inner: channels inside a feed-forward.
        blocks: their number.
    """

    tokens: int
    channels_out: int
    channels: int
    source: int
    head_channels: int
    inner: int
    blocks: int


def in_pairs(heads: Tensor) -> Tensor:
    """Heads [B, N, heads, C] with channels i and i + C / 2 side by side, for `rope.rotate`.

    Queries and keys of rotary positions that pair those keep their products.
    """
    return heads.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)


class Attention(nn.Module):
    """Attention to the tokens themselves or to others, with rotary positions in both."""

    def __init__(self, config: AdapterConfig, source: int) -> None:
        super().__init__()
        self.head_channels = config.head_channels
        wide = config.channels
        self.q_proj, self.o_proj = (Linear(wide, wide, bias=False) for _ in range(2))
        self.k_proj, self.v_proj = (Linear(source, wide, bias=False) for _ in range(2))
        self.q_norm, self.k_norm = (nn.RMSNorm(config.head_channels, eps=EPSILON) for _ in range(2))

    def forward(self, tokens: Tensor, source: Tensor) -> Tensor:
        """[B, N, C] and [B, M, D] -> [B, N, C]."""
        query, key, value = (
            layer(given).unflatten(-1, (-1, self.head_channels))
            for layer, given in (
                (self.q_proj, tokens),
                (self.k_proj, source),
                (self.v_proj, source),
            )
        )
        query, key = in_pairs(self.q_norm(query)), in_pairs(self.k_norm(key))
        query, key = (rope.rotate(each, self._table(each)) for each in (query, key))
        return self.o_proj(attend_heads(query, key, value))

    def _table(self, heads: Tensor) -> Tensor:
        places = torch.arange(heads.shape[1], device=heads.device)[:, None]
        return rope.rotations(places, (self.head_channels,))


class Block(nn.Module):
    """Attention to the tokens, to the language model's states, and a feed-forward."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        wide = config.channels
        self.norm_self_attn = nn.RMSNorm(wide, eps=EPSILON)
        self.self_attn = Attention(config, wide)
        self.norm_cross_attn = nn.RMSNorm(wide, eps=EPSILON)
        self.cross_attn = Attention(config, config.source)
        self.norm_mlp = nn.RMSNorm(wide, eps=EPSILON)
        layers = {"0": Linear(wide, config.inner), "2": Linear(config.inner, wide)}
        self.mlp = nn.ModuleDict(layers)

    def forward(self, tokens: Tensor, source: Tensor) -> Tensor:
        """[B, N, C] and [B, M, D] -> [B, N, C]."""
        normal = self.norm_self_attn(tokens)
        tokens = tokens + self.self_attn(normal, normal)
        tokens = tokens + self.cross_attn(self.norm_cross_attn(tokens), source)
        inner = functional.gelu(self.mlp["0"](self.norm_mlp(tokens)))
        return tokens + self.mlp["2"](inner)


class Adapter(nn.Module):
    """The adapter."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        wide, out = config.channels, config.channels_out
        self.embed = nn.Embedding(config.tokens, out)
        self.in_proj = nn.Identity() if wide == out else Linear(out, wide)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.out_proj = Linear(wide, out)
        self.norm = nn.RMSNorm(out, eps=EPSILON)

    def forward(
        self, source: Tensor, numbers: Tensor, weights: Tensor | None, checkpoint: Checkpoint
    ) -> Tensor:
        """The text [B, N, channels_out].

        Args:
            source: [B, M, D], the states of the language model.
            numbers: [B, N], the numbers of T5's tokens.
            weights: [B, N, 1], of those tokens; None: all are 1.
            checkpoint: called before every block.
        """
        tokens = self.in_proj(self.embed(numbers).to(source.dtype))
        for block in self.blocks:
            checkpoint()
            tokens = block(tokens, source)
        found = self.norm(self.out_proj(tokens))
        return found if weights is None else found * weights
