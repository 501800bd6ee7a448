"""Makes damaged pictures readable that decoders refuse because of parts that no pixel needs.

Handles the chunks of PNG and of WebP's RIFF, and Pillow's switch for truncated files; decodes
nothing.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import ImageFile

from engine.errors import MediaError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 200_000
"""Of a PNG; a file of 1 GiB in the usual pieces of 8 KiB has about as many."""
MOST_MISSING = 32 << 20
"""Bytes that are added to a WebP that is cut short."""

_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_WANTED = frozenset({b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"})
"""Chunks beside the critical ones that change what is shown: transparency, turns, animation."""
_LEAST_PIXELS = 64
"""Bytes of a chunk of WebP below which there is nothing to see."""
_PIXELS = frozenset({b"IDAT", b"fdAT"})


def open_damaged(path: Path) -> BinaryIO:
    """A picture's bytes, without the parts that prevent decoding.

    A PNG comes without its texts and profiles, and without other parts whose checksum is wrong. A
    WebP that is cut short comes with its last part at full length, the rest zero. Anything else
    is unchanged.

    Raises:
        OSError: it cannot be read.
        MediaError: a PNG has more than `MOST_CHUNKS` chunks.
    """
    stream = path.open("rb")
    try:
        head = stream.read(12)
        stream.seek(0)
        if head.startswith(PNG_SIGNATURE):
            with stream:
                return io.BytesIO(b"".join(_needed(stream, path.name)))
        if head.startswith(b"RIFF") and head[8:] == b"WEBP":
            with stream:
                return io.BytesIO(_at_full_length(stream.read()))
    except BaseException:
        stream.close()
        raise
    return stream


@contextmanager
def truncation_allowed() -> Generator[None]:
    """Within it, Pillow decodes as much as possible of a truncated or damaged picture.

    Pillow has only one switch for the whole process, so nothing else should run meanwhile.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _needed(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The chunks of a PNG that its pixels need; its last may be cut off (PNG, section 5.3)."""
    # `read` makes room for all that it is asked for, and a damaged length may be any number.
    most = os.fstat(stream.fileno()).st_size
    yield stream.read(len(PNG_SIGNATURE))
    for _ in range(MOST_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        if kind not in _CRITICAL and kind not in _WANTED:
            stream.seek(size + 4, 1)
            continue
        body, checksum = stream.read(min(size, most)), stream.read(4)
        if kind in _CRITICAL or kind in _PIXELS or _is_whole(kind, body, checksum):
            yield head + body + checksum
        if kind == b"IEND":
            return
    raise MediaError(f"{name}: more than {MOST_CHUNKS:,} chunks; not read")


def _is_whole(kind: bytes, body: bytes, checksum: bytes) -> bool:
    return len(checksum) == 4 and zlib.crc32(kind + body) == int.from_bytes(checksum)


def _at_full_length(content: bytes) -> bytes:
    """A WebP whose last chunk is as long as it says, the rest zero: decoders show what is there.

    A last chunk with hardly any pixels is left out, and so is what is not there at all.
    """
    place = 12
    while place + 8 <= len(content):
        (size,) = struct.unpack_from("<I", content, place + 4)
        end = place + 8 + size + size % 2
        missing = end - len(content)
        if missing > MOST_MISSING or (missing > 0 and len(content) - place < _LEAST_PIXELS):
            break
        content += bytes(max(missing, 0))
        place = end
    return b"RIFF" + struct.pack("<I", place - 8) + content[8:place]
