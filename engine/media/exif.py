"""The texts of an EXIF block: the ASCII entries of its first directory, and the user comment.

Reads the structure of TIFF 6.0, section 2; offsets are untrusted and checked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

_ASCII = 2
_LONG = 4
_EXIF_DIRECTORY = 0x8769
_USER_COMMENT = 0x9286
_MOST_SAMPLED = 512
_SIZES: Mapping[int, int] = {1: 1, _ASCII: 1, _LONG: 4, 7: 1}
"""Bytes of a value, by kind."""


def ascii_texts(block: bytes, *, most_bytes: int) -> Iterator[bytes]:
    """The ASCII entries of a block that starts with its byte order, `II` or `MM`.

    `most_bytes` bounds all of them together: entries may overlap, so the block's size does not.

    Raises:
        ValueError: the block is not a TIFF structure, points outside itself or yields too much.
    """
    for _, kind, value in _entries(block, _first(block)):
        if kind != _ASCII:
            continue
        most_bytes -= len(value)
        if most_bytes < 0:
            raise ValueError("its EXIF texts are too large")
        yield value.rstrip(b"\0")


def user_comment(block: bytes, *, most_bytes: int) -> str | None:
    """The user comment (EXIF 2.3, 4.6.5), or None: the text of A1111 and its kin.

    Raises:
        ValueError: as for `ascii_texts`.
    """
    order = _order(block)
    for tag, kind, value in _entries(block, _first(block)):
        if tag != _EXIF_DIRECTORY or kind != _LONG or len(value) < 4:
            continue
        (start,) = struct.unpack(order + "I", value[:4])
        for inner, _, comment in _entries(block, start):
            if inner == _USER_COMMENT:
                if len(comment) > most_bytes:
                    raise ValueError("its EXIF texts are too large")
                return _decoded(comment)
    return None


def _decoded(comment: bytes) -> str:
    """A comment without its prefix of eight bytes, which names the encoding.

    The standard leaves the byte order of UNICODE open; the zero bytes of Latin letters show it.
    """
    prefix, text = comment[:8], comment[8:]
    if not prefix.startswith(b"UNICODE"):
        return text.partition(b"\0")[0].decode("utf-8", "replace")
    sample = text[:_MOST_SAMPLED]
    little = sample[1::2].count(0) > sample[::2].count(0)
    return text.decode("utf-16-le" if little else "utf-16-be", "replace").rstrip("\0")


def _order(block: bytes) -> str:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8 or struct.unpack_from(order + "H", block, 2)[0] != 42:
        raise ValueError("its EXIF block has no TIFF header")
    return order


def _first(block: bytes) -> int:
    """Where the first directory begins."""
    start: int = struct.unpack_from(_order(block) + "I", block, 4)[0]
    return start


def _entries(block: bytes, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Tag, kind and content of the text and number entries of a directory."""
    order = _order(block)
    if start + 2 > len(block):
        raise ValueError("its EXIF directory is outside the block")
    (count,) = struct.unpack_from(order + "H", block, start)
    if start + 2 + 12 * count > len(block):
        raise ValueError("its EXIF directory is cut off")
    for index in range(count):
        at = start + 2 + 12 * index
        tag, kind, size = struct.unpack_from(order + "HHI", block, at)
        if kind not in _SIZES:
            continue
        size *= _SIZES[kind]
        begin = at + 8
        if size > 4:
            (begin,) = struct.unpack_from(order + "I", block, at + 8)
        if begin + size > len(block):
            raise ValueError("an EXIF text is outside the block")
        yield tag, kind, block[begin : begin + size]
