"""The transformer of CLIP's picture side (Radford et al. 2021), a ViT (Dosovitskiy et al. 2021).

Names of weights are those of `transformers`' CLIPVisionModelWithProjection without
`vision_model.`, among them its misspelt `pre_layrnorm`. Sizes are read from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.clip_layers import LayerConfig, Layers
from engine.nets.layers import Convolution, Linear
from engine.vision.encoder import Seen

Shapes = Mapping[str, tuple[int, ...]]
MARK = "embeddings.patch_embedding.weight"
POSITIONS = "embeddings.position_embedding.weight"
PROJECTION = "visual_projection.weight"
RELEASED_HEADS = 16
RELEASED_WIDTHS = (1024, 1280, 1664)
"""ViT-L, ViT-H and ViT-bigG, all with 16 heads."""
HEAD_CHANNELS = 64
QUICK_LAYERS = 24
"""ViT-L, which OpenAI trained with an approximate GELU, has as many; larger ones are OpenCLIP's."""
MOST_POSITIONS = 16385
"""The limit of positions, 128 x 128 patches; bounds a table that is made before any weight is
read."""


@dataclass(frozen=True, slots=True)
class ClipVisionConfig:
    """Every size of one CLIP image encoder, and its activation.

    Attributes:
        side: of the square picture, in pixels.
        patch: of the squares that become tokens, in pixels.
        channels, feed_forward: widths of the layers and between their two projections.
        layers, heads: of the transformer.
        activation: `quick_gelu` (ViT-L) or `gelu` (OpenCLIP).
        projection: width of the vector of a picture.
    """

    side: int
    patch: int
    channels: int
    feed_forward: int
    layers: int
    heads: int
    activation: str
    projection: int


def clip_vision_config(shapes: Shapes) -> ClipVisionConfig:
    """The configuration from tensor shapes, which do not show heads and activation.

    Raises:
        WeightsError: a tensor is missing or misshapen, or the sizes do not fit together.
    """
    patches = shapes.get(MARK, ())
    if len(patches) != 4 or patches[2] != patches[3] or patches[1] != 3 or 0 in patches:
        raise WeightsError(
            f"not a CLIP image encoder that works: {MARK} should be [width, 3, patch, patch], "
            f"found {list(patches)}"
        )
    channels, patch = patches[0], patches[3]
    positions, _ = _matrix(shapes, POSITIONS)
    grid = isqrt(max(positions - 1, 0))
    if not grid or grid * grid + 1 != positions or positions > MOST_POSITIONS:
        raise WeightsError(
            f"not a CLIP image encoder that works: {positions:,} positions are no square of "
            f"patches and one more, or more than {MOST_POSITIONS:,}"
        )
    if channels % HEAD_CHANNELS:
        raise WeightsError(
            f"not a CLIP image encoder that works: {channels} channels do not split into heads of "
            f"{HEAD_CHANNELS}"
        )
    feed_forward, _ = _matrix(shapes, "encoder.layers.0.mlp.fc1.weight")
    start = "encoder.layers."
    numbers = (key[len(start) :].split(".", 1)[0] for key in shapes if key.startswith(start))
    layers = max(int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4)
    return ClipVisionConfig(
        side=grid * patch,
        patch=patch,
        channels=channels,
        feed_forward=feed_forward,
        layers=layers,
        heads=RELEASED_HEADS if channels in RELEASED_WIDTHS else channels // HEAD_CHANNELS,
        activation="quick_gelu" if layers <= QUICK_LAYERS else "gelu",
        projection=_matrix(shapes, PROJECTION)[0],
    )


def _matrix(shapes: Shapes, key: str) -> tuple[int, int]:
    shape = shapes.get(key)
    if shape is None or len(shape) != 2:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(
            f"not a complete CLIP image encoder: {key} should be a matrix, found {found}"
        )
    return shape[0], shape[1]


class ClipVision(nn.Module):
    """CLIP's picture transformer: prepared pixels to states and a projected vector."""

    def __init__(self, config: ClipVisionConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.channels)
        layer = LayerConfig(
            config.channels, config.feed_forward, config.heads, config.activation, causal=False
        )
        self.encoder = Layers(layer, config.layers)
        self.post_layernorm = nn.LayerNorm(config.channels)
        self.visual_projection = Linear(config.channels, config.projection, bias=False)

    def forward(self, pixels: Tensor, checkpoint: Callable[[], None]) -> Seen:
        """Pixels [B, 3, side, side]; the vector is that of the first token, normalised."""
        states = self.pre_layrnorm(self.embeddings(pixels))
        before = last = states
        for states in self.encoder.each(last, checkpoint):
            before, last = last, states
        return Seen(last, before, self.visual_projection(self.post_layernorm(last[:, 0])))


class _Embeddings(nn.Module):
    """Squares of pixels to tokens, after one learned token for the whole picture."""

    def __init__(self, config: ClipVisionConfig) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.empty(config.channels))
        self.patch_embedding = Convolution(
            3, config.channels, config.patch, stride=config.patch, bias=False
        )
        count = (config.side // config.patch) ** 2 + 1
        self.position_embedding = nn.Embedding(count, config.channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, side, side] -> [B, T, D]."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(pixels), 1, -1)
        tokens = torch.cat((first, patches), dim=1)
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return tokens + self.position_embedding(positions)
