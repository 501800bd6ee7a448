"""Qwen-Image 2.1's denoiser (Qwen Team 2026) in the key layout of its files.

One sequence: the text, in it the cells of reference pictures where the text encoder saw them, and
the cells of the picture at the end. Every token attends to those before it, a picture's cells to
all of their picture too. What is before the picture, the prefix, is modulated as at time 0, so that
it is the same at every step: a cache may hold its keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.family import Checkpoint
from engine.families.qwen_image21 import sequence
from engine.families.qwen_image21.sequence import Picture, Segment
from engine.nets import rope
from engine.nets.attention import attend
from engine.nets.hooks import NetHooks, through_block
from engine.nets.layers import Linear, timestep_embedding
from engine.nets.transformer_layers import gated, normalised

TIME_CHANNELS = 256
TIME_FACTOR = 1000.0
EPSILON = 1e-6
LARGEST_HALF = 65504.0
PLACE = "single_block"
PREFIX = "prefix"
"""The kind of a hook that holds keys and values of prefixes: a `PrefixCache`."""
KeyValue = tuple[Tensor, Tensor]
"""Keys, turned to their positions, and values of a block, each [B, P, heads * C]."""
Attended = Callable[[Tensor, KeyValue], Tensor]
"""Attention, from queries [B, N, heads * C] and their keys and values to the same shape."""


class PrefixRow(Protocol):
    """The keys and values of one prefix, by block."""

    @property
    def is_complete(self) -> bool:
        """Whether those of all blocks are stored."""
        ...

    def read(self, block: int) -> KeyValue:
        """Those of a block, on the device and in the dtype they were computed in."""
        ...

    def write(self, block: int, pair: KeyValue) -> None:
        """Store those of a block."""
        ...


PrefixCache = Callable[[Sequence[Tensor], int], PrefixRow | None]
"""From the tensors that a prefix is made of, and the number of blocks, to its keys and values, or
to the place for them; None if they are not to be stored."""


@dataclass(frozen=True, slots=True)
class QwenImage21Config:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels, out_channels: of a token: one cell of the latent.
        context_channels: of the text encoder's tokens.
        channels: of a token inside.
        head_channels: of one head.
        inner: channels inside a feed-forward.
        blocks: their number.
    """

    in_channels: int
    out_channels: int
    context_channels: int
    channels: int
    head_channels: int
    inner: int
    blocks: int

    @property
    def axes(self) -> tuple[int, int, int]:
        """Channels of a head that turn with a token's place in the text, row and column."""
        side = self.head_channels * 7 // 16
        return self.head_channels - 2 * side, side, side


class Norm(nn.Module):
    """x over its root mean square, times 1 + `weight`, in float32 (Zhang & Sennrich 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] -> [..., C], in x's dtype."""
        weight = self.weight.float() + 1.0
        return functional.rms_norm(x.float(), weight.shape, weight, EPSILON).to(x.dtype)


class TextIn(nn.Module):
    """The text encoder's tokens as the network's."""

    def __init__(self, context_channels: int, channels: int) -> None:
        super().__init__()
        self.text_norm = Norm(context_channels)
        self.in_layer = Linear(context_channels, channels, bias=False)
        self.out_layer = Linear(channels, channels, bias=False)

    def forward(self, context: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, C]."""
        inner = self.in_layer(self.text_norm(context))
        return self.out_layer(functional.gelu(inner, approximate="tanh"))


class Change(NamedTuple):
    """How the time changes a block: scales and gates, each [B or 1, 1, C]."""

    scale: Tensor
    gate: Tensor
    inner_scale: Tensor
    inner_gate: Tensor


class Attention(nn.Module):
    """Queries, keys and values of tokens; which attend to which is the caller's."""

    def __init__(self, channels: int, head_channels: int) -> None:
        super().__init__()
        self.head_channels = head_channels
        self.to_q, self.to_k, self.to_v = (Linear(channels, channels, bias=False) for _ in range(3))
        self.to_out = nn.ModuleList([Linear(channels, channels, bias=False)])
        self.norm_q, self.norm_k = (nn.RMSNorm(head_channels, eps=EPSILON) for _ in range(2))

    def forward(self, tokens: Tensor, table: Tensor, attended: Attended) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        query, key = (
            rope.rotate(norm(layer(tokens).unflatten(-1, (-1, self.head_channels))), table)
            for norm, layer in ((self.norm_q, self.to_q), (self.norm_k, self.to_k))
        )
        found = attended(query.flatten(2), (key.flatten(2), self.to_v(tokens)))
        return self.to_out[0](found)


class FeedForward(nn.Module):
    """Two projections, one gating the other (Shazeer 2020, "SwiGLU"), and one back."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        # The gate's rows come first.
        self.gate_up = Linear(channels, 2 * inner, bias=False)
        self.out = Linear(inner, channels, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        gate, up = self.gate_up(tokens).chunk(2, dim=-1)
        return self.out(functional.silu(gate) * up)


class Block(nn.Module):
    """Attention and a feed-forward, changed by scales and gates that all blocks share."""

    def __init__(self, config: QwenImage21Config) -> None:
        super().__init__()
        self.attn = Attention(config.channels, config.head_channels)
        self.img_mlp = FeedForward(config.channels, config.inner)

    def forward(
        self,
        tokens: Tensor,
        changes: tuple[Change, Change],
        prefix: int,
        table: Tensor,
        attended: Attended,
    ) -> Tensor:
        """[B, N, C] -> [B, N, C].

        Args:
            tokens: the prefix and the picture.
            changes: of the prefix and of the picture.
            prefix: the number of tokens of the prefix.
            table: turns queries and keys.
            attended: the attention, from queries [B, N, C] and their keys and values.
        """
        before, at = changes
        found = _scaled(tokens, prefix, before.scale, at.scale)
        found = self.attn(found, table, attended)
        tokens = _gated(tokens, found, prefix, before.gate, at.gate)
        found = self.img_mlp(_scaled(tokens, prefix, before.inner_scale, at.inner_scale))
        tokens = _gated(tokens, found, prefix, before.inner_gate, at.inner_gate)
        if tokens.dtype == torch.float16:
            tokens = tokens.clamp(-LARGEST_HALF, LARGEST_HALF)
        return tokens


def _scaled(tokens: Tensor, prefix: int, before: Tensor, at: Tensor) -> Tensor:
    """The layer norm of tokens, times 1 + a scale of the prefix and one of the picture."""
    normal = normalised(tokens)
    if not prefix:
        return normal * (1 + at)
    return torch.cat((normal[:, :prefix] * (1 + before), normal[:, prefix:] * (1 + at)), dim=1)


def _gated(tokens: Tensor, found: Tensor, prefix: int, before: Tensor, at: Tensor) -> Tensor:
    """Tokens plus an update, times a gate of the prefix and one of the picture."""
    if not prefix:
        return gated(tokens, found, at)
    parts = gated(tokens[:, :prefix], found[:, :prefix], before)
    return torch.cat((parts, gated(tokens[:, prefix:], found[:, prefix:], at)), dim=1)


class QwenImage21(nn.Module):
    """The denoiser."""

    def __init__(self, config: QwenImage21Config) -> None:
        super().__init__()
        self.config = config
        wide = config.channels
        layers = {
            "linear_1": Linear(TIME_CHANNELS, wide, bias=False),
            "linear_2": Linear(wide, wide, bias=False),
        }
        self.time_text_embed = nn.ModuleDict({"timestep_embedder": nn.ModuleDict(layers)})
        self.txt_in = TextIn(config.context_channels, wide)
        self.img_in = Linear(config.in_channels, wide, bias=False)
        self.modulation = nn.ModuleDict({"1": Linear(wide, 4 * wide, bias=False)})
        self.transformer_blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm_out = nn.ModuleDict({"linear": Linear(wide, wide, bias=False)})
        self.proj_out = Linear(wide, config.out_channels, bias=False)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        pictures: Sequence[Picture] = (),
        mask: Tensor | None = None,
        *,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 64, h, w].

        Args:
            x: [B, 64, h, w], the noisy latent.
            time: [B], 0..1, float32.
            context: [B, T, D], the text encoder's tokens, those of pictures among them.
            pictures: the references, in the order in which they stand in the text.
            mask: [B, T], true where a token counts; None if all do.
            hooks: replace blocks, and hold prefixes.
            checkpoint: called before every block.
        """
        vector, changes = self._changes(time, x.dtype)
        cells = self.img_in(x.flatten(2).transpose(1, 2))
        segments = sequence.segments(context.shape[1], pictures, x)
        length = segments[-1].start
        counts = None if mask is None else sequence.counts(mask, pictures, cells.shape[1])
        positions = sequence.positions(segments, x.device)
        cache = _cache(hooks)
        given = [context, *(each.cells for each in pictures), *([] if mask is None else [mask])]
        row = cache(given, self.config.blocks) if cache else None
        known, fresh = (row, None) if row and row.is_complete else (None, row)
        if known is None:
            tokens, prefix = torch.cat((self._prefix(context, pictures), cells), dim=1), length
        else:
            tokens, prefix, positions = cells, 0, positions[length:]
        table = rope.rotations(positions, self.config.axes)
        heads = self.config.channels // self.config.head_channels
        for number, block in enumerate(self.transformer_blocks):
            checkpoint()

            def attended(query: Tensor, pair: KeyValue, number: int = number) -> Tensor:
                if known is not None:
                    pair = _after(known.read(number), pair)
                    return _attend(query, pair, heads, counts)
                if fresh is not None:
                    fresh.write(number, (pair[0][:, :length], pair[1][:, :length]))
                return _attend_in_order(query, pair, heads, segments, counts)

            def call(
                given: Mapping[str, Any], block: nn.Module = block, attended: Attended = attended
            ) -> dict[str, Any]:
                return {"img": block(given["img"], given["vec"], prefix, table, attended)}

            named = {"img": tokens, "vec": changes, "pe": table}
            tokens = through_block(hooks, (PLACE, number), named, call)["img"]
        scale = self.norm_out["linear"](functional.silu(vector))[:, None]
        found = self.proj_out(normalised(tokens[:, prefix:]) * (1 + scale))
        return found.transpose(1, 2).unflatten(2, x.shape[-2:])

    def _changes(self, time: Tensor, dtype: torch.dtype) -> tuple[Tensor, tuple[Change, Change]]:
        """The time's vector [B, C], and the changes at time 0 and at that time."""
        times = torch.cat((time, torch.zeros_like(time[:1]))) * TIME_FACTOR
        layers = self.time_text_embed["timestep_embedder"]
        inner = layers["linear_1"](timestep_embedding(times, TIME_CHANNELS).to(dtype))  # type: ignore[index]
        vector = layers["linear_2"](functional.silu(inner))  # type: ignore[index]
        parts = self.modulation["1"](functional.silu(vector))[:, None].chunk(4, dim=-1)
        scale, gate, inner_scale, inner_gate = parts
        found = Change(scale, gate.tanh(), inner_scale, inner_gate.tanh())
        before, at = (Change(*(each[rows] for each in found)) for rows in _ROWS)
        return vector[:-1], (before, at)

    def _prefix(self, context: Tensor, pictures: Sequence[Picture]) -> Tensor:
        """The tokens [B, P, C] of the text, with the cells of pictures in their places."""
        text, parts, done = self.txt_in(context), list[Tensor](), 0
        for start, stop, cells in pictures:
            parts += [text[:, done:start], self.img_in(cells.flatten(2).transpose(1, 2))]
            done = stop
        return torch.cat((*parts, text[:, done:]), dim=1)


_ROWS = slice(-1, None), slice(None, -1)
"""The row of time 0, and those of the call's times."""


def _cache(hooks: NetHooks | None) -> PrefixCache | None:
    """The cache of prefixes; none where blocks are replaced, which may differ from step to step."""
    if hooks is None or hooks.replacements:
        return None
    return next(iter(hooks.of(PREFIX)), None)


def _after(before: KeyValue, pair: KeyValue) -> KeyValue:
    key, value = (torch.cat(both, dim=1) for both in zip(before, pair, strict=True))
    return key, value


def _attend(query: Tensor, pair: KeyValue, heads: int, counts: Tensor | None) -> Tensor:
    mask = None if counts is None else counts[:, None, None]
    return attend(query, *pair, heads, mask=mask)


def _attend_in_order(
    query: Tensor,
    pair: KeyValue,
    heads: int,
    segments: Sequence[Segment],
    counts: Tensor | None,
) -> Tensor:
    """Attention of each token to those before it, and of cells to all of their picture."""
    found: list[Tensor] = []
    for start, stop, size in segments:
        key, value = (each[:, :stop] for each in pair)
        mask = None if counts is None else counts[:, None, None, :stop]
        if size is None:
            ones = torch.ones(stop - start, stop, dtype=torch.bool, device=query.device)
            causal = ones.tril(start)[None, None]
            mask = causal if mask is None else mask & causal
        found.append(attend(query[:, start:stop], key, value, heads, mask=mask))
    return torch.cat(found, dim=1)
