"""Pictures of surfaces: which triangle each pixel shows, and what is seen there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.meshes.camera import View
from engine.meshes.shading import face_normals
from engine.meshes.surface import BASE_COLOR, Floats, Surface

Mode = Literal["texture", "vertex colors", "solid", "normal", "depth"]
_NEAR = 1e-4
_MOST_CANDIDATES = 1 << 20
"""Pixels of triangles that are looked at together, for a bound on memory."""
_CLAY = 0.8
_AMBIENT = 0.25


@dataclass(frozen=True, slots=True)
class Seen:
    """What the pixels of a picture show.

    Attributes:
        rows, columns: [K], the pixels that show the surface.
        faces: [K], the triangle that each shows.
        shares: [K, 3], how much of each corner, which add up to 1.
        depths: [K], distances along the camera's axis.
        size: height and width in pixels.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    faces: NDArray[np.int64]
    shares: NDArray[np.float64]
    depths: NDArray[np.float64]
    size: tuple[int, int]


def look(
    surface: Surface, view: View, size: tuple[int, int], checkpoint: Callable[[], None]
) -> Seen:
    """Find what each pixel shows. Triangles that reach behind the camera are left out.

    Args:
        surface: one that is not empty.
        view: the camera.
        size: height and width in pixels.
        checkpoint: called now and then; raises to stop.
    """
    height, width = size
    corners, weights = _projected(surface, view, size)
    nearest = np.zeros(height * width)  # of 1 / depth, or of minus the depth
    nearest[:] = -np.inf
    shown = np.full(height * width, -1, np.int64)
    for faces, pixels, shares in _candidates(corners, size):
        checkpoint()
        near = (shares * weights[faces]).sum(1)
        np.maximum.at(nearest, pixels, near)
        first = near >= nearest[pixels]
        shown[pixels[first]] = faces[first]
    pixels = np.flatnonzero(shown >= 0)
    faces = shown[pixels]
    shares = _shares(corners[faces], pixels % width + 0.5, pixels // width + 0.5)
    near = (shares * weights[faces]).sum(1)
    if view.orthographic:
        depths = -near
    else:
        shares = shares * weights[faces] / near[:, None]  # straight in space, not in the picture
        depths = 1 / near
    return Seen(pixels // width, pixels % width, faces, shares, depths, size)


def draw(surface: Surface, seen: Seen, view: View, mode: Mode, background: Floats) -> Floats:
    """The picture [height, width, 3], 0 to 1, sRGB but for `normal` and `depth`.

    Args:
        surface: what `look` looked at.
        seen: what it found.
        view: the camera.
        mode: what to show. `solid` is lit from the camera. `normal` are directions as the camera
            sees them, from -1 to 1 as 0 to 1. `depth` is 1 where it is nearest, 0 at the farthest.
        background: [3], the colour where nothing is seen; black for `depth`.
    """
    picture = np.empty((*seen.size, 3), np.float32)
    picture[:] = 0.0 if mode == "depth" else background
    if not len(seen.faces):
        return picture
    if mode == "depth":
        low, high = seen.depths.min(), seen.depths.max()
        values = 1 - (seen.depths - low) / ((high - low) or 1.0) * (1 if high > low else 0)
        colors = np.repeat(values[:, None], 3, 1)
    elif mode == "normal":
        colors = _normals(surface, seen, view) / 2 + 0.5
    else:
        colors = _lit(surface, seen, view, mode)
    picture[seen.rows, seen.columns] = colors.clip(0, 1)
    return picture


def mask(seen: Seen) -> Floats:
    """[height, width]: 1 where the surface is seen."""
    found = np.zeros(seen.size, np.float32)
    found[seen.rows, seen.columns] = 1
    return found


def _projected(
    surface: Surface, view: View, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners in pixels [M, 3, 2], and what grows towards the camera, straight in the picture."""
    height, width = size
    matrix = view.world_to_camera
    places = surface.vertices.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    depth = -places[:, 2]
    ahead = depth > _NEAR
    scale = height / 2 / view.half_height
    divided = np.where(ahead, depth, 1.0) if not view.orthographic else np.ones_like(depth)
    points = np.stack(
        [
            width / 2 + places[:, 0] / divided * scale,
            height / 2 - places[:, 1] / divided * scale,
        ],
        -1,
    )
    points[~ahead] = np.nan
    return points[surface.faces], (-depth if view.orthographic else 1 / divided)[surface.faces]


def _candidates(
    corners: NDArray[np.float64], size: tuple[int, int]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Triangles, pixels whose middle they cover, and the shares of their corners, in portions."""
    height, width = size
    with np.errstate(invalid="ignore"):
        low = np.ceil(corners.min(1) - 0.5)
        high = np.floor(corners.max(1) - 0.5)
        seen = (
            (low <= high).all(1) & (high >= 0).all(1) & (low[:, 0] < width) & (low[:, 1] < height)
        )
    faces = np.flatnonzero(seen)
    first = np.maximum(low[faces], 0).astype(np.int64)
    last = np.minimum(high[faces], [width - 1, height - 1]).astype(np.int64)
    spans = last - first + 1
    # A large triangle is taken in bands of rows, so that each portion stays small.
    bands = np.maximum(1, spans[:, 0] * spans[:, 1] // _MOST_CANDIDATES + 1)
    faces, first, spans = _in_bands(faces, first, spans, bands)
    areas = spans[:, 0] * spans[:, 1]
    portion = np.cumsum(areas) // _MOST_CANDIDATES
    for number in np.unique(portion):
        part = portion == number
        area, start = areas[part], first[part]
        owner = np.repeat(np.arange(len(area)), area)
        inner = np.arange(area.sum()) - np.repeat(np.cumsum(area) - area, area)
        wide = spans[part][owner, 0]
        x = start[owner, 0] + inner % wide
        y = start[owner, 1] + inner // wide
        face = faces[part][owner]
        shares = _shares(corners[face], x + 0.5, y + 0.5)
        covered = (shares >= 0).all(1)
        yield face[covered], (y * width + x)[covered], shares[covered]


def _in_bands(
    faces: NDArray[np.int64],
    first: NDArray[np.int64],
    spans: NDArray[np.int64],
    bands: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    owner = np.repeat(np.arange(len(faces)), bands)
    number = np.arange(bands.sum()) - np.repeat(np.cumsum(bands) - bands, bands)
    rows = -(-spans[owner, 1] // bands[owner])
    start = number * rows
    left = np.minimum(rows, spans[owner, 1] - start)
    kept = left > 0
    begin = first[owner].copy()
    begin[:, 1] += start
    size = np.stack([spans[owner, 0], left], -1)
    return faces[owner][kept], begin[kept], size[kept]


def _shares(corners: NDArray[np.float64], x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Barycentric coordinates of points in triangles; -1 in those without area."""
    (ax, ay), (bx, by), (cx, cy) = (corners[:, index].T for index in range(3))
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    with np.errstate(divide="ignore", invalid="ignore"):
        second = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
        third = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
    shares = np.stack([1 - second - third, second, third], -1)
    return np.where(np.isfinite(shares).all(1, keepdims=True), shares, -1.0)


def _mixed(values: Floats, surface: Surface, seen: Seen) -> NDArray[np.float64]:
    """Values of vertices, at what the pixels show."""
    return (values[surface.faces[seen.faces]] * seen.shares[..., None]).sum(1)


def _normals(surface: Surface, seen: Seen, view: View) -> NDArray[np.float64]:
    """Directions as the camera sees them; towards it, whichever side of a triangle is seen."""
    if surface.normals is not None:
        found = _mixed(surface.normals, surface, seen)
    else:
        found = face_normals(surface)[seen.faces]
    found = found @ view.world_to_camera[:3, :3].T
    length = np.linalg.norm(found, axis=1, keepdims=True)
    found = found / np.where(length > 0, length, 1)
    places = surface.vertices.astype(np.float64) @ view.world_to_camera[:3, :3].T
    places = places + view.world_to_camera[:3, 3]
    towards = -_mixed(places.astype(np.float32), surface, seen)
    if view.orthographic:
        towards = np.broadcast_to([0.0, 0.0, 1.0], found.shape)
    flat = np.cross(*_sides(places, surface, seen))
    behind = (flat * towards).sum(1) < 0
    return np.where(behind[:, None], -found, found)


def _sides(
    places: NDArray[np.float64], surface: Surface, seen: Seen
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    corners = places[surface.faces[seen.faces]]
    return corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]


def _lit(surface: Surface, seen: Seen, view: View, mode: Mode) -> NDArray[np.float64]:
    """Colours in light from the camera; sRGB."""
    if mode == "texture" and BASE_COLOR in surface.textures and surface.uvs is not None:
        base = _sampled(surface.textures[BASE_COLOR], _mixed(surface.uvs, surface, seen))
        return base * _to_srgb(np.array(surface.material.color[:3]))
    if mode == "vertex colors" and surface.colors is not None:
        return _to_srgb(_mixed(surface.colors[:, :3], surface, seen))
    facing = _normals(surface, seen, view)[:, 2:].clip(0, 1)
    return _to_srgb((_AMBIENT + (1 - _AMBIENT) * facing) * _CLAY).repeat(3, 1)


def _sampled(pixels: NDArray[np.uint8], uvs: NDArray[np.float64]) -> NDArray[np.float64]:
    """A texture between its pixels, repeated beyond its edges; [K, 3], 0 to 1."""
    height, width = pixels.shape[:2]
    place = uvs % 1.0 * [width, height] - 0.5
    corner = np.floor(place).astype(np.int64)
    share = place - corner
    found = np.zeros((len(uvs), 3))
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - right - share[:, 0]) * np.abs(1 - down - share[:, 1])
            rows, columns = (corner[:, 1] + down) % height, (corner[:, 0] + right) % width
            found += weight[:, None] * pixels[rows, columns, :3]
    return found / 255


def _to_srgb(linear: NDArray[Any]) -> NDArray[np.float64]:
    """IEC 61966-2-1."""
    values = np.clip(linear, 0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
