"""The header of a `.safetensors` file: located, bounded and decoded, but not yet validated.

Format: https://github.com/huggingface/safetensors, section "Format". The entries are validated
by the loader (`engine/weights/safetensors.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, TypeGuard, cast

import msgspec

from engine.errors import CalotypeError

LENGTH_BYTES = 8
HEADER_LIMIT = 100_000_000
TENSOR_LIMIT = 100_000
_MOST_QUOTES = 2_000_000
_MOST_COMMAS = 4_000_000
"""Twice what `TENSOR_LIMIT` tensors and their metadata need; more would take long to decode."""
_METADATA = "__metadata__"


class HeaderError(CalotypeError):
    """The header cannot be used; the message is a finding: "it is truncated: ..."."""


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
    """The JSON text of the header of a file of `size` bytes; the stream is at its start.

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
        HeaderError: it is no JSON object, names more than `TENSOR_LIMIT` tensors or one twice, or
            its metadata are no strings.
    """
    if not text.startswith(b"{"):
        raise HeaderError(f"its header begins with {text[:16]!r}, expected a JSON object")
    _check_amount(text)
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
    if len(document) > TENSOR_LIMIT:
        raise _too_many(len(document))
    return RawHeader(document, metadata)


def _check_amount(text: bytes) -> None:
    """Refuse a header of far too many entries before it is decoded."""
    quotes = text.count(b'"') - text.count(b'\\"')
    if quotes <= _MOST_QUOTES and text.count(b",") <= _MOST_COMMAS:
        return
    try:
        names = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise HeaderError(f"its header is not valid JSON ({error})") from error
    if len(names) > TENSOR_LIMIT:
        raise _too_many(len(names) - (_METADATA in names))
    raise HeaderError(f"its header holds far more than {TENSOR_LIMIT:,} tensors need")


def _too_many(count: int) -> HeaderError:
    return HeaderError(f"it names {count:,} tensors, expected at most {TENSOR_LIMIT:,}")


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
