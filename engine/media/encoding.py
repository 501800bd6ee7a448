"""Pictures as bytes of a file, with what made them: PNG, WebP and JPEG.

From Pillow images to bytes; the caller writes them to a file.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import MediaError

_MODEL_TAG = 0x0110
_MAKE_TAG = 0x010F


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
    return encode(picture, "PNG", pnginfo=chunks, compress_level=compress_level)


def png_with_texts(content: bytes, texts: Mapping[str, str]) -> bytes:
    """A PNG that was encoded elsewhere, with a text chunk for each of `texts` after its header."""
    if not texts:
        return content
    made = png_bytes(Image.new("L", (1, 1)), texts=texts)
    header, kept = 8 + 25, b""
    place = header
    while made[place + 4 : place + 8] in (b"tEXt", b"zTXt", b"iTXt"):
        end = place + 12 + int.from_bytes(made[place : place + 4], "big")
        kept += made[place:end]
        place = end
    return content[:header] + kept + content[header:]


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
    exif = exif_of(texts)
    return encode(picture, "WEBP", exif=exif, lossless=lossless, quality=quality, method=method)


def jpeg_bytes(
    picture: Image.Image, *, texts: Mapping[str, str] | None = None, quality: int = 90
) -> bytes:
    """A picture as JPEG without its alpha, its texts in EXIF, spelled as in WebP.

    Raises:
        MediaError: it cannot be encoded, or the texts exceed the 64 KiB that JPEG has for them.
    """
    return encode(picture.convert("RGB"), "JPEG", exif=exif_of(texts), quality=quality)


def avif_bytes(
    picture: Image.Image, *, texts: Mapping[str, str] | None = None, quality: int = 80
) -> bytes:
    """A picture as AVIF, its texts in EXIF, spelled as in WebP.

    Raises:
        MediaError: it cannot be encoded.
    """
    return encode(picture, "AVIF", exif=exif_of(texts), quality=quality)


def encode(picture: Image.Image, form: str, **options: Any) -> bytes:
    """A picture in a form of Pillow's, with its options.

    Raises:
        MediaError: it cannot be encoded.
    """
    buffer = io.BytesIO()
    try:
        picture.save(buffer, form, **options)
    except (OSError, ValueError, KeyError, OverflowError) as error:
        size = f"{picture.width}x{picture.height}"
        raise MediaError(f"a picture of {size} cannot be written as {form}: {error}") from error
    return buffer.getvalue()


def _add_text(chunks: PngInfo, keyword: str, text: str) -> None:
    # Only some characters and lengths are allowed; a picture must not be lost because of a name.
    if not (0 < len(keyword) < 80 and keyword.isascii() and keyword.isprintable()):
        keyword = quote(keyword)[:79] or "unnamed"
    if text.isascii():
        chunks.add_text(keyword, text)
    else:
        chunks.add_itxt(keyword, text)


def exif_of(texts: Mapping[str, str] | None) -> Image.Exif:
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
