"""The texts of an EXIF block: the ASCII entries of its first directory.

Reads the structure of TIFF 6.0, section 2, and interprets no tag; offsets are untrusted and
checked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_ASCII = 2


def ascii_texts(block: bytes, *, most_bytes: int) -> Iterator[bytes]:
    """The ASCII entries of a block that starts with its byte order, `II` or `MM`.

    `most_bytes` bounds all of them together: entries may overlap, so the block's size does not.

    Raises:
        ValueError: the block is not a TIFF structure, points outside itself or yields too much.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8 or struct.unpack_from(order + "H", block, 2)[0] != 42:
        raise ValueError("its EXIF block has no TIFF header")
    (start,) = struct.unpack_from(order + "I", block, 4)
    if start + 2 > len(block):
        raise ValueError("its EXIF directory is outside the block")
    (count,) = struct.unpack_from(order + "H", block, start)
    if start + 2 + 12 * count > len(block):
        raise ValueError("its EXIF directory is cut off")
    for index in range(count):
        at = start + 2 + 12 * index
        _, kind, size = struct.unpack_from(order + "HHI", block, at)
        if kind != _ASCII:
            continue
        if size <= 4:
            begin = at + 8
        else:
            (begin,) = struct.unpack_from(order + "I", block, at + 8)
        if begin + size > len(block):
            raise ValueError("an EXIF text is outside the block")
        most_bytes -= size
        if most_bytes < 0:
            raise ValueError("its EXIF texts are too large")
        yield block[begin : begin + size].rstrip(b"\0")
