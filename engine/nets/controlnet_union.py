"""The union ControlNet (ControlNet++, xinsir6 2024): one network for several types of pictures.

Each type has an embedding. A transformer computes a shift of the picture's features from one token,
their mean, and the type is also added to the embedding of the time. Keys are those of the published
files, `transformer_layes` included.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.layers import Linear
from engine.nets.unet import Shapes, timestep_embedding

HEADS = 8
SINUSOID = 256
"""Channels of the sinusoid of each type in the embedding of the types."""


@dataclass(frozen=True, slots=True)
class UnionConfig:
    """The sizes of the parts that depend on the type.

    Attributes:
        types: the number of types that have an embedding.
        flags: the number of types in the embedding added to the time's.
        channels: of the picture's features.
        feed_forward: channels between the two projections of a transformer layer.
        layers: of the transformer.
    """

    types: int
    flags: int
    channels: int
    feed_forward: int
    layers: int


def union_config(shapes: Shapes) -> UnionConfig:
    """The sizes from tensor shapes.

    Raises:
        WeightsError: a tensor is missing, or they do not fit together.
    """

    def size(key: str, axis: int) -> int:
        shape = shapes.get(key, ())
        if len(shape) != 2:
            found = f"shape {list(shape)}" if shape else "no such tensor"
            raise WeightsError(f"not complete: {key} should have 2 axes, found {found}")
        return shape[axis]

    layers = 0
    while f"transformer_layes.{layers}.ln_1.weight" in shapes:
        layers += 1
    config = UnionConfig(
        types=size("task_embedding", 0),
        flags=size("control_add_embedding.linear_1.weight", 1) // SINUSOID,
        channels=size("task_embedding", 1),
        feed_forward=size("transformer_layes.0.mlp.c_fc.weight", 0),
        layers=layers,
    )
    if config.channels % HEADS:
        raise WeightsError(f"{config.channels} channels do not split into {HEADS} heads")
    return config


class ControlNetUnion(ControlNet):
    """A ControlNet whose picture has a type."""

    def __init__(self, config: ControlNetConfig, union: UnionConfig) -> None:
        super().__init__(config)
        self.union = union
        self.task_embedding = nn.Parameter(torch.empty(union.types, union.channels))
        self.transformer_layes = nn.ModuleList(
            TransformerLayer(union.channels, union.feed_forward) for _ in range(union.layers)
        )
        self.spatial_ch_projs = Linear(union.channels, union.channels)
        self.control_add_embedding = TypeEmbedding(union.flags * SINUSOID, config.time_channels)

    def typed_features(self, picture: Tensor, chosen: int | None) -> Tensor:
        """Features of a picture [B, 3, 8 h, 8 w] in 0..1 of a type: [B, C, h, w].

        Without a type they are those of the convolutions alone.
        """
        features = self.input_hint_block(picture)
        if chosen is None:
            return features
        tokens = features.mean(dim=(2, 3))[:, None] + self.task_embedding[chosen]
        for layer in self.transformer_layes:
            tokens = layer(tokens)
        return features + self.spatial_ch_projs(tokens[:, 0])[:, :, None, None]

    def type_embedding(self, chosen: int | None, like: Tensor) -> Tensor:
        """What is added to the embedding of the time, [1, E], on the device of `like`."""
        flags = torch.zeros(self.union.flags, device=like.device)
        if chosen is not None:
            flags[chosen] = 1.0
        return self.control_add_embedding(
            timestep_embedding(flags, SINUSOID).flatten()[None].to(like.dtype)
        )


class TypeEmbedding(nn.Module):
    """Two projections with an activation between them."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.linear_1 = Linear(channels_in, channels_out)
        self.linear_2 = Linear(channels_out, channels_out)

    def forward(self, flags: Tensor) -> Tensor:
        """[B, C] -> [B, E]."""
        return self.linear_2(nn.functional.silu(self.linear_1(flags)))


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward part, each after a norm, as in CLIP."""

    def __init__(self, channels: int, feed_forward: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(channels, HEADS, batch_first=True)
        self.ln_1 = nn.LayerNorm(channels)
        self.mlp = FeedForward(channels, feed_forward)
        self.ln_2 = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        normal = self.ln_1(tokens)
        tokens = tokens + self.attn(normal, normal, normal, need_weights=False)[0]
        return tokens + self.mlp(self.ln_2(tokens))


class FeedForward(nn.Module):
    """Two projections with CLIP's approximate GELU (Radford et al. 2021) between them."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.c_fc = Linear(channels, inner)
        self.c_proj = Linear(inner, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., C] -> [..., C]."""
        hidden = self.c_fc(tokens)
        return self.c_proj(hidden * torch.sigmoid(1.702 * hidden))
