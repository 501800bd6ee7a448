"""FLUX.2's denoiser (Black Forest Labs 2025, github.com/black-forest-labs/flux2).

FLUX.1's blocks without biases, with gated feed-forwards, and one modulation for all of a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.families.family import Checkpoint
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
    Modulation,
    MoreKeys,
    TimeEmbedder,
    from_patches,
    patches,
)

AXES = (32, 32, 32, 32)
"""Channels of a head that turn with a token's picture, row, column and word."""
PERIOD = 2000.0
TIME_CHANNELS = 256
REFERENCES_APART = "references apart"
"""The kind of a hook with which references attend to themselves only, as at time 0: a
`ReferenceCache`. The variants of klein that end in KV are trained so
(github.com/black-forest-labs/flux2, docs/flux2_klein_kv_cache.md)."""
PICTURE_STEP = 10
"""Between the positions of one picture and the next along the first axis."""


KeyValue = tuple[Tensor, Tensor]
"""Turned keys and values [B, n, heads, C] of the references in one block."""


class ReferenceRow(Protocol):
    """The keys and values of one set of references, by block."""

    @property
    def is_complete(self) -> bool:
        """Whether all blocks are there."""
        ...

    def read(self, block: int) -> KeyValue:
        """Those of a block."""
        ...

    def write(self, block: int, pair: KeyValue) -> None:
        """Store those of a block."""
        ...


ReferenceCache = Callable[[Sequence[Tensor], int], ReferenceRow | None]
"""From the tensors that references are made of, and the number of blocks, to their keys and values,
or None where they are not stored."""


@dataclass(frozen=True, slots=True)
class Flux2Config:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels: of a token, a cell of the latent.
        context_channels: of the text encoder's tokens.
        channels: of a token inside.
        inner: channels inside a feed-forward.
        double, single: the numbers of blocks.
        guidance: whether it is told the strength of guidance (dev), or not (klein).
    """

    in_channels: int
    context_channels: int
    channels: int
    inner: int
    double: int
    single: int
    guidance: bool

    @property
    def sizes(self) -> BlockSizes:
        """The sizes of its blocks."""
        heads = self.channels // HEAD_CHANNELS
        form = {"bias": False, "is_gated": True, "modulates": False}
        return BlockSizes(self.channels, heads, self.inner, **form)


class Flux2(nn.Module):
    """The denoiser."""

    def __init__(self, config: Flux2Config) -> None:
        super().__init__()
        wide, sizes = config.channels, config.sizes
        self.img_in = Linear(config.in_channels, wide, bias=False)
        self.time_in = TimeEmbedder(TIME_CHANNELS, wide, bias=False)
        if config.guidance:
            self.guidance_in = TimeEmbedder(TIME_CHANNELS, wide, bias=False)
        self.txt_in = Linear(config.context_channels, wide, bias=False)
        self.double_stream_modulation_img = Modulation(wide, 2, bias=False)
        self.double_stream_modulation_txt = Modulation(wide, 2, bias=False)
        self.single_stream_modulation = Modulation(wide, 1, bias=False)
        self.double_blocks = nn.ModuleList(DoubleBlock(sizes) for _ in range(config.double))
        self.single_blocks = nn.ModuleList(SingleBlock(sizes) for _ in range(config.single))
        self.final_layer = LastLayer(wide, config.in_channels, bias=False)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        guidance: Tensor | None,
        *,
        references: Sequence[tuple[Tensor, Place]] = (),
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, C, h, w].

        Args:
            x: [B, C, h, w], the noisy latent.
            time: [B], 0..1, float32.
            context: [B, T, context_channels].
            guidance: [B]; None: none is embedded.
            references: latents [B, C, h', w'] and their places, which follow x as tokens.
            control: see `engine.nets.stream_blocks.BlockRun`.
            hooks: likewise.
            checkpoint: called before every block.
        """
        cache = _cache(hooks) if references else None
        pairs: Callable[[int], KeyValue] | None = None
        if cache is not None:
            pairs = self._references(references, guidance, x.dtype, cache, checkpoint)
            references = ()
        vec = self._vector(time, guidance, x.dtype)
        both = self.double_stream_modulation_img(vec), self.double_stream_modulation_txt(vec)
        (one,) = self.single_stream_modulation(vec)
        pieces = [(x, Place(0, 0, 0)), *references]
        tokens = [patches(latent, 1) for latent, _ in pieces]
        here = [_positions(latent, place) for latent, place in pieces]
        img, txt = self.img_in(torch.cat(tokens, dim=1)), self.txt_in(context)
        words = torch.zeros(txt.shape[1], len(AXES), device=x.device)
        words[:, 3] = torch.arange(len(words), device=x.device)
        run = BlockRun(
            double=lambda _: both,
            single=lambda _: one,
            table=rope.rotations(torch.cat((words, *here)), AXES, PERIOD),
            mask=None,
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
            more=lambda block: None if pairs is None else MoreKeys(besides=pairs(block)),
        )
        img = run.through(self.double_blocks, self.single_blocks, img, txt)
        predicted = self.final_layer(img[:, : tokens[0].shape[1]], vec)
        return from_patches(predicted, x.shape[-2], x.shape[-1], 1)

    def _vector(self, time: Tensor, guidance: Tensor | None, dtype: torch.dtype) -> Tensor:
        """What modulates the blocks [B, D], of time [B] and the strength of guidance [B]."""
        vec = self.time_in(time, dtype)
        return vec if guidance is None else vec + self.guidance_in(guidance, dtype)

    def _references(
        self,
        references: Sequence[tuple[Tensor, Place]],
        guidance: Tensor | None,
        dtype: torch.dtype,
        cache: ReferenceCache,
        checkpoint: Checkpoint,
    ) -> Callable[[int], KeyValue]:
        """The keys and values of references by block, stored or computed by themselves."""
        tokens = self.img_in(torch.cat([patches(latent, 1) for latent, _ in references], dim=1))
        positions = torch.cat([_positions(latent, place) for latent, place in references])
        given = [tokens, positions, *([] if guidance is None else [guidance])]
        row = cache(given, len(self.double_blocks) + len(self.single_blocks))
        if row is not None and row.is_complete:
            return row.read
        vec = self._vector(tokens.new_zeros(len(tokens), dtype=torch.float32), guidance, dtype)
        both = self.double_stream_modulation_img(vec), self.double_stream_modulation_txt(vec)
        (one,) = self.single_stream_modulation(vec)
        kept: list[KeyValue] = []
        run = BlockRun(
            double=lambda _: both,
            single=lambda _: one,
            table=rope.rotations(positions, AXES, PERIOD),
            mask=None,
            control=None,
            hooks=None,
            checkpoint=checkpoint,
            more=lambda _: MoreKeys(kept=kept),
        )
        run.through(self.double_blocks, self.single_blocks, tokens, tokens[:, :0])
        if row is not None:
            for block, pair in enumerate(kept):
                row.write(block, pair)
        return kept.__getitem__


def _cache(hooks: NetHooks | None) -> ReferenceCache | None:
    """The cache of references; none where blocks are replaced, which may differ between steps."""
    if hooks is None or hooks.replacements:
        return None
    return next(iter(hooks.of(REFERENCES_APART)), None)


def _positions(latent: Tensor, place: Place) -> Tensor:
    """The positions [n, 4] of the cells of a latent."""
    rows, columns = latent.shape[-2:]
    first = PICTURE_STEP * place.picture
    found = rope.grid(
        rows, columns, index=first, top=place.top, left=place.left, device=latent.device
    )
    return nn.functional.pad(found, (0, 1))
