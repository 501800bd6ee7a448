"""The sequence of Qwen-Image 2.1: the text, cells of references in it, the cells of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from engine.nets import rope


class Picture(NamedTuple):
    """A reference picture in the text.

    Attributes:
        start, stop: the text encoder's tokens of it, for which its cells stand.
        cells: its latent [B, 64, h, w].
    """

    start: int
    stop: int
    cells: Tensor


class Segment(NamedTuple):
    """A part of the sequence: text, or the cells of one picture, which see each other.

    Attributes:
        start, stop: its tokens.
        size: rows and columns of cells; None for text.
    """

    start: int
    stop: int
    size: tuple[int, int] | None = None


def segments(words: int, pictures: Sequence[Picture], x: Tensor) -> list[Segment]:
    """The parts of the sequence; the last one is the picture x."""
    found, done, at = list[Segment](), 0, 0
    for start, stop, cells in (*pictures, Picture(words, words, x)):
        if start > done:
            found.append(Segment(at, at + start - done))
            at += start - done
        rows, columns = cells.shape[-2:]
        found.append(Segment(at, at + rows * columns, (rows, columns)))
        at, done = at + rows * columns, stop
    return found


def positions(parts: Sequence[Segment], device: torch.device) -> Tensor:
    """The positions [N, 3]: text goes on along all axes; cells are around the middle of theirs."""
    found, at = list[Tensor](), 0
    for start, stop, size in parts:
        if size is None:
            line = torch.arange(at, at + stop - start, dtype=torch.float32, device=device)
            found.append(line[:, None].expand(-1, 3))
            at += stop - start
            continue
        rows, columns = size
        top, left = rows // 2 - rows, columns // 2 - columns
        found.append(rope.grid(rows, columns, index=at, top=top, left=left, device=device))
        at += max(rows, columns)
    return torch.cat(found)


def counts(mask: Tensor, pictures: Sequence[Picture], cells: int) -> Tensor:
    """[B, N]: which tokens of the whole sequence count as keys."""
    parts, done = list[Tensor](), 0
    for start, stop, each in pictures:
        parts += [mask[:, done:start], mask.new_ones(len(mask), each[0, 0].numel())]
        done = stop
    return torch.cat((*parts, mask[:, done:], mask.new_ones(len(mask), cells)), dim=1)
