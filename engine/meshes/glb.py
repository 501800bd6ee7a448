"""Writes surfaces as GLB, the binary form of glTF 2.0 (Khronos, ISO/IEC 12113).

Nothing leads out of the file: textures lie in it as PNG.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.meshes.surface import BASE_COLOR, EMISSIVE, NORMAL_MAP, ORM, Pixels, Surface

MAGIC = b"glTF"
_JSON, _BINARY = b"JSON", b"BIN\0"
_FLOAT, _UINT32 = 5126, 5125
_VERTICES, _INDICES = 34962, 34963
Encode = Callable[[Pixels], bytes]
"""From pixels to a PNG file."""


class _Chunk:
    """The binary part, and the JSON entries of what lies in it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, content: bytes, **entry: Any) -> int:
        """Add bytes; the number of their view."""
        self.content += bytes(-len(self.content) % 4)
        place = {"buffer": 0, "byteOffset": len(self.content), "byteLength": len(content)}
        self.content += content
        self.views.append({**place, **entry})
        return len(self.views) - 1

    def values(self, values: np.ndarray[Any, Any], kind: str) -> int:
        """Add values of vertices; the number of their accessor."""
        content = np.ascontiguousarray(values, dtype="<f4")
        bounds = {}
        if kind == "VEC3":
            bounds = {"min": content.min(0).tolist(), "max": content.max(0).tolist()}
        return self._accessor(content.tobytes(), _VERTICES, _FLOAT, len(content), kind, bounds)

    def indices(self, faces: np.ndarray[Any, Any]) -> int:
        """Add faces; the number of their accessor."""
        content = np.ascontiguousarray(faces, dtype="<u4").reshape(-1)
        return self._accessor(content.tobytes(), _INDICES, _UINT32, len(content), "SCALAR", {})

    def _accessor(
        self, content: bytes, target: int, component: int, count: int, kind: str, bounds: Any
    ) -> int:
        view = self.add(content, target=target)
        entry = {"bufferView": view, "componentType": component, "count": count, "type": kind}
        self.accessors.append({**entry, **bounds})
        return len(self.accessors) - 1


def glb_bytes(surface: Surface, encode: Encode, texts: Mapping[str, str] | None = None) -> bytes:
    """A surface as a GLB file.

    Args:
        surface: one that is not empty.
        encode: makes PNG files of its textures.
        texts: `prompt`, `workflow` and others, for `asset.extras`.
    """
    chunk = _Chunk()
    attributes = {"POSITION": chunk.values(surface.vertices, "VEC3")}
    if surface.normals is not None:
        attributes["NORMAL"] = chunk.values(surface.normals, "VEC3")
    if surface.tangents is not None:
        attributes["TANGENT"] = chunk.values(surface.tangents, "VEC4")
    if surface.uvs is not None:
        attributes["TEXCOORD_0"] = chunk.values(surface.uvs, "VEC2")
    if surface.colors is not None:
        width = surface.colors.shape[1]
        attributes["COLOR_0"] = chunk.values(surface.colors, f"VEC{width}")
    primitive = {"attributes": attributes, "indices": chunk.indices(surface.faces), "material": 0}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Calotype"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        **_material(surface, chunk, encode),
    }
    if texts:
        document["asset"]["extras"] = dict(texts)
    document["accessors"] = chunk.accessors
    document["bufferViews"] = chunk.views
    document["buffers"] = [{"byteLength": len(chunk.content)}]
    return _file(document, bytes(chunk.content))


def with_texts(content: bytes, texts: Mapping[str, str]) -> bytes:
    """A GLB file with these texts in `asset.extras`; unchanged where it is no GLB."""
    if not texts or content[:4] != MAGIC or content[16:20] != _JSON:
        return content
    length = int.from_bytes(content[12:16], "little")
    try:
        document: dict[str, Any] = json.loads(content[20 : 20 + length])
        asset = document["asset"]
        extras = asset.get("extras")
        asset["extras"] = {**(extras if isinstance(extras, dict) else {}), **texts}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return content
    head = _padded(json.dumps(document, separators=(",", ":")).encode(), b" ")
    rest = content[20 + length :]
    size = 12 + 8 + len(head) + len(rest)
    return b"".join(
        [MAGIC, struct.pack("<II", 2, size), struct.pack("<I", len(head)), _JSON, head, rest]
    )


def _material(surface: Surface, chunk: _Chunk, encode: Encode) -> dict[str, Any]:
    """The entries of the material and its textures."""
    given = surface.material
    textures: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []

    def texture(name: str) -> dict[str, Any]:
        view = chunk.add(encode(surface.textures[name]))
        images.append({"bufferView": view, "mimeType": "image/png"})
        textures.append({"source": len(images) - 1, "sampler": 0})
        return {"index": len(textures) - 1}

    shading: dict[str, Any] = {
        "baseColorFactor": list(given.color),
        "metallicFactor": given.metallic,
        "roughnessFactor": given.roughness,
    }
    material: dict[str, Any] = {"pbrMetallicRoughness": shading, "doubleSided": True}
    # Without coordinates there is no place for a texture on the surface.
    has = set(surface.textures) if surface.uvs is not None else set[str]()
    if BASE_COLOR in has:
        shading["baseColorTexture"] = texture(BASE_COLOR)
    if ORM in has:
        shading["metallicRoughnessTexture"] = texture(ORM)
        if given.occlusion:
            material["occlusionTexture"] = dict(shading["metallicRoughnessTexture"])
    if NORMAL_MAP in has:
        material["normalTexture"] = texture(NORMAL_MAP)
    if EMISSIVE in has:
        material["emissiveTexture"] = texture(EMISSIVE)
        material["emissiveFactor"] = [1.0, 1.0, 1.0]
    found: dict[str, Any] = {"materials": [material]}
    if textures:
        linear, mipmapped, repeat = 9729, 9987, 10497
        sampler = {
            "magFilter": linear,
            "minFilter": mipmapped,
            "wrapS": repeat,
            "wrapT": repeat,
        }
        found |= {"textures": textures, "images": images, "samplers": [sampler]}
    return found


def _file(document: Mapping[str, Any], binary: bytes) -> bytes:
    head = _padded(json.dumps(document, separators=(",", ":")).encode(), b" ")
    tail = _padded(binary, b"\0")
    size = 12 + 8 + len(head) + 8 + len(tail)
    return b"".join(
        [
            *(MAGIC, struct.pack("<II", 2, size)),
            *(struct.pack("<I", len(head)), _JSON, head),
            *(struct.pack("<I", len(tail)), _BINARY, tail),
        ]
    )


def _padded(content: bytes, filler: bytes) -> bytes:
    return content + filler * (-len(content) % 4)
