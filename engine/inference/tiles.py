"""A large map through a network tile by tile, the tiles' seams blended away.

The network is any function that makes a fixed number of cells of each one, or the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles of equal size over `length` cells of one axis, evenly spread, as few as will do.

    Attributes:
        length: cells to cover.
        size: of one tile.
        starts: where each begins.
    """

    length: int
    size: int
    starts: tuple[int, ...]


def grid(length: int, largest: int, overlap: int) -> Grid:
    """The fewest tiles of at most `largest` cells of which neighbours share `overlap` or more."""
    if length <= largest:
        return Grid(length, length, (0,))
    overlap = min(overlap, largest - 1)
    count = math.ceil((length - overlap) / (largest - overlap))
    size = math.ceil((length + (count - 1) * overlap) / count)
    starts = tuple(round(i * (length - size) / (count - 1)) for i in range(count))
    return Grid(length, size, starts)


def shares(axis: Grid, overlap: int, scale: float = 1.0) -> list[Tensor]:
    """How much each tile counts at each of its cells [size * scale]; over an axis they add up to 1.

    From the middle of what two neighbours share, the weight changes over hands within `overlap`
    cells. `scale`: cells of the result per cell of the axis.
    """
    size, length = round(axis.size * scale), round(axis.length * scale)
    starts = [round(start * scale) for start in axis.starts]
    ramp = max(overlap * scale, 1.0)
    cells = torch.arange(size) + 0.5
    raised = []
    for start in starts:
        left = torch.ones(size) if start == 0 else (cells / ramp).clamp(0, 1)
        at_end = start + size == length
        right = torch.ones(size) if at_end else ((size - cells) / ramp).clamp(0, 1)
        raised.append(left * right)
    total = torch.zeros(length)
    for start, weight in zip(starts, raised, strict=True):
        total[start : start + size] += weight
    return [
        weight / total[start : start + size] for start, weight in zip(starts, raised, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a map is cut, in cells of its coarser side (latent cells).

    Attributes:
        rows, columns: the grids.
        overlap: cells over which seams are blended.
    """

    rows: Grid
    columns: Grid
    overlap: int

    @property
    def count(self) -> int:
        """How many tiles."""
        return len(self.rows.starts) * len(self.columns.starts)


def plan(height: int, width: int, largest: int, overlap: int) -> Tiling:
    """Cut `height` x `width` cells into tiles of at most `largest` x `largest`."""
    return Tiling(grid(height, largest, overlap), grid(width, largest, overlap), overlap)


def run_tiled(
    x: Tensor, tiling: Tiling, run: Callable[[Tensor], Tensor], *, inward: int = 1, outward: int = 1
) -> Tensor:
    """Put each tile through `run` and blend the results.

    Args:
        x: [1, C, inward * h, inward * w], where the tiling covers h x w cells.
        tiling: from `plan`.
        run: [1, C, inward * a, inward * b] -> [1, D, outward * a, outward * b].
        inward: cells of x per cell of the tiling along one side (8 for pixels).
        outward: cells of the result per cell of the tiling.
    """
    rows, columns = tiling.rows, tiling.columns
    if tiling.count == 1:
        return run(x)
    row_shares = shares(rows, tiling.overlap, outward)
    column_shares = shares(columns, tiling.overlap, outward)
    size = rows.length * outward, columns.length * outward
    blended: Tensor | None = None
    for top, row_share in zip(rows.starts, row_shares, strict=True):
        for left, column_share in zip(columns.starts, column_shares, strict=True):
            part = run(
                x[
                    ...,
                    top * inward : (top + rows.size) * inward,
                    left * inward : (left + columns.size) * inward,
                ]
            )
            if blended is None:
                blended = part.new_zeros(*part.shape[:-2], *size)
            share = (row_share[:, None] * column_share[None]).to(part)
            blended[
                ...,
                top * outward : (top + rows.size) * outward,
                left * outward : (left + columns.size) * outward,
            ] += part * share
    return x if blended is None else blended
