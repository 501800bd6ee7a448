"""The transformer of CLIP's text side (Radford et al. 2021), and of OpenCLIP's.

Names of weights are those of `transformers`' CLIPTextModel, which most files use:
`embeddings.token_embedding.weight`, `encoder.layers.i...`, `final_layer_norm.weight`. Sizes are
read from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.clip_layers import LayerConfig, Layers
from engine.nets.layers import Linear

Shapes = Mapping[str, tuple[int, ...]]
MOST_POSITIONS = 4096
"""The limit of positions; CLIP has 77, its longest variant 248. Bounds the size of a table that is
made before any weight is read."""
PROJECTION = "text_projection.weight"


@dataclass(frozen=True, slots=True)
class ClipTextConfig:
    """Every size of one CLIP text encoder, and its activation.

    Attributes:
        vocabulary, positions: rows of the two embeddings.
        channels, feed_forward: widths of the layers and between their two projections.
        layers, heads: of the transformer.
        activation: `quick_gelu` (CLIP L) or `gelu` (OpenCLIP).
        projection: width of the projected pooled output; None for a file without the matrix.
    """

    vocabulary: int
    positions: int
    channels: int
    feed_forward: int
    layers: int
    heads: int
    activation: str
    projection: int | None = None


def clip_text_config(
    shapes: Shapes, *, head_channels: int = 64, activation: str = "quick_gelu"
) -> ClipTextConfig:
    """The configuration from tensor shapes, which do not show heads and activation.

    Raises:
        WeightsError: a tensor is missing, or the width does not split into heads.
    """
    vocabulary, channels = _matrix(shapes, "embeddings.token_embedding.weight")
    feed_forward, _ = _matrix(shapes, "encoder.layers.0.mlp.fc1.weight")
    start = "encoder.layers."
    numbers = (key[len(start) :].split(".", 1)[0] for key in shapes if key.startswith(start))
    if channels % head_channels or not channels:
        raise WeightsError(
            f"not a CLIP text encoder that works: {channels} channels do not split into heads of "
            f"{head_channels}"
        )
    positions, _ = _matrix(shapes, "embeddings.position_embedding.weight")
    if positions > MOST_POSITIONS:
        raise WeightsError(
            f"not a CLIP text encoder that works: it claims {positions:,} positions; "
            f"up to {MOST_POSITIONS:,} are read"
        )
    return ClipTextConfig(
        vocabulary=vocabulary,
        positions=positions,
        channels=channels,
        feed_forward=feed_forward,
        layers=max(int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4),
        heads=channels // head_channels,
        activation=activation,
        projection=_matrix(shapes, PROJECTION)[0] if PROJECTION in shapes else None,
    )


def _matrix(shapes: Shapes, key: str) -> tuple[int, int]:
    shape = shapes.get(key)
    if shape is None or len(shape) != 2:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(
            f"not a complete CLIP text encoder: {key} should be a matrix, found {found}"
        )
    return shape[0], shape[1]


class ClipText(nn.Module):
    """CLIP's text transformer: token vectors to the states of its layers."""

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        layer = LayerConfig(
            config.channels, config.feed_forward, config.heads, config.activation, causal=True
        )
        self.encoder = Layers(layer, config.layers)
        self.final_layer_norm = nn.LayerNorm(config.channels)
        if config.projection is not None:
            self.text_projection = Linear(config.channels, config.projection, bias=False)

    def vectors(self, tokens: Tensor) -> Tensor:
        """The vectors [B, T, D] of token numbers [B, T], without positions."""
        return self.embeddings.token_embedding(tokens)

    def states(
        self, vectors: Tensor, layer: int, checkpoint: Callable[[], None]
    ) -> tuple[Tensor, Tensor]:
        """(output of layer number `layer`, output of the last), neither normalised.

        Args:
            vectors: [B, T, D] without positions; T at most `positions`.
            layer: from 0; negative ones count from the end; clamped to the existing layers.
            checkpoint: called before every layer; may raise.
        """
        positions = torch.arange(vectors.shape[1], device=vectors.device)[None]
        states = vectors + self.embeddings.position_embedding(positions)
        count = self.config.layers
        wanted = min(max(count + layer if layer < 0 else layer, 0), count - 1)
        chosen = last = states
        for number, last in enumerate(self.encoder.each(states, checkpoint)):
            if number == wanted:
                chosen = last
        return chosen, last


class _Embeddings(nn.Module):
    """Two tables; a container that only provides their names."""

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocabulary, config.channels)
        self.position_embedding = nn.Embedding(config.positions, config.channels)
