"""Qwen-Image's denoiser (Qwen Team 2025, arXiv 2508.02324) in the original key layout.

Sixty blocks of two streams, text and picture, which attend to each other (Esser et al. 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.family import Checkpoint
from engine.families.reference_latents import Method, Place
from engine.nets import rope
from engine.nets.hooks import NetHooks, Residuals, through_block
from engine.nets.layers import Linear, timestep_embedding
from engine.nets.transformer_layers import (
    attend_heads,
    from_patches,
    gated,
    modulated,
    patch_grid,
    patches,
)

TIME_CHANNELS = 256
TIME_FACTOR = 1000.0
EPSILON = 1e-6
LARGEST_HALF = 65504.0
PLACE = "double_block"


@dataclass(frozen=True, slots=True)
class QwenImageConfig:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels, out_channels: of a token: a patch of 2 x 2 cells.
        context_channels: of the text encoder's tokens.
        channels: of a token inside.
        head_channels: of one head.
        inner: channels inside a feed-forward.
        blocks: their number.
        clean_references: whether references are told that they hold no noise (Edit 2511).
        layered: whether it paints the layers of a picture (Qwen-Image-Layered).
    """

    in_channels: int
    out_channels: int
    context_channels: int
    channels: int
    head_channels: int
    inner: int
    blocks: int
    clean_references: bool = False
    layered: bool = False

    @property
    def axes(self) -> tuple[int, int, int]:
        """Channels of a head that turn with a token's picture, row and column."""
        side = self.head_channels * 7 // 16
        return self.head_channels - 2 * side, side, side


class TimeEmbedder(nn.Module):
    """The time as a vector; for layered pictures with a vector for the kind of task added."""

    def __init__(self, config: QwenImageConfig) -> None:
        super().__init__()
        wide = config.channels
        layers = {"linear_1": Linear(TIME_CHANNELS, wide), "linear_2": Linear(wide, wide)}
        self.timestep_embedder = nn.ModuleDict(layers)
        self.is_layered = config.layered
        if config.layered:
            self.addition_t_embedding = nn.Embedding(2, wide)

    def forward(self, time: Tensor, dtype: torch.dtype) -> Tensor:
        """[B], 0..1, float32 -> [B, channels] in `dtype`."""
        layers = self.timestep_embedder
        embedded = timestep_embedding(time * TIME_FACTOR, TIME_CHANNELS).to(dtype)
        vector = layers["linear_2"](functional.silu(layers["linear_1"](embedded)))
        if self.is_layered:
            # The second kind, for pictures without transparency, is of no released model.
            kind = torch.zeros(len(time), dtype=torch.long, device=time.device)
            vector = vector + self.addition_t_embedding(kind)
        return vector


class FeedForward(nn.Module):
    """Two projections with an approximate GELU between them."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        first = nn.ModuleDict({"proj": Linear(channels, inner)})
        self.net = nn.ModuleDict({"0": first, "2": Linear(inner, channels)})

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        inner = functional.gelu(self.net["0"]["proj"](tokens), approximate="tanh")  # type: ignore[index]
        return self.net["2"](inner)


class JointAttention(nn.Module):
    """Both streams attend to both, each with projections of its own."""

    def __init__(self, channels: int, head_channels: int) -> None:
        super().__init__()
        self.head_channels = head_channels
        self.to_q, self.to_k, self.to_v = (Linear(channels, channels) for _ in range(3))
        self.add_q_proj, self.add_k_proj = (Linear(channels, channels) for _ in range(2))
        self.add_v_proj = Linear(channels, channels)
        self.to_out = nn.ModuleList([Linear(channels, channels)])
        self.to_add_out = Linear(channels, channels)
        self.norm_q, self.norm_k = (nn.RMSNorm(head_channels, eps=EPSILON) for _ in range(2))
        self.norm_added_q = nn.RMSNorm(head_channels, eps=EPSILON)
        self.norm_added_k = nn.RMSNorm(head_channels, eps=EPSILON)

    def forward(
        self, img: Tensor, txt: Tensor, table: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Tokens [B, N, C] and [B, T, C] to both; text comes first in `table` and `mask`."""
        words = self._heads(txt, self.add_q_proj, self.add_k_proj, self.add_v_proj)
        pixels = self._heads(img, self.to_q, self.to_k, self.to_v)
        query = torch.cat((self.norm_added_q(words[0]), self.norm_q(pixels[0])), dim=1)
        key = torch.cat((self.norm_added_k(words[1]), self.norm_k(pixels[1])), dim=1)
        value = torch.cat((words[2], pixels[2]), dim=1)
        found = attend_heads(query, key, value, table, mask)
        ahead = txt.shape[1]
        return self.to_out[0](found[:, ahead:]), self.to_add_out(found[:, :ahead])

    def _heads(self, tokens: Tensor, *layers: nn.Module) -> list[Tensor]:
        return [layer(tokens).unflatten(-1, (-1, self.head_channels)) for layer in layers]


class Vectors(NamedTuple):
    """The vectors that modulate the two streams.

    Attributes:
        both: [B, C] of the time.
        clean: that of time 0, for the tokens of references; None: they have the same time.
        noisy: the number of tokens ahead of those.
    """

    both: Tensor
    clean: Tensor | None = None
    noisy: int = 0


class Block(nn.Module):
    """Attention and feed-forward of both streams, each modulated by the time."""

    def __init__(self, config: QwenImageConfig) -> None:
        super().__init__()
        wide, inner = config.channels, config.inner
        self.img_mod = nn.ModuleDict({"1": Linear(wide, 6 * wide)})
        self.txt_mod = nn.ModuleDict({"1": Linear(wide, 6 * wide)})
        self.attn = JointAttention(wide, config.head_channels)
        self.img_mlp = FeedForward(wide, inner)
        self.txt_mlp = FeedForward(wide, inner)

    def forward(
        self, img: Tensor, txt: Tensor, vec: Vectors, table: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens of the picture [B, N, C] and of the text [B, T, C] to both."""
        ours, theirs = self._picture_changes(vec, img.shape[1]), _changes(self.txt_mod, vec.both)
        found = self.attn(modulated(img, *ours[:2]), modulated(txt, *theirs[:2]), table, mask)
        img, txt = gated(img, found[0], ours[2]), gated(txt, found[1], theirs[2])
        img = gated(img, self.img_mlp(modulated(img, *ours[3:5])), ours[5])
        txt = gated(txt, self.txt_mlp(modulated(txt, *theirs[3:5])), theirs[5])
        return _finite(img), _finite(txt)

    def _picture_changes(self, vec: Vectors, tokens: int) -> Sequence[Tensor]:
        noisy = _changes(self.img_mod, vec.both)
        if vec.clean is None:
            return noisy
        count = vec.noisy, tokens - vec.noisy
        pairs = zip(noisy, _changes(self.img_mod, vec.clean), strict=True)
        return [
            torch.cat([each.expand(-1, n, -1) for each, n in zip(pair, count, strict=True)], dim=1)
            for pair in pairs
        ]


def _changes(layer: nn.ModuleDict, vector: Tensor) -> Sequence[Tensor]:
    """Shift, scale and gate of the attention, then of the feed-forward, each [B, 1, C]."""
    return layer["1"](functional.silu(vector))[:, None].chunk(6, dim=-1)


def _finite(tokens: Tensor) -> Tensor:
    """Without the infinities of a sum in float16."""
    return tokens.clamp_(-LARGEST_HALF, LARGEST_HALF) if tokens.dtype == torch.float16 else tokens


class QwenImage(nn.Module):
    """The denoiser."""

    def __init__(self, config: QwenImageConfig) -> None:
        super().__init__()
        self.config = config
        wide = config.channels
        self.time_text_embed = TimeEmbedder(config)
        self.txt_norm = nn.RMSNorm(config.context_channels, eps=EPSILON)
        self.img_in = Linear(config.in_channels, wide)
        self.txt_in = Linear(config.context_channels, wide)
        self.transformer_blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm_out = nn.ModuleDict({"linear": Linear(wide, 2 * wide)})
        self.proj_out = Linear(wide, config.out_channels)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        mask: Tensor | None = None,
        *,
        references: Sequence[tuple[Tensor, Place]] = (),
        method: Method = Method.INDEX,
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 16, t, h, w].

        Args:
            x: [B, 16, t, h, w], the noisy latent; its frames are the layers of a picture.
            time: [B], 0..1, float32.
            context: [B, T, context_channels].
            mask: [B, T], true where a token counts; None if all do.
            references: latents [B, 16, 1, h', w'] and their places, which follow x as tokens.
            method: how the references are placed; `CLEAN` tells them that they hold no noise.
            control: `input[i]` [B, n, channels] is added to the first n tokens after block i.
            hooks: replace blocks, or change their tokens.
            checkpoint: called before every block.
        """
        pieces = [(x, Place(0, 0, 0)), *references]
        tokens = [picture_tokens(latent) for latent, _ in pieces]
        places = [picture_positions(latent, place) for latent, place in pieces]
        img, txt = self.img_in(torch.cat(tokens, dim=1)), self.txt_in(self.txt_norm(context))
        least = x.shape[2] if self.config.layered else 0
        words = word_positions(txt.shape[1], x, least)
        table = rope.rotations(torch.cat((words, *places)), self.config.axes)
        noisy = tokens[0].shape[1]
        vec = Vectors(self.time_text_embed(time, x.dtype))
        if references and method is Method.CLEAN:
            clean = self.time_text_embed(torch.zeros_like(time), x.dtype)
            vec = vec._replace(clean=clean, noisy=noisy)
        if mask is not None:
            mask = torch.cat((mask, mask.new_ones(1, 1).expand(len(img), img.shape[1])), dim=1)
        calls = _Calls(x, table, mask, control, hooks)
        for number, block in enumerate(self.transformer_blocks):
            checkpoint()
            img, txt = calls.through(number, block, img, txt, vec)
        scale, shift = self.norm_out["linear"](functional.silu(vec.both))[:, None].chunk(2, dim=-1)
        predicted = self.proj_out(modulated(img[:, :noisy], shift, scale))
        frames = predicted.unflatten(1, (x.shape[2], -1)).flatten(0, 1)
        return from_patches(frames, *x.shape[-2:]).unflatten(0, (len(x), -1)).transpose(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Calls:
    """What all blocks of one call of the network are given."""

    x: Tensor
    table: Tensor
    mask: Tensor | None
    control: Residuals | None
    hooks: NetHooks | None

    def through(
        self, number: int, block: nn.Module, img: Tensor, txt: Tensor, vec: Vectors
    ) -> tuple[Tensor, Tensor]:
        """The tokens of both streams after a block, what replaces it, and what follows it."""

        def call(given: Mapping[str, Any]) -> dict[str, Any]:
            changed = block(given["img"], given["txt"], given["vec"], self.table, self.mask)
            return {"img": changed[0], "txt": changed[1]}

        place, named = (PLACE, number), {"img": img, "txt": txt, "vec": vec, "pe": self.table}
        found = through_block(self.hooks, place, named, call)
        img, txt = found["img"], found["txt"]
        if self.hooks is not None:
            options = {**self.hooks.options_at(*place), "block_index": number}
            for patch in self.hooks.of(PLACE):
                given = {"img": img, "txt": txt, "x": self.x, "block_index": number}
                changed = patch({**given, "transformer_options": options})
                img, txt = changed.get("img", img), changed.get("txt", txt)
        added = self.control.input if self.control else ()
        if number < len(added) and (residual := added[number]) is not None:
            img = img.clone()  # a hook may hold the tensor
            img[:, : residual.shape[1]] += residual
        return img, txt


def picture_tokens(latent: Tensor) -> Tensor:
    """A latent [B, C, t, h, w] as patches [B, N, 4 C], frame by frame."""
    frames = patches(latent.transpose(1, 2).flatten(0, 1))
    return frames.unflatten(0, (len(latent), -1)).flatten(1, 2)


def picture_positions(latent: Tensor, place: Place) -> Tensor:
    """The positions [N, 3] of the patches of a latent, whose middle is at 0, 0.

    As in the incumbent; the middle of an odd number is one lower in diffusers.
    """
    rows, columns = patch_grid(*latent.shape[-2:])
    top, left = patch_grid(place.top, place.left)
    frames = (
        rope.grid(
            rows,
            columns,
            index=place.picture + frame,
            top=top - rows // 2,
            left=left - columns // 2,
            device=latent.device,
        )
        for frame in range(latent.shape[2])
    )
    return torch.cat(list(frames))


def word_positions(count: int, x: Tensor, least: int) -> Tensor:
    """The positions [T, 3] of the text: the same on all axes, `least` or beyond the picture."""
    start = max(least, *(side // 2 for side in patch_grid(*x.shape[-2:])))
    words = torch.arange(start, start + count, device=x.device)
    return words[:, None].expand(-1, 3)
