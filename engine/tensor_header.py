"""The header of a `.safetensors` file: found, bounded and decoded, but not yet believed.

Format: https://github.com/huggingface/safetensors, section "Format". Knows no tensors: what the
entries say is checked by whoever loads them (`engine/weights/safetensors.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, TypeGuard, cast

from engine.errors import CalotypeError

LENGTH_BYTES = 8
HEADER_LIMIT = 100_000_000
_METADATA = "__metadata__"


class HeaderError(CalotypeError):
    """It is no header that can be used; the message is a finding: "it is truncated: ..."."""


@dataclass(frozen=True, slots=True)
class RawHeader:
    """A decoded header.

    Attributes:
        tensors: what the header says of each tensor, unchecked.
        metadata: what the file says about itself.
    """

    tensors: Mapping[str, Any]
    metadata: Mapping[str, str]


def read_text(stream: BinaryIO, size: int, *, most: int = HEADER_LIMIT) -> bytes:
    """The JSON text of the header of a file of `size` bytes, whose start the stream is at.

    Raises:
        HeaderError: the file is too short for it, or it has more than `most` bytes.
        OSError: the disk refused.
    """
    prefix = stream.read(LENGTH_BYTES)
    if len(prefix) < LENGTH_BYTES:
        raise HeaderError(f"it has {size} bytes, expected at least {LENGTH_BYTES}")
    length = int.from_bytes(prefix, "little")
    if length > most:
        raise HeaderError(f"its header claims {length:,} bytes, expected at most {most:,}")
    if LENGTH_BYTES + length > size:
        raise HeaderError(
            f"it is truncated: its header ends at byte {LENGTH_BYTES + length:,}, "
            f"but the file has {size:,} bytes"
        )
    return stream.read(length)


def decode(text: bytes) -> RawHeader:
    """The header of that text.

    Raises:
        HeaderError: it is no JSON object, a name appears twice, or its metadata are no strings.
    """
    if not text.startswith(b"{"):
        raise HeaderError(f"its header begins with {text[:16]!r}, expected a JSON object")
    try:
        document: dict[str, Any] = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
        "".join(document).encode()  # half a surrogate pair cannot even be shown in a message
    except RecursionError as error:
        raise HeaderError("its header is nested too deeply") from error
    except ValueError as error:
        raise HeaderError(f"its header is not valid JSON ({error})") from error
    metadata = document.pop(_METADATA, {})
    if not _is_texts(metadata):
        raise HeaderError(f"its {_METADATA} is not an object of strings")
    return RawHeader(document, metadata)


def _is_texts(value: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(
        isinstance(each, str) for each in cast("dict[str, object]", value).values()
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name appears twice")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
