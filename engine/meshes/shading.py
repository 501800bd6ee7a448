"""Normals and tangents of surfaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.meshes.surface import Floats, Surface


def face_normals(surface: Surface) -> NDArray[np.float64]:
    """[M, 3]: at right angles to each face, as long as twice its area."""
    corners = surface.vertices.astype(np.float64)[surface.faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def smoothed(surface: Surface, crease: float = 180.0) -> Surface:
    """The surface with normals, which are the mean of the faces around a place, by their angles.

    Vertices at the same place count as one, so that seams of textures do not show
    (Thürmer and Wüthrich 1998, "Computing Vertex Normals from Polygonal Facets").

    Args:
        surface: one that is not empty.
        crease: degrees; edges whose faces differ by more stay hard: their vertices are split. At
            180 vertices and faces stay as they are.
    """
    places = _places(surface.vertices)
    normals, angles = _unit(face_normals(surface)), _corner_angles(surface)
    corners = places[surface.faces]
    if crease >= 180:
        sums = np.zeros((places.max() + 1, 3))
        np.add.at(sums, corners, angles[..., None] * normals[:, None])
        found = _unit(sums)[places]
        return replace(surface, normals=found.astype(np.float32), tangents=None)
    groups = _corner_groups(surface, places, normals, crease)
    sums = np.zeros((groups.max() + 1, 3))
    np.add.at(sums, groups, angles[..., None] * normals[:, None])
    # A corner keeps its vertex, unless another group of faces has it too.
    keys, first, faces = np.unique(
        np.stack([surface.faces.ravel(), groups.ravel()], 1),
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    split = surface.taking(surface.faces.ravel()[first], faces.reshape(-1, 3).astype(np.int64))
    return replace(split, normals=_unit(sums)[keys[:, 1]].astype(np.float32), tangents=None)


def with_tangents(surface: Surface) -> Surface:
    """The surface with tangents, for its normals and texture coordinates.

    Lengyel 2001, "Computing Tangent Space Basis Vectors for an Arbitrary Mesh".
    """
    if surface.uvs is None or surface.normals is None:
        return surface
    corners = surface.vertices.astype(np.float64)[surface.faces]
    uvs = surface.uvs.astype(np.float64)[surface.faces]
    sides = corners[:, 1:] - corners[:, :1]
    steps = uvs[:, 1:] - uvs[:, :1]
    area = steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 1, 0] * steps[:, 0, 1]
    scale = np.divide(1.0, area, out=np.zeros_like(area), where=np.abs(area) > 1e-20)
    along = scale[:, None] * (steps[:, 1, 1:] * sides[:, 0] - steps[:, 0, 1:] * sides[:, 1])
    across = scale[:, None] * (steps[:, 0, :1] * sides[:, 1] - steps[:, 1, :1] * sides[:, 0])
    sums = np.zeros((2, len(surface.vertices), 3))
    for corner in range(3):
        np.add.at(sums[0], surface.faces[:, corner], along)
        np.add.at(sums[1], surface.faces[:, corner], across)
    normals = surface.normals.astype(np.float64)
    flat = sums[0] - normals * (sums[0] * normals).sum(1, keepdims=True)
    lost = np.linalg.norm(flat, axis=1) < 1e-12
    flat[lost] = np.cross(normals[lost], np.roll(normals[lost], 1, 1) + np.array([1e-3, 0, 0]))
    # The third axis of glTF points to smaller v.
    side = np.where((np.cross(normals, flat) * sums[1]).sum(1) > 0, -1.0, 1.0)
    found = np.concatenate([_unit(flat), side[:, None]], 1)
    return replace(surface, tangents=found.astype(np.float32))


def _places(vertices: Floats) -> NDArray[np.int64]:
    """A number for each vertex, the same for those at the same place."""
    return np.unique(vertices, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _corner_angles(surface: Surface) -> NDArray[np.float64]:
    """[M, 3]: the angle of each corner of a face, in radians."""
    corners = surface.vertices.astype(np.float64)[surface.faces]
    after = _unit(np.roll(corners, -1, 1) - corners)
    before = _unit(np.roll(corners, 1, 1) - corners)
    return np.arccos((after * before).sum(-1).clip(-1, 1))


def _corner_groups(
    surface: Surface, places: NDArray[np.int64], normals: NDArray[np.float64], crease: float
) -> NDArray[np.int64]:
    """[M, 3]: corners that are joined over edges that are not hard have the same number."""
    faces = places[surface.faces]
    count = len(faces)
    edges = np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2)
    ordered = np.sort(edges, 1)
    order = np.lexsort(ordered.T)
    same = (ordered[order][1:] == ordered[order][:-1]).all(1)
    one, other = order[:-1][same], order[1:][same]
    soft = (normals[one // 3] * normals[other // 3]).sum(1) >= np.cos(np.radians(crease)) - 1e-9
    one, other = one[soft], other[soft]
    groups = np.arange(count * 3)
    links: list[NDArray[Any]] = []
    for end in (0, 1):
        # The corner of the first face at this end of the edge, and that of the other at the place.
        mine = one // 3 * 3 + (one % 3 + end) % 3
        place = edges[one, end]
        turned = edges[other, 0] != place
        theirs = other // 3 * 3 + (other % 3 + turned) % 3
        links.append(np.stack([mine, theirs], 1))
    pairs = np.concatenate(links)
    return _joined_groups(groups, pairs).reshape(count, 3)


def _joined_groups(groups: NDArray[np.int64], pairs: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers from 0 for sets that these pairs join: the smallest number spreads until it rests."""
    while True:
        least = np.minimum(groups[pairs[:, 0]], groups[pairs[:, 1]])
        before = groups.copy()
        np.minimum.at(groups, pairs[:, 0], least)
        np.minimum.at(groups, pairs[:, 1], least)
        groups = groups[groups]
        if (groups == before).all():
            return np.unique(groups, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def bounds(surface: Surface) -> tuple[Floats, Floats]:
    """The lowest and highest of its coordinates, each [3]."""
    used = surface.vertices[np.unique(surface.faces)]
    return used.min(0), used.max(0)
