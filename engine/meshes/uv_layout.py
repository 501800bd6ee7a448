"""Texture coordinates of surfaces: brought into the square of the texture, and as a picture."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from engine.meshes.camera import View
from engine.meshes.drawing import look
from engine.meshes.surface import Floats, Surface

_BACKGROUND = 0.15
_GOLDEN = 0.618033988749895
"""Steps of hues by the golden ratio keep neighbours apart, however many there are."""


def within_square(uvs: Floats) -> Floats:
    """The coordinates, moved and scaled into 0 to 1 as a whole if some are outside."""
    if not len(uvs) or (uvs.min() >= 0 and uvs.max() <= 1):
        return uvs
    low = uvs.min(0)
    return ((uvs - low) / ((uvs.max(0) - low).max() or 1.0)).astype(np.float32)


def draw_layout(surface: Surface, side: int, checkpoint: Callable[[], None]) -> Floats:
    """Its connected parts in the square of the texture [side, side, 3], with their borders black.

    Args:
        surface: one that has `uvs`.
        side: in pixels.
        checkpoint: called now and then; raises to stop.
    """
    picture = np.full((side, side, 3), _BACKGROUND, np.float32)
    if surface.uvs is None:
        return picture
    # A camera above the square, as wide as it; v goes down.
    flat = np.concatenate(
        [surface.uvs * [1, -1] + [-0.5, 0.5], np.full((len(surface.uvs), 1), -1.0)], 1
    )
    view = View(np.eye(4), orthographic=True, half_height=0.5)
    seen = look(Surface(flat.astype(np.float32), surface.faces), view, (side, side), checkpoint)
    parts = _parts(surface)
    colors = np.array(
        [colorsys.hsv_to_rgb(part * _GOLDEN % 1, 0.55, 0.9) for part in range(parts.max() + 1)]
    )
    picture[seen.rows, seen.columns] = colors[parts[seen.faces]]
    for rows, columns in _borders(surface, side):
        picture[rows, columns] = 0
    return picture


def _parts(surface: Surface) -> NDArray[np.int64]:
    """The number of the connected part that each face belongs to."""
    faces, count = surface.faces, len(surface.vertices)
    one, other = faces[:, (0, 1)].ravel(), faces[:, (1, 2)].ravel()
    links = coo_matrix((np.ones(len(one), np.int8), (one, other)), (count, count))
    _, parts = connected_components(links, directed=False)
    used = np.unique(parts[faces[:, 0]], return_inverse=True)[1]
    return used.reshape(-1).astype(np.int64)


def _borders(surface: Surface, side: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The pixels along edges that only one face has."""
    edges = surface.faces[:, ((0, 1), (1, 2), (2, 0))].reshape(-1, 2)
    alone, count = np.unique(np.sort(edges, 1), axis=0, return_counts=True)
    ends = (surface.uvs if surface.uvs is not None else np.zeros((0, 2)))[alone[count == 1]] * side
    if not len(ends):
        return []
    steps = int(min(np.abs(ends[:, 1] - ends[:, 0]).max() * 2 + 2, 4 * side))
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for share in np.linspace(0, 1, steps):
        place = (ends[:, 0] * (1 - share) + ends[:, 1] * share).astype(np.int64).clip(0, side - 1)
        found.append((place[:, 1], place[:, 0]))
    return found
