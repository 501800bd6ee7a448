"""Anima's denoiser in the original key layout: that of Cosmos Predict2, and an adapter of the text.

NVIDIA 2025, "World Simulation with Video Foundation Models for Physical AI" (arXiv 2511.00062). A
block is modulated by the time through a pair of small projections, to which a vector shared by all
is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.anima.adapter import Adapter, AdapterConfig, in_pairs
from engine.families.family import Checkpoint
from engine.nets import rope
from engine.nets.hooks import NetHooks, through_block
from engine.nets.layers import Linear, timestep_embedding
from engine.nets.transformer_layers import (
    attend_heads,
    from_patches,
    gated,
    modulated,
    patch_grid,
    patches,
)

EPSILON = 1e-6
PERIOD = 10_000.0
SCALES = (1.0, 4.0, 4.0)
"""By which frames, rows and columns were spread for larger pictures than in the first training."""
SHORTEST_TEXT = 512
"""Tokens; shorter texts are followed by zeros, which are attended to."""
PLACE = "single_block"


@dataclass(frozen=True, slots=True)
class AnimaConfig:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels, out_channels: of a token: a patch of 2 x 2 cells.
        context_channels: of a token of the text.
        channels: of a token inside.
        head_channels: of one head.
        inner: channels inside a feed-forward.
        modulation: channels between the two projections of a modulation.
        blocks: their number.
        adapter: of the text.
    """

    in_channels: int
    out_channels: int
    context_channels: int
    channels: int
    head_channels: int
    inner: int
    modulation: int
    blocks: int
    adapter: AdapterConfig

    @property
    def axes(self) -> tuple[int, int, int]:
        """Channels of a head that turn with a token's frame, row and column."""
        side = self.head_channels // 6 * 2
        return self.head_channels - 2 * side, side, side


class Attention(nn.Module):
    """Attention of tokens to themselves, with rotary positions, or to the text, without."""

    def __init__(self, channels: int, source: int, head_channels: int) -> None:
        super().__init__()
        self.head_channels = head_channels
        self.q_proj, self.output_proj = (Linear(channels, channels, bias=False) for _ in range(2))
        self.k_proj, self.v_proj = (Linear(source, channels, bias=False) for _ in range(2))
        self.q_norm, self.k_norm = (nn.RMSNorm(head_channels, eps=EPSILON) for _ in range(2))

    def forward(self, tokens: Tensor, source: Tensor, table: Tensor | None = None) -> Tensor:
        """[B, N, C] and [B, M, D] -> [B, N, C]."""
        query, key, value = (
            layer(given).unflatten(-1, (-1, self.head_channels))
            for layer, given in (
                (self.q_proj, tokens),
                (self.k_proj, source),
                (self.v_proj, source),
            )
        )
        query, key = self.q_norm(query), self.k_norm(key)
        if table is not None:
            query, key = in_pairs(query), in_pairs(key)
        return self.output_proj(attend_heads(query, key, value, table))


class FeedForward(nn.Module):
    """Two projections with a GELU between them."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.layer1 = Linear(channels, inner, bias=False)
        self.layer2 = Linear(inner, channels, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        return self.layer2(functional.gelu(self.layer1(tokens)))


def _modulation(channels: int, inner: int, count: int) -> nn.ModuleDict:
    first = Linear(channels, inner, bias=False)
    return nn.ModuleDict({"1": first, "2": Linear(inner, count * channels, bias=False)})


def _changes(layers: nn.ModuleDict, vec: Tensor, shared: Tensor, count: int) -> Sequence[Tensor]:
    """Shift, scale and gate, or the first two of them, each [B, 1, C]."""
    found = layers["2"](layers["1"](functional.silu(vec)))
    return (found + shared[:, : found.shape[1]])[:, None].chunk(count, dim=-1)


class Block(nn.Module):
    """Attention to the picture, attention to the text, feed-forward, each modulated."""

    def __init__(self, config: AnimaConfig) -> None:
        super().__init__()
        wide, heads = config.channels, config.head_channels
        self.self_attn = Attention(wide, wide, heads)
        self.cross_attn = Attention(wide, config.context_channels, heads)
        self.mlp = FeedForward(wide, config.inner)
        self.adaln_modulation_self_attn = _modulation(wide, config.modulation, 3)
        self.adaln_modulation_cross_attn = _modulation(wide, config.modulation, 3)
        self.adaln_modulation_mlp = _modulation(wide, config.modulation, 3)

    def forward(
        self, tokens: Tensor, text: Tensor, vec: Tensor, shared: Tensor, table: Tensor
    ) -> Tensor:
        """[B, N, C] -> [B, N, C]; text [B, T, D], vec [B, C], shared [B, 3 C]."""
        shift, scale, gate = _changes(self.adaln_modulation_self_attn, vec, shared, 3)
        normal = modulated(tokens, shift, scale)
        tokens = gated(tokens, self.self_attn(normal, normal, table), gate)
        shift, scale, gate = _changes(self.adaln_modulation_cross_attn, vec, shared, 3)
        tokens = gated(tokens, self.cross_attn(modulated(tokens, shift, scale), text), gate)
        shift, scale, gate = _changes(self.adaln_modulation_mlp, vec, shared, 3)
        return gated(tokens, self.mlp(modulated(tokens, shift, scale)), gate)


class LastLayer(nn.Module):
    """A norm modulated by the time, and the projection to patches."""

    def __init__(self, config: AnimaConfig) -> None:
        super().__init__()
        self.linear = Linear(config.channels, config.out_channels, bias=False)
        self.adaln_modulation = _modulation(config.channels, config.modulation, 2)

    def forward(self, tokens: Tensor, vec: Tensor, shared: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, out_channels]."""
        shift, scale = _changes(self.adaln_modulation, vec, shared, 2)
        return self.linear(modulated(tokens, shift, scale))


class Anima(nn.Module):
    """The denoiser."""

    def __init__(self, config: AnimaConfig) -> None:
        super().__init__()
        self.config = config
        wide = config.channels
        # The missing numbers are layers without weights.
        entry = nn.ModuleDict({"1": Linear(config.in_channels, wide, bias=False)})
        self.x_embedder = nn.ModuleDict({"proj": entry})
        layers = {
            "linear_1": Linear(wide, wide, bias=False),
            "linear_2": Linear(wide, 3 * wide, bias=False),
        }
        self.t_embedder = nn.ModuleDict({"1": nn.ModuleDict(layers)})
        self.t_embedding_norm = nn.RMSNorm(wide, eps=EPSILON)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.final_layer = LastLayer(config)
        self.llm_adapter = Adapter(config.adapter)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        numbers: Tensor,
        weights: Tensor | None = None,
        *,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 16, t, h, w].

        Args:
            x: [B, 16, t, h, w], the noisy latent.
            time: [B], 0..1, float32.
            context: [B, M, D], the states of the language model.
            numbers: [B, N], the numbers of T5's tokens of the prompt.
            weights: [B, N, 1], of those tokens; None: all are 1.
            hooks: replace blocks.
            checkpoint: called before every block.
        """
        text = self.llm_adapter(context, numbers, weights, checkpoint)
        text = functional.pad(text, (0, 0, 0, max(SHORTEST_TEXT - text.shape[1], 0)))
        vec, shared = self._times(time, x.dtype)
        # One channel more says where frames are padded: nowhere.
        frames = functional.pad(x, (0, 0, 0, 0, 0, 0, 0, 1)).transpose(1, 2).flatten(0, 1)
        tokens = patches(frames).unflatten(0, (len(x), -1)).flatten(1, 2)
        tokens = self.x_embedder["proj"]["1"](tokens)  # type: ignore[index]
        table = _table(x, self.config.axes)
        for number, block in enumerate(self.blocks):
            checkpoint()

            def call(given: Mapping[str, Any], block: nn.Module = block) -> dict[str, Any]:
                return {"img": block(given["img"], given["txt"], given["vec"], shared, table)}

            named = {"img": tokens, "txt": text, "vec": vec, "pe": table}
            tokens = through_block(hooks, (PLACE, number), named, call)["img"]
        predicted = self.final_layer(tokens, vec, shared).unflatten(1, (x.shape[2], -1))
        found = from_patches(predicted.flatten(0, 1), *x.shape[-2:], channels_last=True)
        return found.unflatten(0, (len(x), -1)).transpose(1, 2)

    def _times(self, time: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The vector [B, C] of the time, and what all modulations share [B, 3 C]."""
        embedded = timestep_embedding(time, self.config.channels).to(dtype)
        layers: Any = self.t_embedder["1"]
        shared = layers["linear_2"](functional.silu(layers["linear_1"](embedded)))
        return self.t_embedding_norm(embedded), shared


def _table(x: Tensor, axes: Sequence[int]) -> Tensor:
    """The rotations of the patches of x by frame, row and column, see `rope.rotations`."""
    rows, columns = patch_grid(*x.shape[-2:])
    frames = (rope.grid(rows, columns, index=frame, device=x.device) for frame in range(x.shape[2]))
    places = torch.cat(list(frames))
    tables: list[Tensor] = []
    for axis, (count, scale) in enumerate(zip(axes, SCALES, strict=True)):
        period = PERIOD * scale ** (count / (count - 2))
        tables.append(rope.rotations(places[:, axis, None], (count,), period))
    return torch.cat(tables, dim=-2)
