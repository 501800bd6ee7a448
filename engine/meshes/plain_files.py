"""Reads STL (text and binary) and Wavefront OBJ, from untrusted files.

Of OBJ its faces, coordinates, normals and colours of vertices; materials lie in other files, which
are not read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import MediaError
from engine.meshes.surface import Surface

_STL_HEAD, _STL_ROW = 84, 50
_MOST_CORNERS = 30_000_000


def read_stl(content: bytes) -> Surface:
    """The triangles of an STL file; corners at the same place become one vertex.

    Raises:
        MediaError: it is damaged, or has no triangles.
    """
    count = int.from_bytes(content[80:84], "little")
    is_binary = len(content) >= _STL_HEAD and len(content) == _STL_HEAD + _STL_ROW * count
    if not is_binary and content.lstrip()[:5].lower() == b"solid" and b"vertex" in content:
        corners = _text_corners(content)
    elif len(content) < _STL_HEAD + _STL_ROW * count or len(content) < _STL_HEAD:
        raise MediaError(
            f"the STL file is cut: {count:,} triangles need {_STL_HEAD + _STL_ROW * count:,} "
            f"bytes, and {len(content):,} are there; get the file again"
        )
    else:
        row = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
        corners = np.frombuffer(content, row, count, _STL_HEAD)["corners"].reshape(-1, 3)
    if not len(corners):
        raise MediaError("there are no triangles in the STL file")
    _check(corners, "STL")
    vertices, faces = np.unique(corners, axis=0, return_inverse=True)
    return Surface(vertices.astype(np.float32), faces.reshape(-1, 3).astype(np.int64))


def _text_corners(content: bytes) -> NDArray[np.float32]:
    numbers: list[list[bytes]] = []
    for line in content.splitlines():
        words = line.split()
        if words[:1] == [b"vertex"]:
            numbers.append(words[1:4])
    try:
        found = np.array([[float(each) for each in three] for three in numbers], np.float32)
    except ValueError as error:
        raise MediaError(f"the STL file is damaged: {error}") from error
    if found.ndim != 2 or found.shape[1] != 3 or len(found) % 3:
        raise MediaError("the STL file is damaged: a triangle has not three corners")
    return found


def read_obj(content: bytes) -> Surface:
    """The faces of an OBJ file, cut into triangles.

    Raises:
        MediaError: it is damaged, or has no faces.
    """
    points: list[list[float]] = []
    uvs: list[list[float]] = []
    normals: list[list[float]] = []
    corners: list[tuple[int, int, int]] = []
    try:
        for words in _lines(content):
            match words[0]:
                case b"v":
                    points.append([float(each) for each in words[1:]])
                case b"vt":
                    uvs.append([float(each) for each in words[1:3]])
                case b"vn":
                    normals.append([float(each) for each in words[1:4]])
                case b"f":
                    sizes = len(points), len(uvs), len(normals)
                    found = [_corner(word, sizes) for word in words[1:]]
                    for second, third in itertools.pairwise(found[1:]):
                        corners += [found[0], second, third]
                case _:
                    pass
            if len(corners) > _MOST_CORNERS:
                raise MediaError(
                    f"the OBJ file has more than {_MOST_CORNERS // 3:,} triangles; simplify it"
                )
    except (ValueError, IndexError) as error:
        raise MediaError(f"the OBJ file is damaged: {error}") from error
    if not corners:
        raise MediaError("there are no faces in the OBJ file")
    return _surface(points, uvs, normals, corners)


def _lines(content: bytes) -> Iterator[list[bytes]]:
    for line in content.replace(b"\\\n", b" ").replace(b"\\\r\n", b" ").splitlines():
        words = line.split(b"#", 1)[0].split()
        if words:
            yield words


def _corner(word: bytes, sizes: tuple[int, int, int]) -> tuple[int, int, int]:
    """The indices of a corner `v/vt/vn`; -1 for what it does not name."""
    parts = [*word.split(b"/"), b"", b""][:3]
    found = [-1, -1, -1]
    for place, (part, size) in enumerate(zip(parts, sizes, strict=True)):
        if part:
            number = int(part)
            index = number - 1 if number > 0 else size + number
            if not 0 <= index < size:
                raise MediaError(
                    f"the OBJ file is damaged: a face refers to number {number} of {size}"
                )
            found[place] = index
    if found[0] < 0:
        raise MediaError("the OBJ file is damaged: a corner of a face has no vertex")
    return found[0], found[1], found[2]


def _surface(
    points: list[list[float]],
    uvs: list[list[float]],
    normals: list[list[float]],
    corners: list[tuple[int, int, int]],
) -> Surface:
    used, faces = np.unique(np.array(corners, np.int64), axis=0, return_inverse=True)
    width = min(len(each) for each in points)
    if width < 3:
        raise MediaError("the OBJ file is damaged: a vertex has fewer than three numbers")
    # Six numbers are a place and a colour, a custom of many programs.
    places = _table(points, 6 if width >= 6 else 3)
    _check(places, "OBJ")
    given = _table(uvs, 2) if (used[:, 1] >= 0).all() and uvs else None
    # OBJ counts from the lower edge of a texture.
    coordinates = None if given is None else np.array([0, 1]) + given[used[:, 1]] * [1, -1]
    directions = _table(normals, 3)[used[:, 2]] if (used[:, 2] >= 0).all() and normals else None
    if directions is not None:
        length = np.linalg.norm(directions, axis=1, keepdims=True)
        directions = (directions / np.where(length > 0, length, 1)).astype(np.float32)
    return Surface(
        places[used[:, 0], :3],
        faces.reshape(-1, 3).astype(np.int64),
        None if coordinates is None else coordinates.astype(np.float32),
        places[used[:, 0], 3:].clip(0, 1) if width >= 6 else None,
        directions,
    )


def _table(rows: list[list[float]], width: int) -> NDArray[np.float32]:
    return np.array([row[:width] for row in rows], np.float32).reshape(-1, width)


def _check(places: NDArray[Any], kind: str) -> None:
    if not np.isfinite(places).all():
        raise MediaError(f"the {kind} file is damaged: a place has numbers that are not finite")
