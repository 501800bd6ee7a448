"""The encoder of T5 (Raffel et al. 2020), version 1.1 and its kin: mT5, UMT5, pile-T5.

Names of weights are those of `transformers`' T5EncoderModel: `shared.weight`, `encoder.block.i...`.
Sizes are read from tensor shapes. There are no absolute positions: a learned bias of the attention
depends on the distance of two tokens. Attention is not scaled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.layers import Linear

Shapes = Mapping[str, tuple[int, ...]]
MARK = "encoder.block.0.layer.0.SelfAttention.q.weight"
BIAS = "layer.0.SelfAttention.relative_attention_bias.weight"
FARTHEST = 128
"""Larger distances share one bias."""
EPSILON = 1e-6
FP16_MARGIN = 64.0
"""In fp16 the feed-forward part's result is computed at this fraction, or it would overflow."""


@dataclass(frozen=True, slots=True)
class T5Config:
    """Every size of one encoder.

    Attributes:
        vocabulary: rows of the embedding.
        channels, inner, feed_forward: widths of the states, within attention, and between the two
            projections.
        layers, heads: of the transformer.
        distances: rows of a table of biases.
        gated: whether the feed-forward part is gated (version 1.1); the first version has a ReLU.
        each: whether every layer has a table of biases of its own (UMT5), else only the first.
    """

    vocabulary: int
    channels: int
    inner: int
    feed_forward: int
    layers: int
    heads: int
    distances: int
    gated: bool
    each: bool


def t5_config(shapes: Shapes) -> T5Config:
    """The configuration from tensor shapes.

    Raises:
        WeightsError: a tensor is missing, or the width does not split into heads.
    """
    vocabulary, channels = _matrix(shapes, "shared.weight")
    inner, _ = _matrix(shapes, MARK)
    distances, heads = _matrix(shapes, f"encoder.block.0.{BIAS}")
    if not heads or inner % heads or distances < 4:
        raise WeightsError(
            f"not a T5 text encoder that works: {inner} channels do not split into {heads} heads"
        )
    feed_forward = "encoder.block.0.layer.1.DenseReluDense."
    gated = f"{feed_forward}wi_0.weight" in shapes
    wide, _ = _matrix(shapes, f"{feed_forward}{'wi_0' if gated else 'wi'}.weight")
    start = "encoder.block."
    numbers = (key[len(start) :].split(".", 1)[0] for key in shapes if key.startswith(start))
    return T5Config(
        vocabulary=vocabulary,
        channels=channels,
        inner=inner,
        feed_forward=wide,
        layers=max(int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4),
        heads=heads,
        distances=distances,
        gated=gated,
        each=f"encoder.block.1.{BIAS}" in shapes,
    )


def _matrix(shapes: Shapes, key: str) -> tuple[int, int]:
    shape = shapes.get(key)
    if shape is None or len(shape) != 2:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(
            f"not a complete T5 text encoder: {key} should be a matrix, found {found}"
        )
    return shape[0], shape[1]


class T5Text(nn.Module):
    """The encoder: token vectors to the states of a layer."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        self.shared = nn.Embedding(config.vocabulary, config.channels)
        self.encoder = _Stack(config)

    def vectors(self, tokens: Tensor) -> Tensor:
        """The vectors [B, T, D] of token numbers [B, T]."""
        return self.shared(tokens)

    def states(
        self,
        vectors: Tensor,
        layer: int,
        checkpoint: Callable[[], None],
        *,
        mask: Tensor | None = None,
        normalised: bool = True,
    ) -> Tensor:
        """The output [B, T, D] of layer number `layer`.

        Args:
            vectors: [B, T, D].
            layer: from 0; negative ones count from the end; clamped to the existing layers.
            checkpoint: called before every layer; may raise.
            mask: [B, T], 1 for tokens that are attended to; None: all.
            normalised: whether the final norm is applied.
        """
        count = self.config.layers
        wanted = min(max(count + layer if layer < 0 else layer, 0), count - 1)
        dtype = vectors.dtype
        # The sum of all layers exceeds fp16's range.
        states = vectors.float() if dtype == torch.float16 else vectors
        bias = None
        for block in list(self.encoder.block)[: wanted + 1]:
            checkpoint()
            states, bias = block(states, bias, mask)
        if normalised:
            states = self.encoder.final_layer_norm(states)
        return states


class _Stack(nn.Module):
    """The layers; a container that only provides the names."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            _Block(config, biased=config.each or not number) for number in range(config.layers)
        )
        self.final_layer_norm = _Norm(config.channels)


class _Block(nn.Module):
    def __init__(self, config: T5Config, *, biased: bool) -> None:
        super().__init__()
        self.layer = nn.ModuleList((_SelfAttention(config, biased=biased), _FeedForward(config)))

    def forward(
        self, states: Tensor, bias: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The new states [B, T, D], and the bias [1 or B, heads, T, T] that later layers use."""
        attention, feed_forward = cast("tuple[_SelfAttention, _FeedForward]", tuple(self.layer))
        table = attention.SelfAttention.bias(states)
        if table is not None:
            bias = table if mask is None else _without_padding(table, mask)
        if bias is None:
            raise AssertionError("the first layer has a bias")
        return feed_forward(attention(states, bias)), bias


def _without_padding(bias: Tensor, mask: Tensor) -> Tensor:
    """The bias with padding, whose `mask` [B, T] is 0, left out of the attention."""
    return bias.masked_fill(mask[:, None, None] == 0, torch.finfo(bias.dtype).min)


class _SelfAttention(nn.Module):
    def __init__(self, config: T5Config, *, biased: bool) -> None:
        super().__init__()
        self.SelfAttention = _Attention(config, biased=biased)
        self.layer_norm = _Norm(config.channels)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D], added to the input."""
        return states + self.SelfAttention(self.layer_norm(states), bias)


class _Attention(nn.Module):
    def __init__(self, config: T5Config, *, biased: bool) -> None:
        super().__init__()
        self.heads, self.distances = config.heads, config.distances
        self.q = Linear(config.channels, config.inner, bias=False)
        self.k = Linear(config.channels, config.inner, bias=False)
        self.v = Linear(config.channels, config.inner, bias=False)
        self.o = Linear(config.inner, config.channels, bias=False)
        if biased:
            self.relative_attention_bias = nn.Embedding(config.distances, config.heads)

    def bias(self, states: Tensor) -> Tensor | None:
        """[1, heads, T, T] for as many tokens as `states` [B, T, D] has; None without a table."""
        table = getattr(self, "relative_attention_bias", None)
        if table is None:
            return None
        places = torch.arange(states.shape[1], device=states.device)
        buckets = distance_buckets(places[None] - places[:, None], self.distances)
        return table(buckets).permute(2, 0, 1)[None]

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """Every token attends to all, with a bias by distance."""
        query, key, value = (
            each(states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in (self.q, self.k, self.v)
        )
        found = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias.to(query.dtype), scale=1.0
        )
        return self.o(found.transpose(1, 2).flatten(2))


def distance_buckets(distances: Tensor, count: int) -> Tensor:
    """The rows of a table for distances of key and query tokens, any shape.

    Half of the rows are for keys behind the query. Of each half, one half is for one distance
    each; the rest grows logarithmically up to `FARTHEST` (Raffel et al. 2020, section 2.1).
    """
    half = count // 2
    exact = half // 2
    far = distances.abs()
    ratio = torch.log(far.clamp(min=1).float() / exact) / math.log(FARTHEST / exact)
    logarithmic = exact + (ratio * (half - exact)).long()
    near = torch.where(far < exact, far, logarithmic.clamp(max=half - 1))
    return near + (distances > 0) * half


class _FeedForward(nn.Module):
    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.DenseReluDense = _Dense(config)
        self.layer_norm = _Norm(config.channels)

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D], added to the input."""
        return states + self.DenseReluDense(self.layer_norm(states))


class _Dense(nn.Module):
    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.gated = config.gated
        if config.gated:
            self.wi_0 = Linear(config.channels, config.feed_forward, bias=False)
            self.wi_1 = Linear(config.channels, config.feed_forward, bias=False)
        else:
            self.wi = Linear(config.channels, config.feed_forward, bias=False)
        self.wo = Linear(config.feed_forward, config.channels, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]; float32 for fp16 states, whose range it exceeds."""
        if self.gated:
            gate = functional.gelu(self.wi_0(states), approximate="tanh")
            if states.dtype == torch.float16:
                inner = gate.float() * self.wi_1(states).float() / FP16_MARGIN
                return self.wo(inner.half()).float() * FP16_MARGIN
            return self.wo(gate * self.wi_1(states))
        return self.wo(functional.relu(self.wi(states)))


class _Norm(nn.Module):
    """Division by the root mean square, computed in float32 (Zhang and Sennrich 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, states: Tensor) -> Tensor:
        """[..., D] -> [..., D], in the dtype of the weight."""
        wide = states.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPSILON)
        return self.weight * wide.to(self.weight.dtype)
