"""Shapes that are known exactly, and measures of surfaces."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from engine.meshes.surface import Surface


def grid_of(distance, size=64):
    """A function of x, y and z at the middles of the cells of a cube from -1 to 1."""
    axis = (np.arange(size) + 0.5) * 2 / size - 1
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return distance(x, y, z).astype(np.float32)


def ball(radius=0.7, size=64):
    """Positive inside a ball."""
    return grid_of(lambda x, y, z: radius - np.sqrt(x * x + y * y + z * z), size)


def ring(large=0.6, small=0.25, size=64):
    """Positive inside a torus around the y axis."""
    return grid_of(lambda x, y, z: small - np.hypot(np.hypot(x, z) - large, y), size)


def cube():
    """A cube from -1 to 1, with six corners of its own for each side, coordinates and colours."""
    corners, faces, uvs = [], [], []
    for axis in range(3):
        for side in (-1, 1):
            start = len(corners)
            for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                place = [0.0, 0.0, 0.0]
                place[axis], place[(axis + 1) % 3], place[(axis + 2) % 3] = side, u, v
                corners.append(place)
                uvs.append(((u + 1) / 2, (v + 1) / 2))
            order = (0, 1, 2, 0, 2, 3) if side > 0 else (0, 2, 1, 0, 3, 2)
            faces.append([start + each for each in order])
    vertices = np.array(corners, np.float32)
    return Surface(
        vertices,
        np.array(faces).reshape(-1, 3),
        np.array(uvs, np.float32),
        ((vertices + 1) / 2).astype(np.float32),
    )


def textured_cube():
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, :4], pixels[:4, 4:], pixels[4:, :4] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return replace(cube(), textures={"texture": pixels})


def volume(surface):
    """What a closed surface holds; negative where its faces are seen from inside."""
    a, b, c = np.moveaxis(surface.vertices[surface.faces].astype(float), 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)


def area(surface):
    a, b, c = np.moveaxis(surface.vertices[surface.faces].astype(float), 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def faces_at_edges(surface):
    """How many faces each edge has: 2 everywhere on a closed surface."""
    edges = np.sort(surface.faces[:, ((0, 1), (1, 2), (2, 0))].reshape(-1, 2), 1)
    return np.unique(edges, axis=0, return_counts=True)[1]


def encode(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def decode(content):
    return np.array(Image.open(io.BytesIO(content)))
