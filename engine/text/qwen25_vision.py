"""The vision tower of Qwen2.5-VL (Bai et al. 2025): a picture to vectors in the place of tokens.

Names of weights are those of `transformers` below `visual.`. Most layers attend within windows of
8 x 8 patches, every eighth to the whole picture. Four neighbouring patches become one vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.layers import Linear
from engine.text.decoder import Seen
from engine.text.decoder_network import GatedFeedForward, RootMeanSquareNorm, rotate
from engine.text.encoder import Checkpoint
from engine.text.vision_patches import MERGED, fitted, patches_of, place_table
from engine.weights.state_dict import StateDict

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's training pictures, red, green and blue."""
LIMITS = 3136, 12_845_056
"""The fewest and the most pixels of a picture."""
WINDOW = 4
"""Vectors of a window, in rows and in columns."""
WHOLE_EVERY = 8
HEAD_CHANNELS = 80
EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Qwen25VisionConfig:
    """The sizes of one tower.

    Attributes:
        channels, feed_forward: widths of the states and between the projections.
        layers: of the transformer.
        patch, frames: sides of a patch in pixels, and its length in time.
        out: the width of the language model.
    """

    channels: int
    feed_forward: int
    layers: int
    patch: int
    frames: int
    out: int


class Qwen25Vision:
    """See `engine.text.decoder.VisionKind`."""

    def config(self, tensors: StateDict) -> Qwen25VisionConfig | None:
        """The sizes; None without a tower. Raises `WeightsError` if a tensor is missing."""
        patches = tensors.shape("patch_embed.proj.weight")
        if patches is None:
            return None
        wide = tensors.shape("blocks.0.mlp.gate_proj.weight") or (0,)
        out = tensors.shape("merger.mlp.2.weight") or (0,)
        numbers = (name.split(".")[1] for name in tensors if name.startswith("blocks."))
        if len(patches) != 5 or patches[0] % HEAD_CHANNELS or not wide[0] or not out[0]:
            raise WeightsError(
                f"not a vision tower of Qwen2.5-VL that works: patches {list(patches)}, "
                f"feed-forward {wide[0]}, output {out[0]}"
            )
        return Qwen25VisionConfig(
            channels=patches[0],
            feed_forward=wide[0],
            layers=max(int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4),
            patch=patches[3],
            frames=patches[2],
            out=out[0],
        )

    def build(self, config: Qwen25VisionConfig) -> nn.Module:
        """The tower, on the current default device."""
        return Qwen25Tower(config)


class Qwen25Tower(nn.Module):
    """The network.

    Attributes:
        in_window_order: whether vectors are handed over window by window, as the incumbent does
            (0.8.0), with whose results ours are compared; else row by row, as `transformers` does.
    """

    in_window_order = True

    def __init__(self, config: Qwen25VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = _Patches(config)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.merger = _Merger(config)

    def look(self, pixels: Tensor, checkpoint: Checkpoint) -> Seen:
        """A picture [1, h, w, 3], 0 to 1, of any size."""
        patch = self.config.patch
        picture = normalised(fitted(pixels, patch * MERGED, LIMITS))
        rows, columns = (side // patch for side in picture.shape[-2:])
        states = self.patch_embed(patches_of(picture, patch, self.config.frames))
        table = place_table(
            rows, columns, self.config.channels // _heads(self.config), states.device
        )
        windows = window_groups(rows // MERGED, columns // MERGED, states.device)
        for number, block in enumerate(self.blocks):
            checkpoint()
            whole = number % WHOLE_EVERY == WHOLE_EVERY - 1
            states = block(states, table, [] if whole else windows)
        vectors = self.merger(states)
        rows, columns = rows // MERGED, columns // MERGED
        order = window_order(rows, columns, states.device) if self.in_window_order else None
        if order is not None:
            vectors = vectors[order]
        return Seen(vectors, rows, columns, in_rows=None if order is None else order.argsort())


def normalised(picture: Tensor) -> Tensor:
    """[3, h, w] with CLIP's mean and deviation."""
    mean, deviation = (
        torch.tensor(each, device=picture.device)[:, None, None] for each in (MEAN, DEVIATION)
    )
    return (picture - mean) / deviation


def window_groups(rows: int, columns: int, device: torch.device) -> list[Tensor]:
    """The patches of all windows, those of equally large windows in one tensor [W, patches]."""
    numbers = torch.arange(rows * columns, device=device).reshape(rows, columns)
    groups: dict[int, list[Tensor]] = {}
    for band in numbers.split(WINDOW):
        for window in band.split(WINDOW, dim=1):
            flat = window.flatten()
            each = (flat[:, None] * MERGED**2 + torch.arange(MERGED**2, device=device)).flatten()
            groups.setdefault(len(each), []).append(each)
    return [torch.stack(windows) for windows in groups.values()]


def window_order(rows: int, columns: int, device: torch.device) -> Tensor:
    """The vectors' numbers, window by window."""
    numbers = torch.arange(rows * columns, device=device).reshape(rows, columns)
    bands = (band.split(WINDOW, dim=1) for band in numbers.split(WINDOW))
    return torch.cat([window.flatten() for band in bands for window in band])


def _heads(config: Qwen25VisionConfig) -> int:
    return config.channels // HEAD_CHANNELS


class _Patches(nn.Module):
    def __init__(self, config: Qwen25VisionConfig) -> None:
        super().__init__()
        size = (config.frames, config.patch, config.patch)
        self.proj = nn.Conv3d(3, config.channels, size, stride=size, bias=False)

    def forward(self, patches: Tensor) -> Tensor:
        """[N, values of a patch] -> [N, D]: a convolution whose steps are as long as its kernel."""
        weight = self.proj.weight
        return functional.linear(patches.to(weight), weight.flatten(1))


class _Block(nn.Module):
    def __init__(self, config: Qwen25VisionConfig) -> None:
        super().__init__()
        self.norm1 = RootMeanSquareNorm(config.channels, EPSILON)
        self.norm2 = RootMeanSquareNorm(config.channels, EPSILON)
        self.attn = _Attention(config)
        self.mlp = GatedFeedForward(config.channels, config.feed_forward, bias=True)

    def forward(
        self, states: Tensor, table: tuple[Tensor, Tensor], windows: list[Tensor]
    ) -> Tensor:
        """[N, D] -> [N, D]."""
        states = states + self.attn(self.norm1(states), table, windows)
        return states + self.mlp(self.norm2(states))


class _Attention(nn.Module):
    def __init__(self, config: Qwen25VisionConfig) -> None:
        super().__init__()
        self.heads = _heads(config)
        self.qkv = Linear(config.channels, 3 * config.channels)
        self.proj = Linear(config.channels, config.channels)

    def forward(
        self, states: Tensor, table: tuple[Tensor, Tensor], windows: list[Tensor]
    ) -> Tensor:
        """Patches attend to those of their window; without windows to all."""
        query, key, value = (
            each.unflatten(-1, (self.heads, -1)).transpose(0, 1)
            for each in self.qkv(states).chunk(3, dim=-1)
        )
        query, key = rotate(query, table), rotate(key, table)
        if not windows:
            found = functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]
            return self.proj(found.transpose(0, 1).flatten(1))
        result = torch.empty_like(states)
        for window in windows:
            q, k, v = (each[:, window].transpose(0, 1) for each in (query, key, value))
            found = functional.scaled_dot_product_attention(q, k, v)
            result[window.flatten()] = found.transpose(1, 2).flatten(2).flatten(0, 1)
        return self.proj(result)


class _Merger(nn.Module):
    """Four patches to a vector of the language model."""

    def __init__(self, config: Qwen25VisionConfig) -> None:
        super().__init__()
        inner = config.channels * MERGED**2
        self.ln_q = RootMeanSquareNorm(config.channels, EPSILON)
        self.mlp = nn.Sequential(Linear(inner, inner), nn.GELU(), Linear(inner, config.out))

    def forward(self, states: Tensor) -> Tensor:
        """[N, D] -> [N / 4, out]."""
        return self.mlp(self.ln_q(states).reshape(-1, MERGED**2 * states.shape[-1]))
