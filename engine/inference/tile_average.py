"""The mean of three tilings, as in ComfyUI's tiled VAE nodes.

A tile changes a picture's group norms, so the shape of the tiles is visible in the result.
Averaging three runs, over square, wide and tall tiles of equal area, reduces that at three times
the cost.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scale:
    """The ratio of a side of the input to that of the result: `outward` cells per `inward`."""

    inward: int = 1
    outward: int = 1

    def of(self, cells: int) -> int:
        """A number of cells of the input in cells of the result, rounded half to even."""
        return round(cells * self.outward / self.inward)


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a tile and its overlap with neighbours, in cells of the input."""

    rows: int
    columns: int
    overlap: int

    def starts(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Top left corners of the tiles that cover `size`; the last of a row may be shorter."""
        rows = _starts(size[0], self.rows, self.overlap)
        columns = _starts(size[1], self.columns, self.overlap)
        return list(itertools.product(rows, columns))


def three_shapes(tile: int, overlap: int, scale: Scale) -> tuple[Shape, Shape, Shape]:
    """Tall, wide and square tiles of `tile` x `tile` cells of the input.

    Sides and overlap are also whole cells of the result. The stride is at least an eighth of the
    shortest side: a wider overlap becomes half of that side.
    """
    unit = scale.inward
    half, whole, double = (max(side // unit, 1) * unit for side in (tile // 2, tile, tile * 2))
    if overlap > half * 7 // 8:
        overlap = half // 2
    overlap = overlap // unit * unit
    return (
        Shape(double, half, overlap),
        Shape(half, double, overlap),
        Shape(whole, whole, overlap),
    )


def tile_count(size: tuple[int, int], shapes: tuple[Shape, ...]) -> int:
    """The number of tiles that `run_averaged` evaluates for an input of `size`."""
    distinct = [len(shape.starts(size)) for shape in shapes]
    return 1 if max(distinct) == 1 else sum(distinct)


def run_averaged(
    x: Tensor, shapes: tuple[Shape, ...], run: Callable[[Tensor], Tensor], scale: Scale
) -> Tensor:
    """The mean of the results of x [1, C, H, W] with each of `shapes`.

    `run` maps a tile [1, C, h, w] to [1, D, scale.of(h), scale.of(w)].
    """
    size = (x.shape[-2], x.shape[-1])
    if tile_count(size, shapes) == 1:
        return run(x)
    total = _run_tiles(x, shapes[0], run, scale)
    for shape in shapes[1:]:
        total += _run_tiles(x, shape, run, scale)
    return total.div_(len(shapes))


def _starts(length: int, tile: int, overlap: int) -> range:
    return range(0, length - overlap, tile - overlap) if length > tile else range(1)


def _run_tiles(x: Tensor, shape: Shape, run: Callable[[Tensor], Tensor], scale: Scale) -> Tensor:
    """The mean of overlapping tiles of one shape, weighted by ramps along their sides."""
    height, width = x.shape[-2:]
    ramp = scale.of(shape.overlap)
    result = weights = None
    for top, left in shape.starts((height, width)):
        part = run(x[..., top : top + shape.rows, left : left + shape.columns])
        if result is None or weights is None:
            result = part.new_zeros(*part.shape[:-2], scale.of(height), scale.of(width))
            weights = torch.zeros_like(result[:1, :1])
        rows, columns = part.shape[-2:]
        weight = _ramps(rows, ramp)[:, None] * _ramps(columns, ramp)
        place = (
            ...,
            slice(scale.of(top), scale.of(top) + rows),
            slice(scale.of(left), scale.of(left) + columns),
        )
        result[place] += part * weight
        weights[place] += weight
    if result is None or weights is None:
        raise ValueError(f"nothing to cut into tiles: {height} x {width} cells")
    return result.div_(weights)


def _ramps(length: int, ramp: int) -> Tensor:
    """Weights [length] that rise over `ramp` cells at both ends; 1 if the length is too small."""
    weight = torch.ones(length)
    if ramp >= length:
        return weight
    rising = torch.arange(1, ramp + 1) / ramp if ramp else weight[:0]
    weight[:ramp] *= rising
    weight[length - ramp :] *= rising.flip(0)
    return weight
