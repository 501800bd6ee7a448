"""MESH, VOXEL and FILE_3D: what wires carry, under the names that nodes of packs use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from engine.meshes.surface import TEXTURES, Material, Surface

_PER_VERTEX: Mapping[str, str] = {
    "uvs": "uvs",
    "colors": "vertex_colors",
    "normals": "normals",
    "tangents": "tangents",
}
"""The names of a surface's values, and those of a mesh's."""


class Mesh:
    """A batch of surfaces; those of different sizes are filled up with zeros.

    Attributes:
        vertices: float32 [B, N, 3]; y is up.
        faces: int64 [B, M, 3], indices of vertices.
        vertex_counts, face_counts: int64 [B], how many of N and M each surface has; None if all.
        uvs: [B, N, 2]; vertex_colors: [B, N, 3 or 4], linear; normals: [B, N, 3];
        tangents: [B, N, 4]; or None.
        texture, metallic_roughness, normal_map, emissive: float32 [1 or B, H, W, 3 or 4], 0 to 1,
            or None; see `engine.meshes.surface`.
        material: what applies besides the textures.
    """

    vertex_counts: Tensor | None = None
    face_counts: Tensor | None = None
    uvs: Tensor | None = None
    vertex_colors: Tensor | None = None
    normals: Tensor | None = None
    tangents: Tensor | None = None
    texture: Tensor | None = None
    metallic_roughness: Tensor | None = None
    normal_map: Tensor | None = None
    emissive: Tensor | None = None
    material: Any = None

    def __init__(self, vertices: Tensor, faces: Tensor, **others: Any) -> None:
        """Make a mesh; plugins may give it values of their own besides those above."""
        self.vertices, self.faces = vertices, faces
        for name, value in others.items():
            setattr(self, name, value)

    @classmethod
    def of(cls, surfaces: Sequence[Surface]) -> Mesh:
        """A batch of these. Textures and material are those of the first surface.

        A value that one of them lacks is left out for all.
        """
        first = surfaces[0]
        kept: dict[str, Tensor] = {}
        for name, ours in _PER_VERTEX.items():
            values = [getattr(each, name) for each in surfaces]
            if all(value is not None for value in values):
                kept[ours] = _stacked(values, torch.float32)
        sizes = {(len(each.vertices), len(each.faces)) for each in surfaces}
        if len(sizes) > 1:
            kept["vertex_counts"] = torch.tensor([len(each.vertices) for each in surfaces])
            kept["face_counts"] = torch.tensor([len(each.faces) for each in surfaces])
        for name, pixels in first.textures.items():
            kept[name] = torch.from_numpy(pixels.astype(np.float32) / 255)[None]
        return cls(
            _stacked([each.vertices for each in surfaces], torch.float32),
            _stacked([each.faces for each in surfaces], torch.int64),
            material=first.material,
            **kept,
        )

    def surfaces(self) -> list[Surface]:
        """The surfaces of the batch, as arrays."""
        vertices, faces = _batch(self.vertices), _batch(self.faces)
        return [self._surface(index) for index in range(min(len(vertices), len(faces)))]

    def _surface(self, index: int) -> Surface:
        count = self._count("vertex_counts", index)
        values = {
            name: None if (given := getattr(self, ours, None)) is None else _item(given, index)
            for name, ours in _PER_VERTEX.items()
        }
        textures = {
            name: _as_pixels(given[min(index, len(given) - 1)])
            for name in TEXTURES
            if isinstance(given := getattr(self, name, None), Tensor) and given.ndim == 4
        }
        faces = _batch(self.faces)[index][: self._count("face_counts", index)]
        return Surface(
            _item(self.vertices, index)[:count],
            faces.detach().cpu().numpy().astype(np.int64),
            **{name: None if value is None else value[:count] for name, value in values.items()},
            textures=textures,
            material=self.material if isinstance(self.material, Material) else Material(),
        )

    def _count(self, name: str, index: int) -> int | None:
        counts = getattr(self, name, None)
        return None if counts is None else int(counts[index])


class Voxel:
    """Solids as cells: `data` is float [B, depth, height, width], z, y and x of space."""

    def __init__(self, data: Tensor) -> None:
        self.data = data


class File3D:
    """A file of a model in three dimensions, on disk or in memory.

    Args:
        source: a path, bytes, or a stream of them.
        file_format: its suffix without a dot; by default that of the path, else `glb`.
    """

    def __init__(self, source: str | Path | bytes | BinaryIO, file_format: str = "") -> None:
        self._path = Path(source) if isinstance(source, str | Path) else None
        if self._path is not None:
            self._content = None
        else:
            self._content = source if isinstance(source, bytes) else source.read()  # type: ignore[union-attr]
        suffix = "" if self._path is None else self._path.suffix
        self.format = (file_format or suffix or "glb").lstrip(".").lower()

    @property
    def path(self) -> Path | None:
        """Where it is on disk, if it is."""
        return self._path

    def get_bytes(self) -> bytes:
        """All of it.

        Raises:
            OSError: the file is gone.
        """
        if self._content is not None:
            return self._content
        if self._path is None:
            return b""
        return self._path.read_bytes()

    def get_data(self) -> BytesIO:
        """All of it, as a stream."""
        return BytesIO(self.get_bytes())

    def get_stream_source(self) -> str | BytesIO:
        """Its path, or its bytes, for programs that read files."""
        return self.get_data() if self._path is None else str(self._path)

    def save_to(self, path: str | Path) -> str:
        """Write it there; returns the path."""
        Path(path).write_bytes(self.get_bytes())
        return str(path)


def _stacked(arrays: Sequence[np.ndarray[Any, Any]], kind: torch.dtype) -> Tensor:
    """Arrays [n, c] as one tensor [B, the largest n, c], filled up with zeros."""
    most = max(len(each) for each in arrays)
    found = torch.zeros((len(arrays), most, arrays[0].shape[1]), dtype=kind)
    for index, each in enumerate(arrays):
        found[index, : len(each)] = torch.from_numpy(np.ascontiguousarray(each)).to(kind)
    return found


def _batch(values: Tensor) -> Tensor:
    return values if values.ndim == 3 else values[None]


def _item(values: Tensor, index: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return _batch(values)[index].detach().cpu().float().numpy()


def _as_pixels(image: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return (image.detach().cpu().float().clamp(0, 1) * 255).round().byte().numpy()
