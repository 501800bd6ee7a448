"""The vision tower of Qwen3-VL (Qwen3-VL's technical report, 2025).

Names of weights are those of `transformers` below `visual.`. Every layer attends to the whole
picture. Four neighbouring patches become one vector; outputs of some layers are added to the first
layers of the language model (DeepStack, Meng et al. 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.layers import Linear
from engine.text.decoder import Seen
from engine.text.decoder_network import rotate
from engine.text.encoder import Checkpoint
from engine.text.vision_patches import MERGED, fitted, patch_places, patches_of, place_table
from engine.weights.state_dict import StateDict

HEADS = 16
EPSILON = 1e-6
FEWEST_PIXELS, MOST_PIXELS = 65_536, 16_777_216
TAPS_OF_27 = (8, 16, 24)
"""The layers that are tapped in the largest tower, which are not spread evenly."""


@dataclass(frozen=True, slots=True)
class Qwen3VisionConfig:
    """The sizes of one tower.

    Attributes:
        channels, feed_forward: widths of the states and between the projections.
        layers: of the transformer.
        patch, frames: sides of a patch in pixels, and its length in time.
        places: rows of the table of positions, a square.
        out: the width of the language model.
        taps: the layers whose outputs are added within the language model.
    """

    channels: int
    feed_forward: int
    layers: int
    patch: int
    frames: int
    places: int
    out: int
    taps: tuple[int, ...]


class Qwen3Vision:
    """See `engine.text.decoder.VisionKind`."""

    def config(self, tensors: StateDict) -> Qwen3VisionConfig | None:
        """The sizes; None without a tower. Raises `WeightsError` if a tensor is missing."""
        patches = tensors.shape("patch_embed.proj.weight")
        if patches is None:
            return None
        wide = tensors.shape("blocks.0.mlp.linear_fc1.weight") or (0,)
        out = tensors.shape("merger.linear_fc2.weight") or (0,)
        places = tensors.shape("pos_embed.weight") or (0,)
        numbers = (name.split(".")[1] for name in tensors if name.startswith("blocks."))
        if len(patches) != 5 or patches[0] % HEADS or not (wide[0] and out[0] and places[0]):
            raise WeightsError(
                f"not a vision tower of Qwen3-VL that works: patches {list(patches)}, "
                f"feed-forward {wide[0]}, output {out[0]}, positions {places[0]}"
            )
        layers = max(int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4)
        start = "deepstack_merger_list."
        stacked = {name.split(".")[1] for name in tensors if name.startswith(start)}
        return Qwen3VisionConfig(
            channels=patches[0],
            feed_forward=wide[0],
            layers=layers,
            patch=patches[3],
            frames=patches[2],
            places=places[0],
            out=out[0],
            taps=_taps(layers, len(stacked)),
        )

    def build(self, config: Qwen3VisionConfig) -> nn.Module:
        """The tower, on the current default device."""
        return Qwen3Tower(config)


def _taps(layers: int, count: int) -> tuple[int, ...]:
    if (layers, count) == (27, 3):
        return TAPS_OF_27
    return tuple(layers * (i + 1) // (count + 1) - 1 for i in range(count))


class Qwen3Tower(nn.Module):
    """The network."""

    def __init__(self, config: Qwen3VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = _Patches(config)
        self.pos_embed = nn.Embedding(config.places, config.channels)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.merger = _Merger(config, joined=False)
        self.deepstack_merger_list = nn.ModuleList(
            _Merger(config, joined=True) for _ in config.taps
        )

    def look(self, pixels: Tensor, checkpoint: Checkpoint) -> Seen:
        """A picture [1, h, w, 3], 0 to 1, of any size."""
        config = self.config
        limits = FEWEST_PIXELS, MOST_PIXELS
        picture = fitted(pixels, config.patch * MERGED, limits) * 2 - 1
        rows, columns = (side // config.patch for side in picture.shape[-2:])
        states = self.patch_embed(patches_of(picture, config.patch, config.frames))
        states = states + self._places(rows, columns, states)
        table = place_table(rows, columns, config.channels // HEADS, states.device)
        added: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            checkpoint()
            states = block(states, table)
            if number in config.taps:
                added.append(self.deepstack_merger_list[len(added)](states))
        return Seen(self.merger(states), rows // MERGED, columns // MERGED, added)

    def _places(self, rows: int, columns: int, like: Tensor) -> Tensor:
        """The learned positions [N, D] of all patches, between those of the table."""
        side = round(self.config.places**0.5)
        where = patch_places(rows, columns, like.device)
        found = torch.zeros_like(like)
        ends: list[tuple[Tensor, Tensor, Tensor]] = []
        for axis, count in enumerate((rows, columns)):
            exact = torch.linspace(0, side - 1, count, device=like.device)[where[axis]]
            low = exact.long()
            ends.append((low, (low + 1).clamp(max=side - 1), exact - low))
        for i in range(2):
            for j in range(2):
                (*row, down), (*column, right) = ends
                share = (down if i else 1 - down) * (right if j else 1 - right)
                vectors = self.pos_embed(row[i] * side + column[j])
                found = found + vectors * share[:, None].to(like.dtype)
        return found


class _Patches(nn.Module):
    def __init__(self, config: Qwen3VisionConfig) -> None:
        super().__init__()
        size = (config.frames, config.patch, config.patch)
        self.proj = nn.Conv3d(3, config.channels, size, stride=size)

    def forward(self, patches: Tensor) -> Tensor:
        """[N, values of a patch] -> [N, D]: a convolution whose steps are as long as its kernel."""
        weight = self.proj.weight
        return functional.linear(patches.to(weight), weight.flatten(1), self.proj.bias)


class _Block(nn.Module):
    def __init__(self, config: Qwen3VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.channels, eps=EPSILON)
        self.norm2 = nn.LayerNorm(config.channels, eps=EPSILON)
        self.attn = _Attention(config)
        self.mlp = _FeedForward(config)

    def forward(self, states: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        """[N, D] -> [N, D]."""
        states = states + self.attn(self.norm1(states), table)
        return states + self.mlp(self.norm2(states))


class _Attention(nn.Module):
    def __init__(self, config: Qwen3VisionConfig) -> None:
        super().__init__()
        self.qkv = Linear(config.channels, 3 * config.channels)
        self.proj = Linear(config.channels, config.channels)

    def forward(self, states: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        """Every patch attends to all."""
        query, key, value = (
            each.unflatten(-1, (HEADS, -1)).transpose(0, 1)[None]
            for each in self.qkv(states).chunk(3, dim=-1)
        )
        query, key = rotate(query, table), rotate(key, table)
        found = functional.scaled_dot_product_attention(query, key, value)[0]
        return self.proj(found.transpose(0, 1).flatten(1))


class _FeedForward(nn.Module):
    def __init__(self, config: Qwen3VisionConfig) -> None:
        super().__init__()
        self.linear_fc1 = Linear(config.channels, config.feed_forward)
        self.linear_fc2 = Linear(config.feed_forward, config.channels)

    def forward(self, states: Tensor) -> Tensor:
        """[N, D] -> [N, D]."""
        inner = functional.gelu(self.linear_fc1(states), approximate="tanh")
        return self.linear_fc2(inner)


class _Merger(nn.Module):
    """Four patches to a vector of the language model; `joined` before they are normalised."""

    def __init__(self, config: Qwen3VisionConfig, *, joined: bool) -> None:
        super().__init__()
        self.joined = joined
        self.inner = config.channels * MERGED**2
        self.norm = nn.LayerNorm(self.inner if joined else config.channels, eps=EPSILON)
        self.linear_fc1 = Linear(self.inner, self.inner)
        self.linear_fc2 = Linear(self.inner, config.out)

    def forward(self, states: Tensor) -> Tensor:
        """[N, D] -> [N / 4, out]."""
        if self.joined:
            states = self.norm(states.reshape(-1, self.inner))
        else:
            states = self.norm(states).reshape(-1, self.inner)
        return self.linear_fc2(functional.gelu(self.linear_fc1(states)))
