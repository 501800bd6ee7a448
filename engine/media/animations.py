"""Animations as bytes of a file, one frame of the file for each picture that was given.

Pillow's own writers join equal neighbours into one longer frame, so that a batch would come back
with fewer pictures than were saved. Here each picture keeps a frame and its duration: a frame holds
the rectangle that changed, and one pixel where nothing did. Pillow encodes the rectangles.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image, ImageChops

from engine.errors import MediaError
from engine.media.encoding import exif_of, png_bytes, webp_bytes

_MOST_SHORT = 65535
_MOST_WEBP_SIDE = 16383
_MOST_WEBP_DURATION = (1 << 24) - 1
_EXIF_FLAG, _ALPHA_FLAG, _ANIMATION_FLAG = 0x08, 0x10, 0x02
_NO_BLENDING = 0x02


@dataclass(frozen=True, slots=True)
class _Part:
    """What changes from one picture to the next.

    Attributes:
        picture: the rectangle's pixels.
        left, top: its position, in pixels.
        changed: False for the single pixel that represents no change.
    """

    picture: Image.Image
    left: int
    top: int
    changed: bool


def animated_png_bytes(
    frames: Sequence[Image.Image],
    *,
    milliseconds: float,
    texts: Mapping[str, str] | None = None,
    compress_level: int = 4,
) -> bytes:
    """Frames of that duration as APNG, its texts in private `comf` chunks after the pixels.

    A single frame is a plain PNG. See the PNG specification, third edition, section 11.3.6.

    Raises:
        MediaError: it cannot be encoded, or the frames differ in size or mode.
    """
    _require_alike(frames)
    delay = Fraction(milliseconds / 1000).limit_denominator(_MOST_SHORT)
    if delay.numerator > _MOST_SHORT:
        raise MediaError(f"a frame of {milliseconds:g} ms is longer than an animated PNG can say")
    chunks: list[bytes] = []
    number = 0
    for index, part in enumerate(_parts(frames, step=1)):
        packed = list(_png_chunks(png_bytes(part.picture, compress_level=compress_level)))
        pixels = b"".join(body for kind, body in packed if kind == b"IDAT")
        if index == 0:
            chunks += [_chunk(b"IHDR", body) for kind, body in packed if kind == b"IHDR"]
        if len(frames) > 1:
            if index == 0:
                chunks.append(_chunk(b"acTL", struct.pack(">II", len(frames), 0)))
            place = (*part.picture.size, part.left, part.top, delay.numerator, delay.denominator)
            # Each rectangle replaces the old pixels, and stays until the next one.
            chunks.append(_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *place, 0, 0)))
            number += 1
        if index == 0:
            chunks.append(_chunk(b"IDAT", pixels))
        else:
            chunks.append(_chunk(b"fdAT", struct.pack(">I", number) + pixels))
            number += 1
    for keyword, text in (texts or {}).items():
        chunks.append(_chunk(b"comf", f"{keyword}\0{text}".encode("latin-1", "replace")))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def animated_webp_bytes(
    frames: Sequence[Image.Image],
    *,
    milliseconds: float,
    texts: Mapping[str, str] | None = None,
    lossless: bool = True,
    quality: int = 80,
    method: int = 4,
) -> bytes:
    """Frames of that duration as WebP, its texts in EXIF.

    A single frame is a still picture. See Google's WebP Container Specification, "Animation".

    Raises:
        MediaError: it cannot be encoded, or the frames differ in size or mode.
    """
    _require_alike(frames)
    if len(frames) == 1:
        return webp_bytes(frames[0], texts=texts, lossless=lossless, quality=quality, method=method)
    width, height = frames[0].size
    duration = round(milliseconds)
    if max(width, height) > _MOST_WEBP_SIDE or duration > _MOST_WEBP_DURATION:
        raise MediaError(
            f"{width}x{height} pixels for {duration} ms cannot be written as WebP: a side has at "
            f"most {_MOST_WEBP_SIDE} pixels, a frame at most {_MOST_WEBP_DURATION} ms"
        )
    exif = exif_of(texts).tobytes().removeprefix(b"Exif\0\0") if texts else b""
    flags = _ANIMATION_FLAG
    flags |= _ALPHA_FLAG if frames[0].mode == "RGBA" else 0
    flags |= _EXIF_FLAG if exif else 0
    chunks = [
        _riff_chunk(b"VP8X", struct.pack("<I", flags) + _three(width - 1) + _three(height - 1)),
        _riff_chunk(b"ANIM", bytes(6)),  # no background, endless
    ]
    for part in _parts(frames, step=2):  # places count in steps of two pixels
        still = webp_bytes(
            part.picture, lossless=lossless or not part.changed, quality=quality, method=method
        )
        head = (part.left // 2, part.top // 2, *(side - 1 for side in part.picture.size), duration)
        body = b"".join(map(_three, head)) + bytes([_NO_BLENDING]) + _webp_pixels(still)
        chunks.append(_riff_chunk(b"ANMF", body))
    if exif:
        chunks.append(_riff_chunk(b"EXIF", exif))
    return _riff_chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def _require_alike(frames: Sequence[Image.Image]) -> None:
    if len({(frame.size, frame.mode) for frame in frames}) != 1:
        raise MediaError("the frames of an animation must be there, and of one size and mode")


def _parts(frames: Sequence[Image.Image], *, step: int) -> Iterator[_Part]:
    """The first frame whole, and of each other what changed; places are multiples of `step`."""
    before: Image.Image | None = None
    for frame in frames:
        if before is None:
            yield _Part(frame, 0, 0, changed=True)
        else:
            box = ImageChops.difference(before, frame).getbbox(alpha_only=False)
            left, top, right, bottom = box or (0, 0, 1, 1)
            left, top = left - left % step, top - top % step
            yield _Part(frame.crop((left, top, right, bottom)), left, top, changed=box is not None)
        before = frame


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG that we made ourselves."""
    place = 8
    while place < len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        yield kind, content[place + 8 : place + 8 + size]
        place += size + 12


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _webp_pixels(content: bytes) -> bytes:
    """What a frame holds of a still WebP that we made ourselves: its pixels, its alpha."""
    place, kept = 12, b""
    while place < len(content):
        kind, size = struct.unpack_from("<4sI", content, place)
        whole = 8 + size + size % 2
        if kind in (b"ALPH", b"VP8 ", b"VP8L"):
            kept += content[place : place + whole]
        place += whole
    return kept


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
