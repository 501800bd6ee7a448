"""FLUX.1's denoiser (Black Forest Labs 2024) in the original key layout.

The blocks are in `engine.nets.stream_blocks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.families.family import Checkpoint
from engine.families.flux.styles import attention_bias
from engine.families.reference_latents import Place
from engine.nets import rope
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.layers import Linear
from engine.nets.stream_blocks import (
    HEAD_CHANNELS,
    BlockRun,
    BlockSizes,
    DoubleBlock,
    LastLayer,
    SingleBlock,
)
from engine.nets.transformer_layers import (
    Embedder,
    TimeEmbedder,
    from_patches,
    patch_grid,
    patches,
)

AXES = (16, 56, 56)
"""Channels of a head that turn with a token's picture, row and column."""
TIME_CHANNELS = 256


@dataclass(frozen=True, slots=True)
class FluxConfig:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels: of a token: the noisy latent's patch, and those of a picture beside it.
        out_channels: of a token that is predicted.
        context_channels: of the text encoder's tokens.
        vector_channels: of the pooled text.
        channels: of a token inside.
        inner: channels inside a feed-forward.
        double, single: the numbers of blocks.
        guidance: whether it is told the strength of guidance (dev), or not (schnell).
    """

    in_channels: int
    out_channels: int
    context_channels: int
    vector_channels: int
    channels: int
    inner: int
    double: int
    single: int
    guidance: bool

    @property
    def sizes(self) -> BlockSizes:
        """The sizes of its blocks."""
        return BlockSizes(self.channels, self.channels // HEAD_CHANNELS, self.inner)


class Flux(nn.Module):
    """The denoiser."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        wide, sizes = config.channels, config.sizes
        self.img_in = Linear(config.in_channels, wide)
        self.time_in = TimeEmbedder(TIME_CHANNELS, wide)
        self.vector_in = Embedder(config.vector_channels, wide)
        if config.guidance:
            self.guidance_in = TimeEmbedder(TIME_CHANNELS, wide)
        self.txt_in = Linear(config.context_channels, wide)
        self.double_blocks = nn.ModuleList(DoubleBlock(sizes) for _ in range(config.double))
        self.single_blocks = nn.ModuleList(SingleBlock(sizes) for _ in range(config.single))
        self.final_layer = LastLayer(wide, config.out_channels)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        vector: Tensor,
        guidance: Tensor | None,
        *,
        styles: Tensor | None = None,
        references: Sequence[tuple[Tensor, Place]] = (),
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 16, h, w].

        Args:
            x: [B, C, h, w], the noisy latent, and a picture's channels beside it.
            time: [B], 0..1, float32.
            context: [B, T, context_channels].
            vector: [B, vector_channels], the pooled text.
            guidance: [B]; None: none is embedded.
            styles: [B, T, 2], see `engine.families.flux.styles`; None: all tokens count alike.
            references: latents [B, 16, h', w'] and their places, which follow x as tokens.
            control: see `engine.nets.stream_blocks.BlockRun`.
            hooks: likewise.
            checkpoint: called before every block.
        """
        vec = self.time_in(time, x.dtype)
        if guidance is not None:
            vec = vec + self.guidance_in(guidance, x.dtype)
        vec = vec + self.vector_in(vector)
        pieces = [(x, Place(0, 0, 0)), *references]
        tokens = [patches(latent) for latent, _ in pieces]
        here = [_positions(latent, place) for latent, place in pieces]
        img, txt = self.img_in(torch.cat(tokens, dim=1)), self.txt_in(context)
        words = here[0].new_zeros(txt.shape[1], len(AXES))
        run = BlockRun(
            double=lambda _: vec,
            single=lambda _: vec,
            table=rope.rotations(torch.cat((words, *here)), AXES),
            mask=None if styles is None else attention_bias(styles, img),
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )
        img = run.through(self.double_blocks, self.single_blocks, img, txt)
        predicted = self.final_layer(img[:, : tokens[0].shape[1]], vec)
        return from_patches(predicted, *x.shape[-2:])


def _positions(latent: Tensor, place: Place) -> Tensor:
    """The positions [n, 3] of the patches of a latent."""
    rows, columns = patch_grid(*latent.shape[-2:])
    top, left = patch_grid(place.top, place.left)
    return rope.grid(rows, columns, index=place.picture, top=top, left=left, device=latent.device)
