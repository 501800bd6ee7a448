"""Surfaces of solids that are given as a grid of numbers.

A sample is solid where it exceeds the threshold. The longest axis of the grid spans -1 to 1, with
each sample in the middle of its cell; x, y and z are the last, middle and first axis. What touches
the border of the grid is closed there.
"""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.meshes.surface import Faces, Floats, Surface

_CORNERS: tuple[tuple[int, ...], ...] = tuple(itertools.product((0, 1), repeat=3))
"""The corners of a cell, z, y and x of each."""
_EDGES = tuple(
    (a, b)
    for a, b in itertools.combinations(range(8), 2)
    if sum(map(operator.ne, _CORNERS[a], _CORNERS[b])) == 1
)


def surface_net(grid: Floats, threshold: float) -> Surface:
    """A smooth surface: naive surface nets (Gibson 1998, "Constrained Elastic Surface Nets").

    Each cell that the surface crosses has one vertex, the mean of the crossings of its edges, where
    values between samples are interpolated; each edge that it crosses has a quadrilateral of the
    vertices of the four cells around it.

    Args:
        grid: [depth, height, width].
        threshold: see the module.
    """
    padded = _closed(grid, threshold)
    solid = padded > threshold
    cells = _crossed_cells(solid)
    places = np.argwhere(cells)
    numbers = np.full(cells.shape, -1, np.int64)
    numbers[cells] = np.arange(len(places))
    vertices = places + _mean_crossing(padded, places, threshold)
    quads = [_quads(solid, numbers, axis) for axis in range(3)]
    # In the padded grid sample 0 of the given one has the index 1.
    return _placed(vertices - 0.5, np.concatenate(quads), grid.shape)


def blocks(grid: Floats, threshold: float) -> Surface:
    """The outer sides of solid cells, as squares; neighbours share their corners.

    Args:
        grid: [depth, height, width].
        threshold: see the module.
    """
    solid = np.pad(grid > threshold, 1)
    deep, high, wide = (size + 1 for size in grid.shape)
    quads: list[NDArray[np.int64]] = []
    for axis in range(3):
        others = [each for each in range(3) if each != axis]
        for side in (0, 1):
            inner = np.roll(solid, 1 - 2 * side, axis)
            places = np.argwhere(solid & ~inner) - 1
            corners = np.repeat(places[:, None], 4, 1)
            corners[:, :, axis] += side
            corners[:, (1, 2), others[0]] += 1
            corners[:, (2, 3), others[1]] += 1
            # Axes z, y, x are left-handed where x, y, z are right-handed.
            if (side == 1) == (axis != 1):
                corners = corners[:, ::-1]
            quads.append(corners)
    corners = np.concatenate(quads)
    keys = np.ravel_multi_index(tuple(np.moveaxis(corners, -1, 0)), (deep, high, wide))
    used, faces = np.unique(keys, return_inverse=True)
    vertices = np.stack(np.unravel_index(used, (deep, high, wide)), -1)
    return _placed(vertices.astype(np.float64), faces.reshape(-1, 4), grid.shape)


def _closed(grid: Floats, threshold: float) -> Floats:
    """The grid with a border that is not solid, so that the surface is closed half a cell out."""
    finite = np.nan_to_num(
        grid.astype(np.float32, copy=False),
        nan=threshold - 1,
        posinf=threshold + 1,
        neginf=threshold - 1,
    )
    padded = np.pad(finite, 1, "edge")
    for axis in range(3):
        for index in (0, -1):
            border = padded[(slice(None),) * axis + (index,)]
            np.minimum(border, 2 * threshold - border, out=border)
    return padded


def _crossed_cells(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    corners = [_shifted(solid, corner) for corner in _CORNERS]
    some, every = corners[0].copy(), corners[0].copy()
    for each in corners[1:]:
        some |= each
        every &= each
    return some & ~every


def _shifted(values: NDArray[Any], corner: tuple[int, ...]) -> NDArray[Any]:
    deep, high, wide = values.shape
    z, y, x = corner
    return values[z : deep - 1 + z, y : high - 1 + y, x : wide - 1 + x]


def _mean_crossing(
    padded: Floats, places: NDArray[np.int64], threshold: float
) -> NDArray[np.float64]:
    """Where the surface crosses the edges of cells, on average, from their first corners."""
    values = np.stack([padded[tuple(np.add(places, corner).T)] for corner in _CORNERS], -1).astype(
        np.float64
    )
    total = np.zeros((len(places), 3))
    count = np.zeros(len(places))
    for one, other in _EDGES:
        first, second = values[:, one], values[:, other]
        crossed = (first > threshold) != (second > threshold)
        share = (threshold - first[crossed]) / (second - first)[crossed]
        step = np.subtract(_CORNERS[other], _CORNERS[one])
        total[crossed] += np.array(_CORNERS[one]) + share[:, None] * step
        count[crossed] += 1
    return total / count[:, None]


def _quads(solid: NDArray[np.bool_], numbers: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
    """The quadrilaterals around the crossed edges along an axis."""
    before = np.moveaxis(solid, axis, 0)[:-1]
    after = np.moveaxis(solid, axis, 0)[1:]
    cells = np.moveaxis(numbers, axis, 0)
    places = np.argwhere(before != after)
    along, u, v = places.T
    quads = np.stack([cells[along, u - i, v - j] for i, j in ((1, 1), (0, 1), (0, 0), (1, 0))], -1)
    inward = before[tuple(places.T)] == (axis != 1)
    quads[inward] = quads[inward][:, ::-1]
    return quads


def _placed(
    vertices: NDArray[np.float64], quads: NDArray[np.int64], shape: tuple[int, ...]
) -> Surface:
    """Vertices in cells (z, y, x) and quadrilaterals as a surface; see the module for its size."""
    longest = max(shape)
    centred = (vertices - np.array(shape) / 2) * (2 / longest)
    faces: Faces = np.concatenate([quads[:, (0, 1, 2)], quads[:, (0, 2, 3)]])
    return Surface(np.ascontiguousarray(centred[:, ::-1], dtype=np.float32), faces)
