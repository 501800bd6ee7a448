"""Chroma's denoiser: FLUX.1's blocks, modulated by one small network for all of them.

github.com/lodestone-rock/flow; huggingface.co/lodestones/Chroma.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.families.family import Checkpoint
from engine.nets import rope
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.layers import Linear, timestep_embedding
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
    Change,
    Embedder,
    RmsNorm,
    from_patches,
    patch_grid,
    patches,
)

AXES = (16, 56, 56)
"""Channels of a head that turn with a token's picture, row and column."""
TIME_FACTOR = 1000.0
MODULATIONS = 344
"""Of the released network. The last layer has the last two of these numbers in a smaller one too,
as in the incumbent."""


@dataclass(frozen=True, slots=True)
class ChromaConfig:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels: of a token: the noisy latent's patch.
        out_channels: of a token that is predicted.
        context_channels: of the text encoder's tokens.
        channels: of a token inside.
        inner: channels inside a feed-forward.
        double, single: the numbers of blocks.
        given: numbers that the modulating network is given for each modulation.
        hidden: its width.
        layers: its depth.
    """

    in_channels: int
    out_channels: int
    context_channels: int
    channels: int
    inner: int
    double: int
    single: int
    given: int
    hidden: int
    layers: int

    @property
    def sizes(self) -> BlockSizes:
        """The sizes of its blocks."""
        heads = self.channels // HEAD_CHANNELS
        return BlockSizes(self.channels, heads, self.inner, modulates=False)

    @property
    def modulations(self) -> int:
        """Vectors that modulate: 3 of a single block, 12 of a double one, 2 of the last layer."""
        return max(MODULATIONS, 3 * self.single + 12 * self.double + 2)


class Approximator(nn.Module):
    """All modulations from the time and the number of each."""

    def __init__(self, config: ChromaConfig) -> None:
        super().__init__()
        self.given, self.count = config.given, config.modulations
        self.in_proj = Linear(config.given, config.hidden)
        self.layers = nn.ModuleList(
            Embedder(config.hidden, config.hidden) for _ in range(config.layers)
        )
        self.norms = nn.ModuleList(RmsNorm(config.hidden) for _ in range(config.layers))
        self.out_proj = Linear(config.hidden, config.channels)

    def forward(self, time: Tensor, guidance: Tensor, dtype: torch.dtype) -> Tensor:
        """Time and guidance [B] -> [B, count, D]; a quarter of what it is given is each of them."""
        quarter = self.given // 4
        numbers = torch.arange(self.count, device=time.device)
        place = timestep_embedding(numbers * TIME_FACTOR, 2 * quarter)
        strengths = [
            timestep_embedding(each.float() * TIME_FACTOR, quarter)[:, None].expand(
                -1, self.count, -1
            )
            for each in (time, guidance)
        ]
        x = torch.cat((*strengths, place.expand(len(time), -1, -1)), dim=-1).to(dtype)
        x = self.in_proj(x)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(norm(x))
        return self.out_proj(x)


class Streams(nn.Module):
    """The blocks with what modulates them, from tokens of a picture to tokens."""

    def __init__(self, config: ChromaConfig) -> None:
        super().__init__()
        self.blocks = config.double, config.single
        self.txt_in = Linear(config.context_channels, config.channels)
        self.distilled_guidance_layer = Approximator(config)
        self.double_blocks = nn.ModuleList(DoubleBlock(config.sizes) for _ in range(config.double))
        self.single_blocks = nn.ModuleList(SingleBlock(config.sizes) for _ in range(config.single))

    def through(
        self,
        img: Tensor,
        grid: tuple[int, int],
        time: Tensor,
        context: Tensor,
        guidance: Tensor,
        *,
        mask: Tensor | None,
        control: Residuals | None,
        hooks: NetHooks | None,
        checkpoint: Checkpoint,
    ) -> tuple[Tensor, Tensor]:
        """Tokens [B, N, D] of `grid` rows and columns -> tokens, and all modulations [B, M, D].

        The other arguments are those of `Chroma.forward`.
        """
        vectors = self.distilled_guidance_layer(time, guidance, img.dtype)
        here = rope.grid(*grid, device=img.device)
        words = here.new_zeros(context.shape[1], len(AXES))
        if mask is not None:
            mask = torch.cat((mask, mask.new_ones(len(img), len(here))), dim=1)
        run = BlockRun(
            double=lambda number: self._double(vectors, number),
            single=lambda number: _changes(vectors, 3 * number, 1)[0],
            table=rope.rotations(torch.cat((words, here)), AXES),
            mask=mask,
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )
        txt = self.txt_in(context)
        return run.through(self.double_blocks, self.single_blocks, img, txt), vectors

    def _double(self, vectors: Tensor, number: int) -> Changes:
        """The modulations of a double block; those of single ones stand before them."""
        double, single = self.blocks
        first = 3 * single + 6 * number
        return _changes(vectors, first, 2), _changes(vectors, first + 6 * double, 2)


class Chroma(Streams):
    """The denoiser."""

    def __init__(self, config: ChromaConfig) -> None:
        super().__init__(config)
        self.img_in = Linear(config.in_channels, config.channels)
        self.final_layer = LastLayer(config.channels, config.out_channels, modulates=False)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        guidance: Tensor,
        *,
        mask: Tensor | None = None,
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 16, h, w].

        Args:
            x: [B, 16, h, w], the noisy latent.
            time: [B], 0..1, float32.
            context: [B, T, context_channels].
            guidance: [B]; released models know 0 only.
            mask: [B, T], true where a token of the text counts; None if all do.
            control: see `engine.nets.stream_blocks.BlockRun`.
            hooks: likewise.
            checkpoint: called before every block.
        """
        img, vectors = self.through(
            self.img_in(patches(x)),
            patch_grid(*x.shape[-2:]),
            time,
            context,
            guidance,
            mask=mask,
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )
        last = vectors[:, -2:-1], vectors[:, -1:]
        return from_patches(self.final_layer(img, last), *x.shape[-2:])


def _changes(vectors: Tensor, first: int, count: int) -> list[Change]:
    """`count` modulations of three vectors each, [B, 1, D]."""
    starts = range(first, first + 3 * count, 3)
    return [Change(*vectors[:, start : start + 3].split(1, dim=1)) for start in starts]
