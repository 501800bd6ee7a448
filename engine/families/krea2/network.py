"""Krea 2's denoiser (Krea 2026) in the original key layout.

Blocks of one stream, text then picture, whose queries share keys (Ainslie et al. 2023, "GQA") and
whose attention is gated. All blocks are modulated by one projection of the time, to which each adds
a table of its own. A small transformer makes one text of the states of twelve layers of the text
encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.family import Checkpoint
from engine.nets import rope
from engine.nets.hooks import NetHooks, through_block
from engine.nets.layers import Linear, timestep_embedding
from engine.nets.transformer_layers import (
    attend_heads,
    from_patches,
    gated,
    patch_grid,
    patches,
)

TIME_FACTOR = 1000.0
EPSILON = 1e-5
PERIOD = 1000.0
"""The base of the frequencies of rotary positions."""
PLACE = "single_block"


@dataclass(frozen=True, slots=True)
class AttentionSizes:
    """Sizes of an attention and the feed-forward behind it.

    Attributes:
        channels: of a token.
        shared: channels of all keys.
        head_channels: of one head.
        inner: channels inside a feed-forward.
    """

    channels: int
    shared: int
    head_channels: int
    inner: int


@dataclass(frozen=True, slots=True)
class Krea2Config:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels: of a token: a patch of 2 x 2 cells.
        time_channels: of the embedded time.
        blocks: their number.
        block: their sizes.
        layers: of the text encoder, whose states are given side by side.
        layerwise, refiners: blocks over the layers of each token, then over the tokens.
        text: the sizes of those.
    """

    in_channels: int
    time_channels: int
    blocks: int
    block: AttentionSizes
    layers: int
    layerwise: int
    refiners: int
    text: AttentionSizes

    @property
    def context_channels(self) -> int:
        """Of the text encoder's tokens: all layers side by side."""
        return self.layers * self.text.channels

    @property
    def axes(self) -> tuple[int, int, int]:
        """Channels of a head that turn with a token's frame, row and column."""
        side = self.block.head_channels * 3 // 8
        return self.block.head_channels - 2 * side, side, side


class Norm(nn.Module):
    """x over its root mean square, times 1 + `scale`, in float32 (Zhang & Sennrich 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] -> [..., C], in x's dtype."""
        weight = self.scale.float() + 1.0
        return functional.rms_norm(x.float(), weight.shape, weight, EPSILON).to(x.dtype)


class Attention(nn.Module):
    """Grouped queries; a gate of each channel before the output projection."""

    def __init__(self, sizes: AttentionSizes) -> None:
        super().__init__()
        wide = sizes.channels
        self.head_channels = sizes.head_channels
        self.wq, self.wo, self.gate = (Linear(wide, wide, bias=False) for _ in range(3))
        self.wk, self.wv = (Linear(wide, sizes.shared, bias=False) for _ in range(2))
        norms = {"qnorm": Norm(sizes.head_channels), "knorm": Norm(sizes.head_channels)}
        self.qknorm = nn.ModuleDict(norms)

    def forward(
        self, tokens: Tensor, table: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """[B, N, C] -> [B, N, C]; see `engine.nets.transformer_layers.attend_heads`."""
        query, key, value = (
            layer(tokens).unflatten(-1, (-1, self.head_channels))
            for layer in (self.wq, self.wk, self.wv)
        )
        query, key = self.qknorm["qnorm"](query), self.qknorm["knorm"](key)
        found = attend_heads(query, key, value, table, mask)
        return self.wo(found * self.gate(tokens).sigmoid_())


class FeedForward(nn.Module):
    """Two projections, one gating the other (Shazeer 2020, "SwiGLU"), and one back."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.gate, self.up = (Linear(channels, inner, bias=False) for _ in range(2))
        self.down = Linear(inner, channels, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        return self.down(functional.silu(self.gate(tokens), inplace=True).mul_(self.up(tokens)))


class _Layers(nn.Module):
    """The layers that blocks of the text and of the picture have alike."""

    def __init__(self, sizes: AttentionSizes) -> None:
        super().__init__()
        self.prenorm, self.postnorm = Norm(sizes.channels), Norm(sizes.channels)
        self.attn = Attention(sizes)
        self.mlp = FeedForward(sizes.channels, sizes.inner)


class TextBlock(_Layers):
    """A block without positions and without time."""

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        tokens = tokens + self.attn(self.prenorm(tokens), mask=mask)
        return tokens + self.mlp(self.postnorm(tokens))


class TextFusion(nn.Module):
    """The states of several layers of the text encoder as one text."""

    def __init__(self, config: Krea2Config) -> None:
        super().__init__()
        sizes = config.text
        self.layers = config.layers
        self.layerwise_blocks = nn.ModuleList(TextBlock(sizes) for _ in range(config.layerwise))
        self.projector = Linear(config.layers, 1, bias=False)
        self.refiner_blocks = nn.ModuleList(TextBlock(sizes) for _ in range(config.refiners))

    def forward(self, context: Tensor, mask: Tensor | None, checkpoint: Checkpoint) -> Tensor:
        """[B, T, layers * C] -> [B, T, C]."""
        tokens = context.unflatten(-1, (self.layers, -1)).flatten(0, 1)
        for block in self.layerwise_blocks:
            checkpoint()
            tokens = block(tokens)
        tokens = self.projector(tokens.unflatten(0, context.shape[:2]).transpose(2, 3)).squeeze(-1)
        for block in self.refiner_blocks:
            checkpoint()
            tokens = block(tokens, mask)
        return tokens


class Table(nn.Module):
    """What one block adds to the modulation that all share."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.lin = nn.Parameter(torch.empty(shape))

    def forward(self, shared: Tensor) -> Tensor:
        """[B, N] -> [B, N], or [B, 1, C] -> [B, M, C]."""
        return shared + self.lin


class Block(_Layers):
    """Attention and feed-forward, modulated by the time."""

    def __init__(self, sizes: AttentionSizes) -> None:
        super().__init__(sizes)
        self.mod = Table(6 * sizes.channels)

    def forward(
        self, tokens: Tensor, vec: Tensor, table: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """[B, N, C] -> [B, N, C]; vec [B, 6 C]."""
        changes = self.mod(vec)[:, None].chunk(6, dim=-1)
        scale, shift, gate = changes[:3]
        attended = self.attn(torch.addcmul(shift, self.prenorm(tokens), 1 + scale), table, mask)
        tokens = gated(tokens, attended, gate)
        scale, shift, gate = changes[3:]
        fed = self.mlp(torch.addcmul(shift, self.postnorm(tokens), 1 + scale))
        return gated(tokens, fed, gate)


class LastLayer(nn.Module):
    """A norm modulated by the time, and the projection to patches."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = Norm(channels)
        self.linear = Linear(channels, out_channels)
        self.modulation = Table(2, channels)

    def forward(self, tokens: Tensor, vec: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, out_channels]; vec [B, C]."""
        scale, shift = self.modulation(vec[:, None]).chunk(2, dim=1)
        return self.linear(torch.addcmul(shift, self.norm(tokens), 1 + scale))


class Krea2(nn.Module):
    """The denoiser."""

    def __init__(self, config: Krea2Config) -> None:
        super().__init__()
        self.config = config
        wide = config.block.channels
        self.first = Linear(config.in_channels, wide)
        # The missing numbers are activations, which have no weights.
        self.tmlp = nn.ModuleDict(
            {"0": Linear(config.time_channels, wide), "2": Linear(wide, wide)}
        )
        self.tproj = nn.ModuleDict({"1": Linear(wide, 6 * wide)})
        self.txtfusion = TextFusion(config)
        text = config.text.channels
        layers = {"0": Norm(text), "1": Linear(text, wide), "3": Linear(wide, wide)}
        self.txtmlp = nn.ModuleDict(layers)
        self.blocks = nn.ModuleList(Block(config.block) for _ in range(config.blocks))
        self.last = LastLayer(wide, config.in_channels)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        mask: Tensor | None = None,
        *,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 16, t, h, w].

        Args:
            x: [B, 16, t, h, w], the noisy latent.
            time: [B], 0..1, float32.
            context: [B, T, context_channels].
            mask: [B, T], true where a token counts; None if all do.
            hooks: replace blocks.
            checkpoint: called before every block.
        """
        embedded = timestep_embedding(time * TIME_FACTOR, self.config.time_channels).to(x.dtype)
        vec = self.tmlp["2"](_gelu(self.tmlp["0"](embedded)))
        shared = self.tproj["1"](_gelu(vec))
        txt = self.txtfusion(context, mask, checkpoint)
        txt = self.txtmlp["3"](_gelu(self.txtmlp["1"](self.txtmlp["0"](txt))))
        frames = patches(x.transpose(1, 2).flatten(0, 1))
        img = self.first(frames.unflatten(0, (len(x), -1)).flatten(1, 2))
        table = rope.rotations(_positions(x, txt.shape[1]), self.config.axes, PERIOD)
        if mask is not None:
            mask = torch.cat((mask, mask.new_ones(1, 1).expand(len(x), img.shape[1])), dim=1)
        tokens = torch.cat((txt, img), dim=1)
        for number, block in enumerate(self.blocks):
            checkpoint()

            def call(given: Mapping[str, Any], block: nn.Module = block) -> dict[str, Any]:
                return {"img": block(given["img"], given["vec"], table, mask)}

            named = {"img": tokens, "vec": shared, "pe": table}
            tokens = through_block(hooks, (PLACE, number), named, call)["img"]
        predicted = self.last(tokens[:, txt.shape[1] :], vec)
        frames = predicted.unflatten(1, (x.shape[2], -1)).flatten(0, 1)
        return from_patches(frames, *x.shape[-2:]).unflatten(0, (len(x), -1)).transpose(1, 2)


def _gelu(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _positions(x: Tensor, words: int) -> Tensor:
    """The positions [T + N, 3]: the text at the origin, patches at their frame, row and column."""
    rows, columns = patch_grid(*x.shape[-2:])
    frames = (rope.grid(rows, columns, index=frame, device=x.device) for frame in range(x.shape[2]))
    return torch.cat((torch.zeros(words, 3, device=x.device), *frames))
