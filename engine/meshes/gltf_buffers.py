"""The bytes of a glTF file: its chunks, buffers and accessors, each within its bounds."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from engine.errors import MediaError
from engine.meshes.glb import MAGIC

Resolve = Callable[[str], bytes]
"""From a name beside the file to that file's bytes."""
_KINDS: Mapping[int, str] = {
    5120: "<i1",
    5121: "<u1",
    5122: "<i2",
    5123: "<u2",
    5125: "<u4",
    5126: "<f4",
}
_SIZES: Mapping[str, int] = {
    "SCALAR": 1,
    "VEC2": 2,
    "VEC3": 3,
    "VEC4": 4,
    "MAT2": 4,
    "MAT3": 9,
    "MAT4": 16,
}


def binary_chunks(content: bytes) -> tuple[bytes, bytes | None]:
    """The JSON of a file, and the binary chunk of a GLB.

    Raises:
        MediaError: it is no glTF 2.0, or it ends too early.
    """
    if content[:4] != MAGIC:
        return content, None
    version = int.from_bytes(content[4:8], "little")
    if version != 2:
        raise MediaError(f"the file is glTF {version}; glTF 2.0 is read")
    size = int.from_bytes(content[8:12], "little")
    if size > len(content):
        raise MediaError(
            f"the GLB file is cut: it says that it has {size:,} bytes, and {len(content):,} are "
            "there; get the file again"
        )
    text: bytes | None = None
    binary: bytes | None = None
    place = 12
    while place + 8 <= size:
        length = int.from_bytes(content[place : place + 4], "little")
        kind = content[place + 4 : place + 8]
        end = place + 8 + length
        if end > size:
            raise MediaError("the GLB file is damaged: a part of it reaches beyond its end")
        if kind == b"JSON" and text is None:
            text = content[place + 8 : end]
        elif kind == b"BIN\0" and binary is None:
            binary = content[place + 8 : end]
        place = end
    if text is None:
        raise MediaError("the GLB file is damaged: it has no JSON")
    return text, binary


class Buffers:
    """The buffers of a file, each read once.

    Args:
        document: the file's JSON.
        binary: the binary chunk of a GLB.
        resolve: finds a file beside it.
    """

    def __init__(
        self, document: Mapping[str, Any], binary: bytes | None, resolve: Resolve | None
    ) -> None:
        self._document, self._binary, self._resolve = document, binary, resolve
        self._read: dict[int, bytes] = {}

    def values(self, index: Any, widths: tuple[int, ...]) -> NDArray[np.float32]:
        """An accessor of numbers of vertices [n, one of `widths`]; whole numbers as they are meant.

        Raises:
            MediaError: it leaves its buffer, or is of another kind.
        """
        accessor = self._entry("accessors", index)
        found = self._array(accessor, index)
        if found.shape[1] not in widths:
            raise MediaError(
                f"the glTF file is damaged: accessor {index} has {found.shape[1]} numbers a vertex"
            )
        kind = found.dtype
        given = found.astype(np.float32)
        if accessor.get("normalized") is True and kind.kind in "iu":
            given = np.maximum(given / np.iinfo(kind).max, -1.0)
        if not np.isfinite(given).all():
            raise MediaError(
                f"the glTF file is damaged: accessor {index} has numbers that are not finite"
            )
        return given

    def indices(self, index: Any) -> NDArray[np.int64]:
        """An accessor of indices [n]."""
        found = self._array(self._entry("accessors", index), index)
        if found.dtype.kind != "u" or found.shape[1] != 1:
            raise MediaError(f"the glTF file is damaged: accessor {index} holds no indices")
        return found[:, 0].astype(np.int64)

    def image(self, image: Mapping[str, Any]) -> bytes:
        """The file of a texture."""
        if "bufferView" in image:
            return self._view(image["bufferView"])[0]
        return self._uri(str(image["uri"]))

    def _array(self, accessor: Mapping[str, Any], index: Any) -> NDArray[Any]:
        if "sparse" in accessor or "bufferView" not in accessor:
            raise MediaError(
                f"accessor {index} of the glTF file is sparse, which is not read here; export the "
                "model again without sparse accessors"
            )
        kind = np.dtype(_KINDS[accessor["componentType"]])
        width = _SIZES[accessor["type"]]
        count, start = _size(accessor["count"]), _size(accessor.get("byteOffset", 0))
        content, stride = self._view(accessor["bufferView"])
        row = kind.itemsize * width
        step = max(stride or row, row)
        needed = start + step * (count - 1) + row if count else 0
        if needed > len(content):
            raise MediaError(
                f"the glTF file is damaged: accessor {index} has {count:,} entries, which need "
                f"{needed:,} bytes, and {len(content):,} are there"
            )
        if step == row:
            return np.frombuffer(content, kind, count * width, start).reshape(count, width)
        return np.ndarray((count, width), kind, content, start, (step, kind.itemsize))

    def _view(self, index: Any) -> tuple[bytes, int]:
        """The bytes of a view, and the distance of its entries; 0 if they are packed."""
        view = self._entry("bufferViews", index)
        content = self._buffer(_size(view["buffer"]))
        start, length = _size(view.get("byteOffset", 0)), _size(view["byteLength"])
        if start + length > len(content):
            raise MediaError(
                f"the glTF file is damaged: view {index} ends at {start + length:,} bytes, and the "
                f"buffer has {len(content):,}"
            )
        return content[start : start + length], _size(view.get("byteStride", 0))

    def _buffer(self, index: int) -> bytes:
        if index not in self._read:
            entry = self._entry("buffers", index)
            if "uri" in entry:
                self._read[index] = self._uri(str(entry["uri"]))
            elif self._binary is None:
                raise MediaError("the glTF file is damaged: it has no binary part")
            else:
                self._read[index] = self._binary
        return self._read[index]

    def _uri(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            _, comma, text = uri.partition(";base64,")
            if not comma:
                raise MediaError("the glTF file is damaged: its data is not in base64")
            try:
                return base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError) as error:
                raise MediaError("the glTF file is damaged: its base64 cannot be read") from error
        name = unquote(uri)
        if self._resolve is None:
            raise MediaError(
                f"the glTF file refers to another file, {name!r}, which is not beside it; use a "
                "GLB file, which holds all of itself"
            )
        return self._resolve(name)

    def _entry(self, name: str, index: Any) -> Mapping[str, Any]:
        entries = self._document.get(name, [])
        if not 0 <= _size(index) < len(entries):
            raise MediaError(
                f"the glTF file is damaged: it refers to number {index} of {name}, and there are "
                f"{len(entries)}"
            )
        return entries[index]


def _size(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise MediaError(f"the glTF file is damaged: a size or an index is {value!r}")
    return value
