"""Pictures in and out of files: opened within limits, upright, all frames; encoded with metadata.

Speaks Pillow and bytes. Does not know tensors, folders or names: who calls it writes the bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image, ImageOps, ImageSequence
from PIL.PngImagePlugin import PngInfo

from engine.errors import MediaError

FORMATS = (
    "PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "DIB",
    "TIFF", "PPM", "TGA", "ICO", "QOI", "JPEG2000",
)  # fmt: skip
"""What is opened. Pillow knows more, some of which start other programs or read other files."""
FORMAT_NAMES = "PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF, PPM, TGA, ICO, QOI and JPEG 2000"

_DEEP_GREY = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_MODEL_TAG = 0x0110
_MAKE_TAG = 0x010F


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a picture may be before it is refused, unread.

    Attributes:
        file_bytes: of the file.
        pixels: of one frame; no more than Pillow's own line helps.
        pixels_in_all: of all frames together.
    """

    file_bytes: int = 1 << 30
    pixels: int = 178_000_000
    pixels_in_all: int = 500_000_000


def read_frames(path: Path, *, limits: Limits = Limits()) -> Iterator[Image.Image]:
    """The frames of a picture, upright, decoded one by one as they are asked for.

    A frame is `RGB`; or `RGBA` where the file says what is transparent; or, of a grey picture of
    16 bits, `F` from 0 to 1. Colours stay as they are stored: profiles are not applied. A frame of
    another size than the first is left out (thumbnails, further pages), as are the extra pictures
    of an MPO.

    Raises:
        MediaError: it is no picture of a known format, is damaged or exceeds the limits.
    """
    try:
        _check_bytes(path, limits)
        with _open(path) as picture:
            _check_size(path, picture, limits)
            yield from _frames(path, picture, limits)
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path.name}: too large: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise MediaError(f"{path.name}: is no picture; {FORMAT_NAMES} can be read") from error
    except Exception as error:  # what decoders raise on damaged files has no common root
        raise MediaError(f"{path.name}: the picture cannot be read: {error}") from error


def _open(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        # Half of Pillow's line earns a warning; we have a limit of our own.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=FORMATS)


def _check_bytes(path: Path, limits: Limits) -> None:
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise _too_large(path, f"{size:,} bytes", f"{limits.file_bytes:,}")


def _check_size(path: Path, picture: Image.Image, limits: Limits) -> None:
    pixels = picture.width * picture.height
    if pixels > limits.pixels:
        raise _too_large(path, f"{pixels:,} pixels", f"{limits.pixels:,}")


def _frames(path: Path, picture: Image.Image, limits: Limits) -> Iterator[Image.Image]:
    first, seen = picture.size, 0
    for frame in ImageSequence.Iterator(picture):
        if frame.size == first:
            seen += frame.width * frame.height
            if seen > limits.pixels_in_all:
                raise _too_large(path, f"{seen:,} pixels or more", f"{limits.pixels_in_all:,}")
            yield _plain(ImageOps.exif_transpose(frame))
        else:
            _check_size(path, frame, limits)
        if picture.format == "MPO":
            return


def _plain(frame: Image.Image) -> Image.Image:
    """A frame in one of the three modes that `read_frames` promises."""
    if frame.mode in _DEEP_GREY:
        return frame.convert("F").point(lambda value: value * (1 / 65535) + 0.0)
    if frame.mode == "F":
        return frame
    return frame.convert("RGBA" if frame.has_transparency_data else "RGB")


def _too_large(path: Path, found: str, limit: str) -> MediaError:
    return MediaError(f"{path.name}: too large: {found}, the limit is {limit}")


def png_bytes(
    picture: Image.Image, *, texts: Mapping[str, str] | None = None, compress_level: int = 4
) -> bytes:
    """A picture as PNG, with a text chunk for each of `texts` ahead of the pixels.

    A keyword that PNG does not allow is percent-encoded and cut to 79 characters.

    Raises:
        MediaError: it cannot be encoded.
    """
    chunks = PngInfo()
    for keyword, text in (texts or {}).items():
        _add_text(chunks, keyword, text)
    return _encode(picture, "PNG", pnginfo=chunks, compress_level=compress_level)


def webp_bytes(
    picture: Image.Image,
    *,
    texts: Mapping[str, str] | None = None,
    lossless: bool = False,
    quality: int = 80,
    method: int = 4,
) -> bytes:
    """A picture as WebP, its texts in EXIF as the incumbent spells them.

    Raises:
        MediaError: it cannot be encoded.
    """
    exif = _exif(texts)
    return _encode(picture, "WEBP", exif=exif, lossless=lossless, quality=quality, method=method)


def jpeg_bytes(
    picture: Image.Image, *, texts: Mapping[str, str] | None = None, quality: int = 90
) -> bytes:
    """A picture as JPEG without its alpha, its texts in EXIF, spelled as in WebP.

    Raises:
        MediaError: it cannot be encoded, or the texts exceed the 64 KiB that JPEG has for them.
    """
    return _encode(picture.convert("RGB"), "JPEG", exif=_exif(texts), quality=quality)


def animated_png_bytes(
    frames: Sequence[Image.Image],
    *,
    milliseconds: float,
    texts: Mapping[str, str] | None = None,
    compress_level: int = 4,
) -> bytes:
    """Frames of that duration as APNG, its texts in private `comf` chunks after the pixels.

    Raises:
        MediaError: it cannot be encoded.
    """
    chunks = PngInfo()
    for keyword, text in (texts or {}).items():
        body = f"{keyword}\0{text}".encode("latin-1", "replace")
        chunks.add(b"comf", body, after_idat=True)
    return _encode(
        frames[0],
        "PNG",
        save_all=True,
        append_images=list(frames[1:]),
        duration=milliseconds,
        pnginfo=chunks,
        compress_level=compress_level,
    )


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

    Raises:
        MediaError: it cannot be encoded.
    """
    return _encode(
        frames[0],
        "WEBP",
        save_all=True,
        append_images=list(frames[1:]),
        duration=round(milliseconds),
        exif=_exif(texts),
        lossless=lossless,
        quality=quality,
        method=method,
    )


def _encode(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        picture.save(buffer, form, **options)
    except (OSError, ValueError, KeyError, OverflowError) as error:
        size = f"{picture.width}x{picture.height}"
        raise MediaError(f"a picture of {size} cannot be written as {form}: {error}") from error
    return buffer.getvalue()


def _add_text(chunks: PngInfo, keyword: str, text: str) -> None:
    # Only some characters and lengths are allowed; a picture must not be lost over a name.
    if not (0 < len(keyword) < 80 and keyword.isascii() and keyword.isprintable()):
        keyword = quote(keyword)[:79] or "unnamed"
    if text.isascii():
        chunks.add_text(keyword, text)
    else:
        chunks.add_itxt(keyword, text)


def _exif(texts: Mapping[str, str] | None) -> Image.Exif:
    """`prompt` under Model, `workflow` under Make, any others from there downwards."""
    exif = Image.Exif()
    tag = _MAKE_TAG
    for keyword, text in (texts or {}).items():
        if keyword == "prompt":
            exif[_MODEL_TAG] = f"{keyword}:{text}"
        else:
            exif[tag] = f"{keyword}:{text}"
            tag -= 1
    return exif
