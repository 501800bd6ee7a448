"""HunyuanVideo's denoiser (Kong et al. 2024, arXiv 2412.03603), under FLUX.1's names.

Its blocks are those of `engine.nets.stream_blocks`; before them a small transformer refines the
text. Sizes and the order of operations: diffusers 0.42 (Apache-2.0), transformer_hunyuan_video.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.family import Checkpoint
from engine.nets import rope
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.layers import Linear
from engine.nets.stream_blocks import (
    HEAD_CHANNELS,
    BlockRun,
    BlockSizes,
    Changes,
    DoubleBlock,
    LastLayer,
    SingleBlock,
)
from engine.nets.transformer_layers import (
    EPSILON,
    ChangeOfSome,
    Embedder,
    TimeEmbedder,
    attend_heads,
    from_patches,
    gated,
    heads_of,
    patch_grid,
)

AXES = (16, 56, 56)
"""Channels of a head that turn with a token's frame, row and column."""
PERIOD = 256.0
"""Theta, the base of the falling frequencies."""
TIME_CHANNELS = 256
PATCH = (1, 2, 2)


@dataclass(frozen=True, slots=True)
class HunyuanVideoConfig:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels: of the noisy latent and of what is given beside it.
        out_channels: of the latent.
        context_channels: of the language model's tokens.
        vector_channels: of the pooled text.
        channels: of a token inside.
        inner: channels inside a feed-forward.
        double, single, refiner: the numbers of blocks.
        guidance: whether it is told the strength of guidance.
    """

    in_channels: int
    out_channels: int
    context_channels: int
    vector_channels: int
    channels: int
    inner: int
    double: int
    single: int
    refiner: int
    guidance: bool

    @property
    def sizes(self) -> BlockSizes:
        """The sizes of its blocks."""
        return BlockSizes(self.channels, self.channels // HEAD_CHANNELS, self.inner)


class RefinerAttention(nn.Module):
    """Attention of words among each other, without positions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv = Linear(channels, 3 * channels)
        self.proj = Linear(channels, channels)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        query, key, value = heads_of(self.qkv(tokens), HEAD_CHANNELS)
        return self.proj(attend_heads(query, key, value, None, mask))


class RefinerBlock(nn.Module):
    """One block of the text's transformer: both updates are gated by the time."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=EPSILON)
        self.self_attn = RefinerAttention(channels)
        self.norm2 = nn.LayerNorm(channels, eps=EPSILON)
        self.mlp = nn.Sequential(Linear(channels, inner), nn.SiLU(), Linear(inner, channels))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), Linear(channels, 2 * channels))

    def forward(self, tokens: Tensor, vec: Tensor, mask: Tensor | None) -> Tensor:
        """Tokens [B, T, D], vec [B, D]."""
        first, second = self.adaLN_modulation(vec)[:, None].chunk(2, dim=-1)
        tokens = gated(tokens, self.self_attn(self.norm1(tokens), mask), first)
        return gated(tokens, self.mlp(self.norm2(tokens)), second)


class Refiner(nn.Module):
    """The blocks, below the name that the files have for them."""

    def __init__(self, channels: int, inner: int, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(RefinerBlock(channels, inner) for _ in range(count))


class TextRefiner(nn.Module):
    """From the language model's states to tokens: aware of the time, and of the text as a whole."""

    def __init__(self, config: HunyuanVideoConfig) -> None:
        super().__init__()
        wide = config.channels
        self.input_embedder = Linear(config.context_channels, wide)
        self.t_embedder = TimeEmbedder(TIME_CHANNELS, wide, factor=1.0)
        self.c_embedder = Embedder(config.context_channels, wide)
        self.individual_token_refiner = Refiner(wide, config.inner, config.refiner)

    def forward(self, context: Tensor, time: Tensor, mask: Tensor | None) -> Tensor:
        """Context [B, T, C], time [B] in thousandths, mask [B, T] or None -> [B, T, D]."""
        if mask is None:
            mean = context.mean(dim=1)
        else:
            counts = mask[..., None].float()
            mean = ((context * counts).sum(dim=1) / counts.sum(dim=1)).to(context.dtype)
        vec = self.t_embedder(time, context.dtype) + self.c_embedder(mean)
        tokens = self.input_embedder(context)
        for block in self.individual_token_refiner.blocks:
            tokens = block(tokens, vec, mask)
        return tokens


class PatchProjection(nn.Module):
    """Patches of a frame as tokens, below the name that the files have for it."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(channels_in, channels, PATCH, stride=PATCH)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, t, h, w] -> [B, t (h / 2) (w / 2), D]; odd sides go on from the other edge."""
        short = -x.shape[-2] % PATCH[1], -x.shape[-1] % PATCH[2]
        if any(short):
            x = functional.pad(x, (0, short[1], 0, short[0], 0, 0), mode="circular")
        return self.proj(x).flatten(2).transpose(1, 2)


class HunyuanVideo(nn.Module):
    """The denoiser."""

    def __init__(self, config: HunyuanVideoConfig) -> None:
        super().__init__()
        wide, sizes = config.channels, config.sizes
        self.img_in = PatchProjection(config.in_channels, wide)
        self.time_in = TimeEmbedder(TIME_CHANNELS, wide, factor=1.0)
        self.vector_in = Embedder(config.vector_channels, wide)
        if config.guidance:
            self.guidance_in = TimeEmbedder(TIME_CHANNELS, wide)
        self.txt_in = TextRefiner(config)
        self.double_blocks = nn.ModuleList(DoubleBlock(sizes) for _ in range(config.double))
        self.single_blocks = nn.ModuleList(SingleBlock(sizes) for _ in range(config.single))
        self.final_layer = LastLayer(wide, config.out_channels * PATCH[1] * PATCH[2])

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        vector: Tensor,
        guidance: Tensor | None,
        *,
        mask: Tensor | None = None,
        first_is_given: bool = False,
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 16, t, h, w].

        Args:
            x: [B, C, t, h, w], the noisy latent, and what is given beside it.
            time: [B], 0..1000, float32.
            context: [B, T, context_channels].
            vector: [B, vector_channels], the pooled text.
            guidance: [B]; None: none is embedded.
            mask: [B, T], true where a token of the text counts; None if all do.
            first_is_given: whether x's first frame is a picture without noise: its tokens have the
                time 0.
            control: see `engine.nets.stream_blocks.BlockRun`.
            hooks: likewise.
            checkpoint: called before every block.
        """
        vector = self.vector_in(vector)
        vec = self.time_in(time, x.dtype)
        if guidance is not None:
            vec = vec + self.guidance_in(guidance, x.dtype)
        vec = vec + vector
        given = None
        if first_is_given:
            given = self.time_in(torch.zeros_like(time), x.dtype) + vector
        txt = self.txt_in(context, time, mask)
        img = self.img_in(x)
        frames, (rows, columns) = x.shape[2], patch_grid(*x.shape[-2:])
        lines = (torch.arange(side, device=x.device) for side in (frames, rows, columns))
        places = torch.cartesian_prod(*lines).float()
        words = places.new_zeros(txt.shape[1], len(AXES))
        run = BlockRun(
            double=lambda number: self._double(number, vec, given, rows * columns),
            single=lambda number: self._single(number, vec, given, txt.shape[1], rows * columns),
            table=rope.rotations(torch.cat((words, places)), AXES, PERIOD),
            mask=None if mask is None else functional.pad(mask, (0, img.shape[1]), value=True),
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )
        img = run.through(self.double_blocks, self.single_blocks, img, txt)
        tokens = self.final_layer(img, vec).unflatten(1, (frames, -1)).flatten(0, 1)
        pictures = from_patches(tokens, *x.shape[-2:])
        return pictures.unflatten(0, (-1, frames)).transpose(1, 2)

    def _double(
        self, number: int, vec: Tensor, given: Tensor | None, count: int
    ) -> Tensor | Changes:
        """The modulation of a double block; of a given frame's tokens another one."""
        if given is None:
            return vec
        block = cast("DoubleBlock", self.double_blocks[number])
        pairs = zip(block.img_mod(given), block.img_mod(vec), strict=True)
        return [ChangeOfSome(0, count, *pair) for pair in pairs], block.txt_mod(vec)

    def _single(
        self, number: int, vec: Tensor, given: Tensor | None, words: int, count: int
    ) -> Tensor | ChangeOfSome:
        """The same of a single block, where the text is in front."""
        if given is None:
            return vec
        block = cast("SingleBlock", self.single_blocks[number])
        (inside,), (outside,) = block.modulation(given), block.modulation(vec)
        return ChangeOfSome(words, words + count, inside, outside)
