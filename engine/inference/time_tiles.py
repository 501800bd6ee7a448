"""Videos piece by piece along time, for autoencoders whose memory grows with the length.

The first cell of a piece stands for a single frame there, so what it makes is left out in favour of
the piece before; from there on, both are blended. Results differ a little from those of the whole,
because frames beyond the ends of a piece are not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.families.latent_format import LatentFormat

Run = Callable[[Tensor, int, int], Tensor]
"""From a piece, its number and the number of pieces to the result."""
SHORTEST = 2
"""Cells of a piece: the first is only there for the others."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of a video, in cells.

    Attributes:
        size: of a piece.
        starts: the first cell of each; neighbours share at least one.
    """

    size: int
    starts: tuple[int, ...]


def pieces(cells: int, size: int, overlap: int) -> Pieces:
    """Pieces of at most `size` cells that share `overlap` with their neighbours, or more."""
    size = max(size, SHORTEST)
    if cells <= size:
        return Pieces(cells, (0,))
    step = size - min(max(overlap, 1), size - 1)
    starts = range(0, cells - size + step, step)
    return Pieces(size, tuple(min(start, cells - size) for start in starts))


def decoded(latents: Tensor, division: Pieces, form: LatentFormat, run: Run) -> Tensor:
    """Latents [B, C, t, h, w] to pixels [B, 3, frames, H, W], piece by piece."""
    step = form.downscale[0]
    count, result = len(division.starts), None
    for number, start in enumerate(division.starts):
        part = run(latents[:, :, start : start + division.size], number, count)
        result = part if result is None else _blended(result, part, start * step)
    return latents if result is None else result


def encoded(pixels: Tensor, division: Pieces, form: LatentFormat, run: Run) -> Tensor:
    """Pixels [B, C, frames, H, W] to latents [B, C', t, h, w], piece by piece."""
    step = form.downscale[0]
    count, result = len(division.starts), None
    for number, start in enumerate(division.starts):
        frames = pixels[:, :, start * step : start * step + form.frames(division.size)]
        part = run(frames, number, count)
        result = part if result is None else _blended(result, part, start)
    return pixels if result is None else result


def _blended(before: Tensor, part: Tensor, start: int) -> Tensor:
    """What was made before, going over into a part that begins at `start` of its time axis."""
    shared = before.shape[2] - start
    share = torch.arange(shared, dtype=part.dtype).div(shared).reshape(1, 1, -1, 1, 1)
    blend = before[:, :, start:].lerp(part[:, :, :shared], share)
    return torch.cat((before[:, :, :start], blend, part[:, :, shared:]), dim=2)
