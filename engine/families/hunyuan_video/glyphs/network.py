"""The denoiser of HunyuanImage 2.1 and HunyuanVideo 1.5 (Tencent 2025), under FLUX.1's names.

HunyuanVideo's, with three changes: a cell of the latent is a token, a second encoder tells the
glyphs of words that a picture shall show, and videos may see a picture. Order of operations:
diffusers 0.42 (Apache-2.0), transformer_hunyuanimage.py and transformer_hunyuan_video15.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from engine.families.family import Checkpoint
from engine.families.hunyuan_video.network import (
    AXES,
    PERIOD,
    TIME_CHANNELS,
    HunyuanVideoConfig,
    TextRefiner,
)
from engine.nets import rope
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.layers import Linear
from engine.nets.stream_blocks import BlockRun, DoubleBlock, LastLayer, SingleBlock
from engine.nets.transformer_layers import TimeEmbedder

KINDS = ("text", "glyphs", "picture")
"""The rows of the table that tells where a word is from."""


@dataclass(frozen=True, slots=True)
class HunyuanGlyphsConfig:
    """Sizes, from tensor shapes.

    Attributes:
        blocks: the sizes that HunyuanVideo has, too; there is no pooled text.
        axes: channels of a head that turn with a token's frame (of videos), row and column.
        glyph_channels: of the glyph encoder's tokens; 0: it has none.
        glyph_inner: channels between the projections of these.
        seen_channels: of what an image encoder sees; 0: it takes nothing of the kind.
        kinds: whether words know where they are from.
        flow_map: whether it is told the time that a step leads to (MeanFlow).
    """

    blocks: HunyuanVideoConfig
    axes: tuple[int, ...]
    glyph_channels: int = 0
    glyph_inner: int = 0
    seen_channels: int = 0
    kinds: bool = False
    flow_map: bool = False


class CellProjection(nn.Module):
    """Cells of a latent as tokens, below the name that the files have for it."""

    def __init__(self, channels_in: int, channels: int, dims: int) -> None:
        super().__init__()
        kind = nn.Conv3d if dims == 3 else nn.Conv2d
        self.proj = kind(channels_in, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> [B, N, D]."""
        return self.proj(x).flatten(2).transpose(1, 2)


class GlyphProjection(nn.Module):
    """From the glyph encoder's states to tokens."""

    def __init__(self, config: HunyuanGlyphsConfig) -> None:
        super().__init__()
        inner = config.glyph_inner
        self.layernorm = nn.LayerNorm(config.glyph_channels)
        self.fc1 = Linear(config.glyph_channels, inner)
        self.fc2 = Linear(inner, inner)
        self.fc3 = Linear(inner, config.blocks.channels)
        self.act = nn.GELU()

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, D]."""
        return self.fc3(self.act(self.fc2(self.act(self.fc1(self.layernorm(states))))))


class PictureProjection(nn.Module):
    """From an image encoder's states to tokens."""

    def __init__(self, seen: int, channels: int) -> None:
        super().__init__()
        parts = nn.LayerNorm(seen), Linear(seen, seen), nn.GELU(), Linear(seen, channels)
        self.proj = nn.Sequential(*parts, nn.LayerNorm(channels))

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, D]."""
        return self.proj(states)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What the words of a call are, besides the text.

    Attributes:
        context: [B, T, context_channels], the text.
        mask: [B, T], true where a token of it counts; None if all do.
        glyphs: [B, G, glyph_channels]; None: no words are to be shown.
        glyph_mask: likewise.
        seen: [B, S, seen_channels]; None: no picture is seen.
    """

    context: Tensor
    mask: Tensor | None = None
    glyphs: Tensor | None = None
    glyph_mask: Tensor | None = None
    seen: Tensor | None = None


class HunyuanGlyphs(nn.Module):
    """The denoiser."""

    def __init__(self, config: HunyuanGlyphsConfig) -> None:
        super().__init__()
        blocks = config.blocks
        wide, sizes = blocks.channels, blocks.sizes
        self.axes = config.axes
        self.img_in = CellProjection(blocks.in_channels, wide, len(config.axes))
        self.time_in = TimeEmbedder(TIME_CHANNELS, wide, factor=1.0)
        if config.flow_map:
            self.time_r_in = TimeEmbedder(TIME_CHANNELS, wide, factor=1.0)
        if blocks.guidance:
            self.guidance_in = TimeEmbedder(TIME_CHANNELS, wide)
        self.txt_in = TextRefiner(blocks)
        if config.glyph_channels:
            self.byt5_in = GlyphProjection(config)
        if config.seen_channels:
            self.vision_in = PictureProjection(config.seen_channels, wide)
        self.cond_type_embedding = nn.Embedding(len(KINDS), wide) if config.kinds else None
        self.double_blocks = nn.ModuleList(DoubleBlock(sizes) for _ in range(blocks.double))
        self.single_blocks = nn.ModuleList(SingleBlock(sizes) for _ in range(blocks.single))
        self.final_layer = LastLayer(wide, blocks.out_channels)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        words: Words,
        *,
        guidance: Tensor | None = None,
        target: Tensor | None = None,
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity, like x without what is given beside it.

        Args:
            x: [B, C, ...], the noisy latent, and what is given beside it.
            time: [B], 0..1000, float32.
            words: what is told in words.
            guidance: [B]; None: none is embedded.
            target: [B], the time that the step leads to, 0..1000; None: none is embedded.
            control: see `engine.nets.stream_blocks.BlockRun`.
            hooks: likewise.
            checkpoint: called before every block.
        """
        vec = self.time_in(time, x.dtype)
        if target is not None:
            vec = vec + self.time_r_in(target, x.dtype)
            vec = vec if len(self.axes) == len(AXES) else vec / 2
        if guidance is not None:
            vec = vec + self.guidance_in(guidance, x.dtype)
        txt, mask = self._words(time, words)
        img = self.img_in(x)
        lines = (torch.arange(side, device=x.device) for side in x.shape[2:])
        places = torch.cartesian_prod(*lines).float()
        origin = places.new_zeros(txt.shape[1], len(self.axes))
        run = BlockRun(
            double=lambda _: vec,
            single=lambda _: vec,
            table=rope.rotations(torch.cat((origin, places)), self.axes, PERIOD),
            mask=None if mask is None else _with_picture(mask, prod(x.shape[2:])),
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )
        img = run.through(self.double_blocks, self.single_blocks, img, txt)
        found = self.final_layer(img, vec).transpose(1, 2)
        return found.unflatten(2, x.shape[2:])

    def _words(self, time: Tensor, words: Words) -> tuple[Tensor, Tensor | None]:
        """All words as tokens [B, T, D], and the mask of those that count; None if all do."""
        parts = [(self.txt_in(words.context, time, words.mask), words.mask)]
        if words.glyphs is not None:
            parts.append((self.byt5_in(words.glyphs), words.glyph_mask))
        if words.seen is not None:
            parts.append((self.vision_in(words.seen), None))
        if self.cond_type_embedding is not None:
            kinds = self.cond_type_embedding(torch.arange(len(KINDS), device=time.device))
            present = (0, *([1] if words.glyphs is not None else []), 2)
            parts = [
                (tokens + kinds[kind], mask)
                for (tokens, mask), kind in zip(parts, present, strict=False)
            ]
        joined = torch.cat([tokens for tokens, _ in parts], dim=1)
        if all(mask is None for _, mask in parts):
            return joined, None
        masks = [
            torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
            if mask is None
            else mask.bool()
            for tokens, mask in parts
        ]
        return joined, torch.cat(masks, dim=1)


def _with_picture(mask: Tensor, cells: int) -> Tensor:
    return nn.functional.pad(mask, (0, cells), value=True)
