"""Evaluates a network on a large map tile by tile, with blended seams.

The network is any function that enlarges or reduces each side by a fixed factor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles of equal size over `length` cells of one axis, evenly spaced, as few as possible.

    Attributes:
        length: cells to cover.
        size: of one tile.
        starts: the first cell of each.
    """

    length: int
    size: int
    starts: tuple[int, ...]


def grid(length: int, largest: int, overlap: int) -> Grid:
    """The fewest tiles of at most `largest` cells with at least `overlap` cells of overlap."""
    if length <= largest:
        return Grid(length, length, (0,))
    overlap = min(overlap, largest - 1)
    count = math.ceil((length - overlap) / (largest - overlap))
    size = math.ceil((length + (count - 1) * overlap) / count)
    starts = tuple(round(i * (length - size) / (count - 1)) for i in range(count))
    return Grid(length, size, starts)


def shares(axis: Grid, overlap: int, scale: float = 1.0) -> list[Tensor]:
    """The weight of each tile at each of its cells [size * scale]; their sum is 1 at every cell.

    The weight changes from one tile to its neighbour over `overlap` cells, centred in the overlap
    of the two. `scale`: cells of the result per cell of the axis.
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
    """The division of a map into tiles, in cells of its coarser side (latent cells).

    Attributes:
        grids: one for each axis that is divided: the last axes of the map.
        overlap: cells over which seams are blended.
    """

    grids: tuple[Grid, ...]
    overlap: int

    @property
    def count(self) -> int:
        """The number of tiles."""
        return math.prod(len(axis.starts) for axis in self.grids)

    @property
    def size(self) -> tuple[int, ...]:
        """Cells of one tile along each axis."""
        return tuple(axis.size for axis in self.grids)


def plan(cells: Sequence[int], largest: int, overlap: int) -> Tiling:
    """Divide a map with sides of `cells` into tiles of at most `largest` cells a side."""
    return Tiling(tuple(grid(each, largest, overlap) for each in cells), overlap)


def run_tiled(
    x: Tensor, tiling: Tiling, run: Callable[[Tensor], Tensor], *, inward: int = 1, outward: int = 1
) -> Tensor:
    """Call `run` for each tile and blend the results.

    Args:
        x: [1, C, ..., inward * h, inward * w], where the tiling covers h x w cells; as many of the
            last axes as it has grids, 1 to 3.
        tiling: from `plan`.
        run: [1, C, ..., inward * a, inward * b] -> [1, D, ..., outward * a, outward * b].
        inward: cells of x per cell of the tiling along one side (8 for pixels).
        outward: cells of the result per cell of the tiling.
    """
    if tiling.count == 1:
        return run(x)
    axes = [
        [
            (
                slice(start * inward, (start + axis.size) * inward),
                slice(start * outward, (start + axis.size) * outward),
                share,
            )
            for start, share in zip(axis.starts, shares(axis, tiling.overlap, outward), strict=True)
        ]
        for axis in tiling.grids
    ]
    size = [axis.length * outward for axis in tiling.grids]
    blended: Tensor | None = None
    for place in itertools.product(*axes):
        part = run(x[(..., *(source for source, _, _ in place))])
        if blended is None:
            blended = part.new_zeros(*part.shape[: -len(size)], *size)
        share = torch.ones(())
        for _, _, along in place:
            share = share[..., None] * along
        blended[(..., *(target for _, target, _ in place))] += part * share.to(part)
    return x if blended is None else blended
