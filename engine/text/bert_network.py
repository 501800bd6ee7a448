"""The text transformer of latent diffusion's text-to-image model (Rombach et al. 2022).

An encoder like BERT's (Devlin et al. 2019) with norms before the layers, trained with the denoiser.
Names of weights are those of the original file: `token_emb`, `pos_emb.emb`, `attn_layers.layers`,
in which attention and feed-forward parts alternate, and `norm`. Sizes are read from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.attention import attend
from engine.nets.layers import Linear

Shapes = Mapping[str, tuple[int, ...]]
HEAD_CHANNELS = 64
MOST_POSITIONS = 4096
"""Bounds the size of a table that is made before any weight is read."""
MARK = "token_emb.weight"


@dataclass(frozen=True, slots=True)
class BertTextConfig:
    """Every size of one such text encoder.

    Attributes:
        vocabulary, positions: rows of the two embeddings.
        channels, inner, feed_forward: widths of the layers, within attention, and between the two
            projections.
        layers: pairs of attention and feed-forward parts.
        heads: of every attention.
    """

    vocabulary: int
    positions: int
    channels: int
    inner: int
    feed_forward: int
    layers: int
    heads: int


def bert_text_config(shapes: Shapes, *, head_channels: int = HEAD_CHANNELS) -> BertTextConfig:
    """The configuration from tensor shapes, which do not show the heads.

    Raises:
        WeightsError: a tensor is missing, or the width does not split into heads.
    """
    vocabulary, channels = _matrix(shapes, MARK)
    positions, _ = _matrix(shapes, "pos_emb.emb.weight")
    if positions > MOST_POSITIONS:
        raise WeightsError(
            f"not a text encoder that works: it claims {positions:,} positions; "
            f"up to {MOST_POSITIONS:,} are read"
        )
    inner, _ = _matrix(shapes, "attn_layers.layers.0.1.to_q.weight")
    if not inner or inner % head_channels:
        raise WeightsError(
            f"not a text encoder that works: {inner} channels do not split into heads of "
            f"{head_channels}"
        )
    feed_forward, _ = _matrix(shapes, "attn_layers.layers.1.1.net.0.0.weight")
    start = "attn_layers.layers."
    numbers = (key[len(start) :].split(".", 1)[0] for key in shapes if key.startswith(start))
    last = max(int(n) for n in numbers if n.isdecimal() and len(n) < 4)
    return BertTextConfig(
        vocabulary=vocabulary,
        positions=positions,
        channels=channels,
        inner=inner,
        feed_forward=feed_forward,
        layers=last // 2 + 1,
        heads=inner // head_channels,
    )


def _matrix(shapes: Shapes, key: str) -> tuple[int, int]:
    shape = shapes.get(key)
    if shape is None or len(shape) != 2:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(f"not a complete text encoder: {key} should be a matrix, found {found}")
    return shape[0], shape[1]


class BertText(nn.Module):
    """The transformer: token vectors to the states of a layer."""

    def __init__(self, config: BertTextConfig) -> None:
        super().__init__()
        self.config = config
        self.token_emb = nn.Embedding(config.vocabulary, config.channels)
        self.pos_emb = _Positions(config)
        self.attn_layers = _Layers(config)
        self.norm = nn.LayerNorm(config.channels)

    def vectors(self, tokens: Tensor) -> Tensor:
        """The vectors [B, T, D] of token numbers [B, T], without positions."""
        return self.token_emb(tokens)

    def states(self, vectors: Tensor, layer: int, checkpoint: Callable[[], None]) -> Tensor:
        """The output [B, T, D] of layer number `layer`, not normalised.

        Args:
            vectors: [B, T, D] without positions; T at most `positions`.
            layer: from 0; negative ones count from the end; clamped to the existing layers.
            checkpoint: called before every layer; may raise.
        """
        positions = torch.arange(vectors.shape[1], device=vectors.device)[None]
        states = vectors + self.pos_emb.emb(positions)
        count = self.config.layers
        wanted = min(max(count + layer if layer < 0 else layer, 0), count - 1)
        for part in list(self.attn_layers.layers)[: 2 * (wanted + 1)]:
            checkpoint()
            norm, change = cast("nn.ModuleList", part)
            states = states + change(norm(states))
        return states


class _Positions(nn.Module):
    """A container that only provides the name."""

    def __init__(self, config: BertTextConfig) -> None:
        super().__init__()
        self.emb = nn.Embedding(config.positions, config.channels)


class _Layers(nn.Module):
    """Norm and attention, norm and feed-forward part, in turn."""

    def __init__(self, config: BertTextConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList((nn.LayerNorm(config.channels), part(config)))
            for _ in range(config.layers)
            for part in (_Attention, _FeedForward)
        )


class _Attention(nn.Module):
    def __init__(self, config: BertTextConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.to_q = Linear(config.channels, config.inner, bias=False)
        self.to_k = Linear(config.channels, config.inner, bias=False)
        self.to_v = Linear(config.channels, config.inner, bias=False)
        self.to_out = Linear(config.inner, config.channels)

    def forward(self, states: Tensor) -> Tensor:
        """Every token attends to all, padding too, as in training."""
        found = attend(self.to_q(states), self.to_k(states), self.to_v(states), self.heads)
        return self.to_out(found)


class _FeedForward(nn.Module):
    def __init__(self, config: BertTextConfig) -> None:
        super().__init__()
        inner = Linear(config.channels, config.feed_forward)
        # The second item was a dropout in training, which has no weights.
        self.net = nn.Sequential(
            nn.Sequential(inner, nn.GELU()),
            nn.Identity(),
            Linear(config.feed_forward, config.channels),
        )

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        return self.net(states)
