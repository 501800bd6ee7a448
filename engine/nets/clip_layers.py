"""The transformer layers of CLIP (Radford et al. 2021), of its text side and its picture side.

Names of weights are those of `transformers`: `layers.i.self_attn.q_proj.weight` and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nets.layers import Linear
from engine.weights.state_dict import Entry

_OPEN_CLIP: Mapping[str, str] = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """The sizes of the layers.

    Attributes:
        channels, feed_forward: widths of the states and between the two projections.
        heads: of the attention.
        activation: `quick_gelu` (CLIP L), `gelu` (OpenCLIP) or `gelu_tanh` (SigLIP).
        causal: whether a token attends only to itself and those before it.
        epsilon: of the norms.
    """

    channels: int
    feed_forward: int
    heads: int
    activation: str
    causal: bool
    epsilon: float = 1e-5


class Layers(nn.Module):
    """The layers in their order, called one by one."""

    def __init__(self, config: LayerConfig, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(config) for _ in range(count))

    def each(self, states: Tensor, checkpoint: Callable[[], None]) -> Iterator[Tensor]:
        """The output [B, T, D] of every layer; `checkpoint` is called before each."""
        for layer in self.layers:
            checkpoint()
            states = layer(states)
            yield states


class _Layer(nn.Module):
    """Self-attention and a feed-forward part, each normalised first and added."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        self.self_attn = _Attention(config)
        self.layer_norm1 = nn.LayerNorm(config.channels, eps=config.epsilon)
        self.mlp = _FeedForward(config)
        self.layer_norm2 = nn.LayerNorm(config.channels, eps=config.epsilon)

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        states = states + self.self_attn(self.layer_norm1(states))
        return states + self.mlp(self.layer_norm2(states))


class _Attention(nn.Module):
    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.causal = config.causal
        self.q_proj = Linear(config.channels, config.channels)
        self.k_proj = Linear(config.channels, config.channels)
        self.v_proj = Linear(config.channels, config.channels)
        self.out_proj = Linear(config.channels, config.channels)

    def forward(self, states: Tensor) -> Tensor:
        """Every token attends to all, or to itself and those before it."""
        query, key, value = (
            each(states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in (self.q_proj, self.k_proj, self.v_proj)
        )
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.out_proj(found.transpose(1, 2).flatten(2))


class _FeedForward(nn.Module):
    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        self.activation = config.activation
        self.fc1 = Linear(config.channels, config.feed_forward)
        self.fc2 = Linear(config.feed_forward, config.channels)

    def forward(self, states: Tensor) -> Tensor:
        """Two projections with CLIP's activation, x sigmoid(1.702 x), or a GELU."""
        inner = self.fc1(states)
        if self.activation == "quick_gelu":
            return self.fc2(inner * torch.sigmoid(1.702 * inner))
        approximate = "tanh" if self.activation == "gelu_tanh" else "none"
        return self.fc2(functional.gelu(inner, approximate=approximate))


def of_open_clip(name: str, entry: Entry) -> dict[str, Entry]:
    """OpenCLIP's tensor `0.attn.in_proj_weight` under our names, `encoder.layers.0...`.

    OpenCLIP joins query, key and value. Empty for a name that is none of its layers'.
    """
    number, _, rest = name.partition(".")
    start = f"encoder.layers.{number}."
    if rest in {"attn.in_proj_weight", "attn.in_proj_bias"}:
        kind = rest.rpartition("_")[2]
        rows = entry.shape[0] // 3 if entry.shape else 0
        return {
            f"{start}self_attn.{each}_proj.{kind}": changed(
                entry,
                (rows, *entry.shape[1:]),
                lambda tensor, begin=i * rows: tensor[begin : begin + rows],
            )
            for i, each in enumerate("qkv")
        }
    module, _, kind = rest.rpartition(".")
    return {f"{start}{_OPEN_CLIP[module]}.{kind}": entry} if module in _OPEN_CLIP else {}


def open_clip_name(name: str) -> str | None:
    """OpenCLIP's name of a tensor of a layer (`layer_norm1.bias`); None for a joined one."""
    module, _, kind = name.rpartition(".")
    back = {theirs: ours for ours, theirs in _OPEN_CLIP.items()}
    return f"{back[module]}.{kind}" if module in back else None


@dataclass(frozen=True, slots=True)
class Kept:
    """How a layout stores tensors.

    Attributes:
        names: transformers' names of the tensors that are concatenated in one.
        transposed: whether it is stored transposed.
    """

    names: tuple[str, ...]
    transposed: bool = False


LAYERS = "encoder.layers."
"""Before the number of a layer, under transformers' names."""


def open_clip_layer(name: str) -> tuple[str, Kept]:
    """OpenCLIP's name for what holds a layer's tensor of that name, and its content.

    OpenCLIP joins query, key and value.
    """
    number, _, rest = name.removeprefix(LAYERS).partition(".")
    module, _, kind = rest.rpartition(".")
    start = f"transformer.resblocks.{number}."
    rows = tuple(f"self_attn.{each}_proj" for each in "qkv")
    if module in rows:
        joined = tuple(f"{LAYERS}{number}.{each}.{kind}" for each in rows)
        return f"{start}attn.in_proj_{kind}", Kept(joined)
    return f"{start}{open_clip_name(rest)}", Kept((name,))


def changed(entry: Entry, shape: tuple[int, ...], change: Callable[[Tensor], Tensor]) -> Entry:
    """A tensor that is computed from another when it is read."""
    return Entry(shape, entry.dtype, lambda: change(entry.read()))
