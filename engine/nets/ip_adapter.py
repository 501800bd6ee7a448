"""IP-Adapter (Ye et al. 2023): a picture's tokens, and keys and values of them for each attention.

Keys are those of the released files: `image_proj`, and `ip_adapter.1.to_k_ip`, numbered in the
order of diffusers' attention processors. Every size is read from tensor shapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.attention import attend
from engine.nets.layers import Linear
from engine.weights.state_dict import StateDict

HEAD_CHANNELS = 64
"""Channels per head of a resampler."""
PROJECTION = "image_proj."
_PAIR = re.compile(r"ip_adapter\.(\d{1,4})\.(to_k_ip|to_v_ip)\.weight")
FACE_MARKS = ("lora", "perceiver_resampler")
"""Parts of names that only files for face recognition (FaceID) have."""


class Projection(StrEnum):
    """How a file makes tokens of what an image encoder found.

    Attributes:
        EMBEDS: of the vector of a picture.
        RESAMPLER: of its penultimate hidden states, a fixed number of tokens ("plus").
        STATES: of its penultimate hidden states, one by one ("full face").
    """

    EMBEDS = "embeds"
    RESAMPLER = "resampler"
    STATES = "states"


@dataclass(frozen=True, slots=True)
class IpAdapterConfig:
    """Every size of one IP-Adapter.

    Attributes:
        projection: see `Projection`.
        channels: of the image encoder's result.
        width: of a token.
        tokens: for one picture; of `STATES` as many as there are hidden states, here 0.
        inner: of the keys of each attention, in the file's order.
        numbers: the file's numbers of them.
        resampler: (channels, inner of its attention, feed-forward, depth), else zeros.
    """

    projection: Projection
    channels: int
    width: int
    tokens: int
    inner: tuple[int, ...]
    numbers: tuple[int, ...]
    resampler: tuple[int, int, int, int] = (0, 0, 0, 0)


def is_ip_adapter(weights: StateDict) -> bool:
    """Whether a file looks like an IP-Adapter."""
    return any(name.startswith(PROJECTION) for name in weights) and any(
        name.startswith("ip_adapter.") for name in weights
    )


def ip_adapter_config(weights: StateDict) -> IpAdapterConfig:
    """The configuration from tensor shapes.

    Raises:
        WeightsError: a tensor is missing or does not fit, or the file is for face recognition.
    """
    if any(mark in name for name in weights for mark in FACE_MARKS) or _is_face(weights):
        raise WeightsError(
            "it takes the vector of a face from face recognition (FaceID), which Calotype does not "
            "compute; use a plain, plus, plus-face or full-face file"
        )

    def size(name: str, axis: int) -> int:
        shape = weights.shape(name) or ()
        if len(shape) <= axis or not shape[axis]:
            found = f"shape {list(shape)}" if name in weights else "no such tensor"
            raise WeightsError(f"{name} should have at least {axis + 1} axes, found {found}")
        return shape[axis]

    numbers = sorted({int(found[1]) for name in weights if (found := _PAIR.fullmatch(name))})
    if not numbers:
        raise WeightsError("it has no ip_adapter.1.to_k_ip.weight or similar")
    inner = tuple(size(f"ip_adapter.{number}.to_k_ip.weight", 0) for number in numbers)
    pairs = (inner, tuple(numbers))
    if "image_proj.latents" in weights:
        wide = size("image_proj.proj_in.weight", 1)
        width, queries = size("image_proj.proj_out.weight", 0), size("image_proj.latents", 1)
        numbered = [int(n.split(".")[2]) for n in weights if re.match(r"image_proj\.layers\.\d", n)]
        if not numbered or max(numbered) > 99:
            raise WeightsError("its resampler has no layers")
        sizes = (
            size("image_proj.latents", 2),
            size("image_proj.layers.0.0.to_q.weight", 0),
            size("image_proj.layers.0.1.1.weight", 0),
            max(numbered) + 1,
        )
        if sizes[1] % HEAD_CHANNELS:
            raise WeightsError(f"{sizes[1]} channels do not split into heads of {HEAD_CHANNELS}")
        return IpAdapterConfig(Projection.RESAMPLER, wide, width, queries, *pairs, sizes)
    if "image_proj.proj.0.weight" in weights:
        wide, width = size("image_proj.proj.0.weight", 1), size("image_proj.proj.2.weight", 0)
        return IpAdapterConfig(Projection.STATES, wide, width, 0, *pairs)
    width, made = size("image_proj.norm.weight", 0), size("image_proj.proj.weight", 0)
    if made % width:
        raise WeightsError(f"image_proj makes {made} numbers, not whole tokens of {width}")
    wide = size("image_proj.proj.weight", 1)
    return IpAdapterConfig(Projection.EMBEDS, wide, width, made // width, *pairs)


def _is_face(weights: StateDict) -> bool:
    return "image_proj.proj.0.weight" in weights and "image_proj.norm.weight" in weights


def module_names(config: IpAdapterConfig, weights: StateDict) -> StateDict:
    """The tensors of a file under their names in `IpAdapter`."""
    places = {number: place for place, number in enumerate(config.numbers)}

    def renamed(name: str) -> str:
        found = _PAIR.fullmatch(name)
        return f"pairs.{places[int(found[1])]}.{found[2]}.weight" if found else name

    return weights.rename(renamed)


class ImageTokens(nn.Module):
    """A picture's vector as a few tokens."""

    def __init__(self, config: IpAdapterConfig) -> None:
        super().__init__()
        self._width = config.width
        self.proj = Linear(config.channels, config.tokens * config.width)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, embeds: Tensor) -> Tensor:
        """[B, channels] -> [B, tokens, width]."""
        return self.norm(self.proj(embeds).unflatten(-1, (-1, self._width)))


class StateTokens(nn.Module):
    """Each hidden state as a token."""

    def __init__(self, config: IpAdapterConfig) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            Linear(config.channels, config.channels),
            nn.GELU(),
            Linear(config.channels, config.width),
            nn.LayerNorm(config.width),
        )

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, channels] -> [B, T, width]."""
        return self.proj(states)


class PerceiverAttention(nn.Module):
    """Attention of latents to the states and to themselves (Alayrac et al. 2022, appendix A.1)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self._heads = inner // HEAD_CHANNELS
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.to_q = Linear(channels, inner, bias=False)
        self.to_kv = Linear(channels, 2 * inner, bias=False)
        self.to_out = Linear(inner, channels, bias=False)

    def forward(self, states: Tensor, latents: Tensor) -> Tensor:
        """`states` [B, T, C], latents [B, Q, C] -> [B, Q, C]."""
        states, latents = self.norm1(states), self.norm2(latents)
        key, value = self.to_kv(torch.cat((states, latents), dim=1)).chunk(2, dim=-1)
        return self.to_out(attend(self.to_q(latents), key, value, self._heads))


class Resampler(nn.Module):
    """Learned latents that read the hidden states, as in Flamingo (Alayrac et al. 2022)."""

    def __init__(self, config: IpAdapterConfig) -> None:
        super().__init__()
        channels, inner, feed_forward, depth = config.resampler
        self.latents = nn.Parameter(torch.empty(1, config.tokens, channels))
        self.proj_in = Linear(config.channels, channels)
        self.proj_out = Linear(channels, config.width)
        self.norm_out = nn.LayerNorm(config.width)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                (
                    PerceiverAttention(channels, inner),
                    nn.Sequential(
                        nn.LayerNorm(channels),
                        Linear(channels, feed_forward, bias=False),
                        nn.GELU(),
                        Linear(feed_forward, channels, bias=False),
                    ),
                )
            )
            for _ in range(depth)
        )

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, channels] -> [B, tokens, width]."""
        states = self.proj_in(states)
        latents = self.latents.expand(len(states), -1, -1)
        for layer in self.layers:
            attention, feed_forward = layer.children()
            latents = attention(states, latents) + latents
            latents = feed_forward(latents) + latents
        return self.norm_out(self.proj_out(latents))


class KeysAndValues(nn.Module):
    """The keys and values of a picture's tokens for one attention."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.to_k_ip = Linear(width, inner, bias=False)
        self.to_v_ip = Linear(width, inner, bias=False)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, width] -> twice [B, T, inner]."""
        return self.to_k_ip(tokens), self.to_v_ip(tokens)


class IpAdapter(nn.Module):
    """The tokens of a picture, and their keys and values for each attention."""

    def __init__(self, config: IpAdapterConfig) -> None:
        super().__init__()
        kinds = {
            Projection.EMBEDS: ImageTokens,
            Projection.STATES: StateTokens,
            Projection.RESAMPLER: Resampler,
        }
        self.image_proj = kinds[config.projection](config)
        self.pairs = nn.ModuleList(KeysAndValues(config.width, inner) for inner in config.inner)


def token_grid(size: tuple[int, int], tokens: int) -> tuple[int, int] | None:
    """The rows and columns of that number of tokens of x of that size, halved some times."""
    rows, columns = size
    while rows * columns > tokens and (rows > 1 or columns > 1):
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    return (rows, columns) if rows * columns == tokens else None


def at_grid(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """A mask [B, h, w] at a grid of tokens: [B, tokens, 1]."""
    scaled = functional.interpolate(mask[:, None], grid, mode="bilinear", antialias=True)
    return scaled.flatten(2).movedim(1, 2)
