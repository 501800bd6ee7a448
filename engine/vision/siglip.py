"""SigLIP's image encoders (Zhai et al. 2023, arXiv 2303.15343): so400m, as FLUX.1 Redux uses it.

A ViT without a token for the whole picture. Names of weights are those of transformers'
SiglipVisionModel without `vision_model.`; its head, which pools the tokens, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.clip_layers import LayerConfig, Layers
from engine.nets.layers import Convolution
from engine.vision.encoder import Checkpoint, Seen
from engine.vision.pictures import squares
from engine.weights.state_dict import StateDict

PREFIXES = ("vision_model.", "vision_tower.vision_model.", "")
MARK = "embeddings.patch_embedding.bias"
PATCHES = "embeddings.patch_embedding.weight"
POSITIONS = "embeddings.position_embedding.weight"
CLASS = "embeddings.class_embedding"
"""A token of CLIP's, which SigLIP does not have."""
PARTS = ("embeddings.", "encoder.", "post_layernorm.")
POSITION_IDS = "embeddings.position_ids"
MEAN = DEVIATION = (0.5, 0.5, 0.5)
"""Of the colours, as its authors normalise them to -1..1."""
HEADS: Mapping[int, int] = {1152: 16, 1536: 16}
"""By width: so400m and giant; others have heads of 64 channels."""
HEAD_CHANNELS = 64
SIDES: Mapping[tuple[int, int], int] = {(27, 14): 384}
"""Of pictures, in pixels, by patches and pixels of a patch along a side: where they are more than
the patches, whose remainder is cut."""
EPSILON = 1e-6
MOST_POSITIONS = 16384


@dataclass(frozen=True, slots=True)
class SiglipConfig:
    """Every size of one encoder.

    Attributes:
        side: of the square picture, in pixels.
        patch: of the squares that become tokens, in pixels.
        channels, feed_forward: widths of the layers and between their two projections.
        layers, heads: of the transformer.
    """

    side: int
    patch: int
    channels: int
    feed_forward: int
    layers: int
    heads: int


class Siglip(nn.Module):
    """Prepared pixels to states."""

    def __init__(self, config: SiglipConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        layer = LayerConfig(
            config.channels,
            config.feed_forward,
            config.heads,
            "gelu_tanh",
            causal=False,
            epsilon=EPSILON,
        )
        self.encoder = Layers(layer, config.layers)
        self.post_layernorm = nn.LayerNorm(config.channels, eps=EPSILON)

    def forward(self, pixels: Tensor, checkpoint: Callable[[], None]) -> Seen:
        """Pixels [B, 3, side, side]; the last states are normalised, the vector is their mean."""
        before = last = self.embeddings(pixels)
        for states in self.encoder.each(last, checkpoint):
            before, last = last, states
        last = self.post_layernorm(last)
        return Seen(last, before, last.mean(dim=1))


class _Embeddings(nn.Module):
    """Squares of pixels to tokens."""

    def __init__(self, config: SiglipConfig) -> None:
        super().__init__()
        self.patch_embedding = Convolution(3, config.channels, config.patch, stride=config.patch)
        count = (config.side // config.patch) ** 2
        self.position_embedding = nn.Embedding(count, config.channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, side, side] -> [B, T, D]."""
        tokens = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return tokens + self.position_embedding(positions)


class SiglipImageEncoder:
    """See `engine.vision.encoder.ImageEncoder`, which this implements."""

    name = "SigLIP image encoder"
    examples = (
        "so400m/14 at 384 pixels, for FLUX.1 Redux (`sigclip_vision_patch14_384` of "
        "huggingface.co/Comfy-Org/sigclip_vision_384), and others of squares of a fixed size"
    )

    def detect(self, weights: StateDict) -> SiglipConfig | None:
        """The configuration of one in a separate file."""
        found = _tensors(weights)
        return None if found is None else _config(found)

    def tensors(self, weights: StateDict) -> StateDict:
        """See `ImageEncoder`."""
        found = _tensors(weights)
        if found is None:
            raise ValueError("these are no SigLIP image encoder's tensors")
        return found

    def build(self, config: SiglipConfig) -> nn.Module:
        """See `ImageEncoder`."""
        with torch.device("meta"):
            return Siglip(config).eval()

    def dtypes(self, config: SiglipConfig) -> Sequence[torch.dtype]:
        """Any."""
        del config
        return ()

    def prepare(self, config: SiglipConfig, pictures: Tensor, *, crop: bool) -> Tensor:
        """Resized (bicubic), cropped, rounded to 8 bits, in -1..1."""
        return squares(pictures, config.side, MEAN, DEVIATION, crop=crop)

    def encode(self, module: nn.Module, pixels: Tensor, checkpoint: Checkpoint) -> Seen:
        """See `ImageEncoder`."""
        return module(pixels, checkpoint)

    def activation_bytes(self, config: SiglipConfig, pictures: int, dtype_bytes: int) -> int:
        """Bytes of a few tensors of the feed-forward width, and the attention scores."""
        tokens = (config.side // config.patch) ** 2
        wide = 4 * config.feed_forward + 8 * config.channels
        return pictures * tokens * (wide + config.heads * tokens) * max(dtype_bytes, 4)


def _tensors(weights: StateDict) -> StateDict | None:
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" not in weights or f"{prefix}{CLASS}" in weights:
            continue
        part = weights.part(prefix)

        def ours(name: str) -> str | None:
            return name if name.startswith(PARTS) and name != POSITION_IDS else None

        return part.rename(ours).refuse_empty()
    return None


def _config(found: StateDict) -> SiglipConfig:
    """The configuration from tensor shapes.

    Raises:
        WeightsError: a tensor is missing or misshapen, or the sizes do not fit together.
    """
    patches = found.shape(PATCHES) or ()
    if len(patches) != 4 or patches[2] != patches[3] or patches[1] != 3:
        raise WeightsError(
            f"not a SigLIP image encoder that can be used: {PATCHES} should be [width, 3, patch, "
            f"patch], found {list(patches)}; encoders of pictures of any size (NaFlex) cannot"
        )
    channels, patch = patches[0], patches[3]
    positions = found.shape(POSITIONS) or (0,)
    grid = isqrt(positions[0])
    if not grid or grid * grid != positions[0] or positions[0] > MOST_POSITIONS:
        raise WeightsError(
            f"not a SigLIP image encoder that can be used: {positions[0]:,} positions are no "
            f"square of patches, or more than {MOST_POSITIONS:,}"
        )
    heads = HEADS.get(channels, channels // HEAD_CHANNELS)
    inner = found.shape("encoder.layers.0.mlp.fc1.weight") or ()
    if len(inner) != 2 or not heads or channels % heads:
        raise WeightsError(
            f"not a SigLIP image encoder that can be used: {channels} channels do not split into "
            f"heads, or encoder.layers.0.mlp.fc1.weight is no matrix (found {list(inner)})"
        )
    start = "encoder.layers."
    numbers = (key[len(start) :].split(".", 1)[0] for key in found if key.startswith(start))
    layers = max(int(number) + 1 for number in numbers if number.isdecimal() and len(number) < 4)
    side = SIDES.get((grid, patch), grid * patch)
    return SiglipConfig(side, patch, channels, inner[0], layers, heads)
