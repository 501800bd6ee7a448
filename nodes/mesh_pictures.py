"""Textures of meshes as files, and pictures of meshes; shared by the nodes of meshes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from engine.errors import NodeError
from engine.media import modes
from engine.media.encoding import png_bytes
from engine.media.pictures import first_frame
from engine.meshes.camera import framing, view_of
from engine.meshes.drawing import Mode, draw, look, mask
from engine.meshes.reading import read_surface
from engine.meshes.shading import bounds
from engine.meshes.surface import BASE_COLOR, Pixels, Surface
from engine.meshes.values import File3D
from engine.nodekit.context import Context
from nodes.sockets import Image, Mask


def encode_texture(pixels: Pixels) -> bytes:
    """Pixels as a PNG file."""
    return png_bytes(Pillow.fromarray(pixels))


def decode_texture(content: bytes) -> Pixels:
    """A picture file as pixels, with its alpha if it has any.

    Raises:
        MediaError: it cannot be read.
    """
    picture = first_frame(content, "the texture")
    has_alpha = modes.alpha(picture) is not None
    return np.array(modes.rgba(picture) if has_alpha else modes.rgb(picture))


def surface_of(file: File3D) -> Surface:
    """The surface in a file.

    Raises:
        MediaError: it cannot be read.
    """
    return read_surface(file, decode_texture)


def automatic_mode(surface: Surface) -> Mode:
    """What shows most of a surface: its texture, else its colours, else light on clay."""
    if BASE_COLOR in surface.textures and surface.uvs is not None:
        return "texture"
    return "solid" if surface.colors is None else "vertex colors"


def picture_of(
    surface: Surface,
    camera: Mapping[str, Any] | None,
    size: tuple[int, int],
    mode: Mode,
    background: tuple[float, float, float],
    ctx: Context,
) -> tuple[Image, Mask]:
    """A picture of a surface [1, H, W, 3], and the mask of where it is seen [1, H, W].

    Args:
        surface: one that is not empty.
        camera: a LOAD3D_CAMERA value; by default one in front of the surface.
        size: height and width in pixels.
        mode: what to show.
        background: where nothing is seen.
        ctx: of the node.

    Raises:
        NodeError: the surface is empty, or the camera is none.
    """
    if surface.is_empty:
        raise NodeError("the mesh has no triangles; there is nothing to show")
    if not camera:
        camera = framing(*bounds(surface), size[1] / size[0])
    try:
        view = view_of(camera)
    except (ValueError, TypeError, AttributeError) as error:
        raise NodeError(f"the camera cannot be read: {error}; join another") from error
    seen = look(surface, view, size, ctx.checkpoint)
    picture = draw(surface, seen, view, mode, np.array(background, np.float32))
    return torch.from_numpy(picture)[None], torch.from_numpy(mask(seen))[None]


def placed(surface: Surface, placements: Sequence[Mapping[str, Any]] | None) -> Surface:
    """A surface as the first of these moves, turns and scales it.

    Raises:
        NodeError: that is no placement.
    """
    if not placements:
        return surface
    try:
        first = placements[0]
        move, turn, size = (
            np.array([float(first.get(name, {}).get(axis, fill)) for axis in "xyz"])
            for name, fill in (("position", 0), ("rotation", 0), ("scale", 1))
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise NodeError(f"the placement of the model cannot be read: {error}") from error
    matrix = _rotation(*turn) * size
    normals = surface.normals
    if normals is not None and size.all():
        normals = (normals @ np.linalg.inv(matrix)).astype(np.float32)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    vertices = (surface.vertices @ matrix.T + move).astype(np.float32)
    return replace(surface, vertices=vertices, normals=normals, tangents=None)


def _rotation(x: float, y: float, z: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Around x, then the turned y, then the turned z; radians."""
    (a, b), (c, d), (e, f) = ((math.cos(each), math.sin(each)) for each in (x, y, z))
    around_x = np.array([[1, 0, 0], [0, a, -b], [0, b, a]])
    around_y = np.array([[c, 0, d], [0, 1, 0], [-d, 0, c]])
    around_z = np.array([[e, -f, 0], [f, e, 0], [0, 0, 1]])
    return around_x @ around_y @ around_z
