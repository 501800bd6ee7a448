"""Reads glTF 2.0, as GLB or with buffers beside it, from untrusted files.

All triangles of the scene become one surface, with the transforms of their nodes applied; textures
and material are those of the first triangles. Counts are checked against the bytes there are
before anything is allocated. Cameras, lights, skins, morph targets and animations are left out.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.errors import MediaError
from engine.json_text import JsonError, read_json
from engine.meshes.gltf_buffers import Buffers, Resolve, binary_chunks
from engine.meshes.surface import (
    BASE_COLOR,
    EMISSIVE,
    NORMAL_MAP,
    ORM,
    Faces,
    Material,
    Pixels,
    Surface,
)

Decode = Callable[[bytes], Pixels]
"""From a PNG, JPEG or WebP file to pixels."""
_UNREADABLE: Mapping[str, str] = {
    "KHR_draco_mesh_compression": "Draco compression",
    "EXT_meshopt_compression": "meshopt compression",
    "KHR_meshopt_compression": "meshopt compression",
}
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_MOST_NODES = 100_000
_MOST_DEPTH = 500
_MOST_ELEMENTS = 100_000_000
"""Vertices and triangles of a scene; a small file can place the same ones any number of times."""
_LOGGER = logging.getLogger(__name__)
_WIDTHS: Mapping[str, tuple[int, ...]] = {
    "NORMAL": (3,),
    "TANGENT": (4,),
    "TEXCOORD_0": (2,),
    "COLOR_0": (3, 4),
}


def read_gltf(content: bytes, decode: Decode, resolve: Resolve | None = None) -> Surface:
    """The surface in a glTF file.

    Args:
        content: a GLB file, or the JSON of a glTF file.
        decode: reads its textures; what it cannot read is left out, and the log says so.
        resolve: finds a file beside it by its name; without it such files are refused.

    Raises:
        MediaError: it is damaged, compressed in a way that is not read, or has no triangles.
    """
    text, binary = binary_chunks(content)
    try:
        found = read_json(text)
    except JsonError as error:
        raise MediaError(f"the glTF file is damaged: its JSON cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise MediaError("the glTF file is damaged: its JSON is no object")
    document = cast("dict[str, Any]", found)
    try:
        return _Reader(document, Buffers(document, binary, resolve), decode).surface()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise MediaError(
            f"the glTF file is damaged: an entry is missing or of another kind ({error})"
        ) from error


class _Reader:
    def __init__(self, document: Mapping[str, Any], buffers: Buffers, decode: Decode) -> None:
        self._document, self._buffers, self._decode = document, buffers, decode

    def surface(self) -> Surface:
        """All triangles of the scene.

        Raises:
            MediaError: there are none, or they cannot be read.
        """
        for name in self._document.get("extensionsRequired", []):
            if name in _UNREADABLE:
                raise MediaError(
                    f"the glTF file uses {_UNREADABLE[name]}, which is not read here; "
                    "export it without compression"
                )
        parts: list[Surface] = []
        first: int | None = None
        materials = set[int | None]()
        elements = 0
        for mesh, matrix in self._meshes():
            for primitive in self._document["meshes"][mesh]["primitives"]:
                part = self._primitive(primitive, matrix)
                if part is not None:
                    first = primitive.get("material") if not parts else first
                    materials.add(primitive.get("material"))
                    parts.append(part)
                    elements += len(part.vertices) + len(part.faces)
                    if elements > _MOST_ELEMENTS:
                        raise MediaError(
                            f"the glTF file has more than {_MOST_ELEMENTS:,} vertices and "
                            "triangles; simplify the model first"
                        )
        if not parts:
            raise MediaError("there are no triangles in the glTF file")
        if len(materials) > 1:
            _LOGGER.warning(
                "the glTF file has %d materials; all triangles get the first one", len(materials)
            )
        material, textures = self._material(first)
        return _joined(parts, material, textures)

    def _meshes(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """The meshes of the scene, and what places each in it."""
        nodes = self._document.get("nodes", [])
        scenes = self._document.get("scenes", [])
        if scenes:
            roots = scenes[self._document.get("scene", 0)].get("nodes", [])
        else:
            inner = {child for node in nodes for child in node.get("children", [])}
            roots = [index for index in range(len(nodes)) if index not in inner]
        waiting = [(root, np.eye(4), 0) for root in reversed(roots)]
        visited = 0
        while waiting:
            index, above, depth = waiting.pop()
            visited += 1
            if visited > _MOST_NODES or depth > _MOST_DEPTH:
                raise MediaError(
                    "the glTF file has a cycle among its nodes, or more than "
                    f"{_MOST_NODES:,} of them"
                )
            node = nodes[_index(index)]
            matrix = above @ _matrix(node)
            if "mesh" in node:
                yield _index(node["mesh"]), matrix
            children = node.get("children", [])
            waiting += [(child, matrix, depth + 1) for child in reversed(children)]

    def _primitive(
        self, primitive: Mapping[str, Any], matrix: NDArray[np.float64]
    ) -> Surface | None:
        """Its triangles; None for points and lines."""
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            return None
        for name in primitive.get("extensions", {}):
            if name in _UNREADABLE:
                raise MediaError(
                    f"the glTF file uses {_UNREADABLE[name]}, which is not read here; "
                    "export it without compression"
                )
        attributes = primitive["attributes"]
        vertices = self._buffers.values(attributes["POSITION"], (3,))
        if "indices" in primitive:
            order = self._buffers.indices(primitive["indices"])
        else:
            order = np.arange(len(vertices))
        faces = _triangles(order, mode)
        if len(faces) and (faces.max() >= len(vertices) or faces.min() < 0):
            raise MediaError(
                f"the glTF file is damaged: a triangle refers to vertex {int(faces.max())} of "
                f"{len(vertices)}"
            )
        given: dict[str, Any] = {}
        for name, widths in _WIDTHS.items():
            if name in attributes:
                values = self._buffers.values(attributes[name], widths)
                given[name] = values if len(values) == len(vertices) else None
        return _transformed(vertices, faces, given, matrix)

    def _material(self, index: int | None) -> tuple[Material, dict[str, Pixels]]:
        if index is None:
            return Material(), {}
        given = self._document["materials"][_index(index)]
        shading = given.get("pbrMetallicRoughness", {})
        textures: dict[str, Pixels] = {}
        for name, entry in (
            (BASE_COLOR, shading.get("baseColorTexture")),
            (ORM, shading.get("metallicRoughnessTexture")),
            (NORMAL_MAP, given.get("normalTexture")),
            (EMISSIVE, given.get("emissiveTexture")),
        ):
            if entry is not None and (pixels := self._texture(name, entry["index"])) is not None:
                textures[name] = pixels
        occlusion = given.get("occlusionTexture", {}).get("index")
        packed = shading.get("metallicRoughnessTexture", {}).get("index")
        red, green, blue, alpha = (float(x) for x in shading.get("baseColorFactor", (1, 1, 1, 1)))
        material = Material(
            (red, green, blue, alpha),
            float(shading.get("metallicFactor", 1.0)),
            float(shading.get("roughnessFactor", 1.0)),
            occlusion=occlusion is not None and occlusion == packed,
        )
        return material, textures

    def _texture(self, name: str, index: int) -> Pixels | None:
        texture = self._document["textures"][_index(index)]
        webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
        source = texture.get("source", webp.get("source"))
        if source is None:
            _LOGGER.warning("the %s of the glTF file has a format that is not read", name)
            return None
        content = self._buffers.image(self._document["images"][_index(source)])
        try:
            return self._decode(content)
        except MediaError as error:
            _LOGGER.warning("the %s of the glTF file is left out: %s", name, error)
            return None


def _index(value: Any) -> int:
    """An index of an entry, which is never negative."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"an index is {value!r}")
    return value


def _matrix(node: Mapping[str, Any]) -> NDArray[np.float64]:
    """The transform of a node, which is a matrix or a translation, a rotation and a scale."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = (float(each) for each in node.get("rotation", (0, 0, 0, 1)))
    length = math.hypot(x, y, z, w) or 1.0
    x, y, z, w = x / length, y / length, z / length, w / length
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    found = np.eye(4)
    found[:3, :3] = turned * np.array(node.get("scale", (1, 1, 1)), np.float64).reshape(3)
    found[:3, 3] = np.array(node.get("translation", (0, 0, 0)), np.float64).reshape(3)
    return found


def _triangles(order: NDArray[np.int64], mode: int) -> Faces:
    if mode == _TRIANGLES:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    if len(order) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == _FAN:
        return np.stack([np.full(len(order) - 2, order[0]), order[1:-1], order[2:]], -1)
    faces = np.stack([order[:-2], order[1:-1], order[2:]], -1)
    faces[1::2] = faces[1::2][:, (1, 0, 2)]  # every second one of a strip faces the other way
    return faces


def _transformed(
    vertices: NDArray[np.float32],
    faces: Faces,
    given: Mapping[str, Any],
    matrix: NDArray[np.float64],
) -> Surface:
    linear = matrix[:3, :3]
    mirrored = np.linalg.det(linear) < 0
    normals, tangents = given.get("NORMAL"), given.get("TANGENT")
    if normals is not None and abs(np.linalg.det(linear)) > 1e-12:
        normals = _unit(normals @ np.linalg.inv(linear))
    if tangents is not None:
        side = tangents[:, 3:] * (-1 if mirrored else 1)
        tangents = np.concatenate([_unit(tangents[:, :3] @ linear.T), side], 1)
    return Surface(
        (vertices @ linear.T + matrix[:3, 3]).astype(np.float32),
        faces[:, ::-1] if mirrored else faces,
        given.get("TEXCOORD_0"),
        given.get("COLOR_0"),
        None if normals is None else normals.astype(np.float32),
        None if tangents is None else tangents.astype(np.float32),
    )


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def _joined(parts: list[Surface], material: Material, textures: Mapping[str, Pixels]) -> Surface:
    """All parts as one; what some lack is filled in, or left out where it cannot be."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=False)]
    values = {name: [part.per_vertex()[name] for part in parts] for name in parts[0].per_vertex()}
    uvs = colors = normals = tangents = None
    if any(each is not None for each in values["uvs"]):
        uvs = np.concatenate(
            [
                _or_filled(each, part, 2, 0.0)
                for each, part in zip(values["uvs"], parts, strict=True)
            ]
        )
    if any(each is not None for each in values["colors"]):
        colors = np.concatenate(
            [
                _with_alpha(_or_filled(each, part, 4, 1.0))
                for each, part in zip(values["colors"], parts, strict=True)
            ]
        )
        if (colors[:, 3] == 1).all():
            colors = colors[:, :3]
    if all(each is not None for each in values["normals"]):
        normals = np.concatenate(values["normals"])
        if all(each is not None for each in values["tangents"]):
            tangents = np.concatenate(values["tangents"])
    return Surface(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(faces),
        uvs,
        colors,
        normals,
        tangents,
        dict(textures),
        material,
    )


def _or_filled(
    values: NDArray[np.float32] | None, part: Surface, width: int, filler: float
) -> NDArray[np.float32]:
    if values is not None:
        return values
    return np.full((len(part.vertices), width), filler, np.float32)


def _with_alpha(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    if colors.shape[1] == 4:
        return colors
    return np.concatenate([colors, np.ones((len(colors), 1), np.float32)], 1)
