"""Events of plugins as bytes: JSON, and the binary frames that browsers know."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import msgspec


class BinaryEventTypes:
    """The numbers of binary events; plugins may send others."""

    PREVIEW_IMAGE = 1
    UNENCODED_PREVIEW_IMAGE = 2
    TEXT = 3
    PREVIEW_IMAGE_WITH_METADATA = 4


_JPEG, _PNG = 1, 2
_JPEG_QUALITY = 95


def encode_json(value: object) -> bytes:
    """A value as JSON, whatever it holds: arrays as lists, NaN as null, other things as text."""
    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except (TypeError, ValueError, OverflowError, RecursionError):
        # Keys that are no text, and integers beyond 64 bits.
        text = json.dumps(value, default=_plain, skipkeys=True)
        return json.dumps(json.loads(text, parse_constant=lambda _: None)).encode()


def encode_binary(event: int, data: Any) -> tuple[int, bytes]:
    """The number and the content of a binary event.

    Args:
        event: a number of `BinaryEventTypes`, or any other.
        data: bytes; for unencoded pictures `[format, picture, longest side or None]`, for those
            with metadata `((format, picture, longest side), metadata)`.
    """
    if event == BinaryEventTypes.UNENCODED_PREVIEW_IMAGE:
        kind, content = encode_picture(*data)
        return BinaryEventTypes.PREVIEW_IMAGE, kind.to_bytes(4) + content
    if event == BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA and not _is_bytes(data):
        picture, metadata = data
        kind, content = encode_picture(*picture)
        described: Mapping[str, Any] = {
            **dict(metadata),
            "image_type": "image/png" if kind == _PNG else "image/jpeg",
        }
        header = encode_json(described)
        return event, len(header).to_bytes(4) + header + content
    return event, bytes(data)


def encode_picture(form: str, picture: Any, most: int | None = None) -> tuple[int, bytes]:
    """A Pillow picture as JPEG, or as PNG where `form` says so.

    Args:
        form: `JPEG` or `PNG`.
        picture: the picture; it is not changed.
        most: the longest side in pixels; None for any.

    Returns:
        the number of the format, and the file.
    """
    from PIL import Image  # noqa: PLC0415 - slow to import, and few plugins send pictures

    if most is not None:
        scale = most / max(picture.size)
        if scale < 1:
            size = tuple(max(1, round(each * scale)) for each in picture.size)
            picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if str(form).upper() == "PNG":
        picture.save(buffer, format="PNG", compress_level=1)
        return _PNG, buffer.getvalue()
    if picture.mode not in {"RGB", "L", "CMYK"}:
        picture = picture.convert("RGB")
    picture.save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return _JPEG, buffer.getvalue()


def text_content(text: str | bytes, node_id: str | bytes) -> bytes:
    """The content of `TEXT`: the length of the node's id, the id, and the text."""
    node = node_id if isinstance(node_id, bytes) else str(node_id).encode()
    shown = text if isinstance(text, bytes) else str(text).encode("utf-8", "replace")
    return len(node).to_bytes(4) + node + shown


def _is_bytes(data: object) -> bool:
    return isinstance(data, bytes | bytearray | memoryview)


def _plain(value: Any) -> Any:
    for method in ("item", "tolist"):
        try:
            return getattr(value, method)()
        except (AttributeError, TypeError, ValueError, RuntimeError):
            continue
    return str(value)
