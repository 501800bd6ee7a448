"""The one reader of JSON from files and clients.

Reads UTF-8, with or without a byte order mark, UTF-16 and UTF-32, NaN and infinity, and lone
surrogates, as Python's own reader does, and refuses what is nested too deeply to be passed on.
The caller validates the content.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from engine.errors import CalotypeError

MOST_DEPTH = 200
"""How deep lists and objects may be nested; every reader and writer on their way can do that."""


class JsonError(CalotypeError):
    """A text cannot be read as JSON; the message says why."""


def read_json(content: bytes | str) -> Any:
    """Decode JSON. Whole numbers stay exact.

    Raises:
        JsonError: it is no JSON, or nested deeper than `MOST_DEPTH`.
    """
    try:
        found = _decoded(content)
    except RecursionError as error:
        raise JsonError("it is nested too deeply") from error
    except ValueError as error:
        raise JsonError(str(error)) from error
    if _is_deeper(found, MOST_DEPTH):
        raise JsonError(f"it is nested too deeply: over {MOST_DEPTH} lists and objects")
    return found


def is_valid_unicode(text: str) -> bool:
    """Whether a text holds no lone surrogate (half a character), which cannot be encoded."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def may_have_lone_surrogates(content: bytes) -> bool:
    """Whether a text may hold lone surrogates: they come as escapes only."""
    return b"\\ud" in content or b"\\uD" in content or b"\0" in content[:4]


def replace_lone_surrogates(value: Any) -> Any:
    """A decoded value with a replacement character for each lone surrogate."""
    if isinstance(value, str):
        if is_valid_unicode(value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list | tuple):
        return [replace_lone_surrogates(each) for each in cast("Sequence[Any]", value)]
    if isinstance(value, dict):
        given = cast("dict[Any, Any]", value)
        return {
            replace_lone_surrogates(key): replace_lone_surrogates(each)
            for key, each in given.items()
        }
    return value


def _decoded(content: bytes | str) -> Any:
    """Fast where the text is strict JSON in UTF-8; else by Python's more lenient reader."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, ValueError):
        pass
    if isinstance(content, bytes):
        content = content.decode(json.detect_encoding(content), "surrogatepass")
    # A disk that lost power leaves zeros behind a text.
    return json.loads(content.removeprefix("\ufeff").rstrip("\0 \t\r\n"))


def _is_deeper(value: Any, most: int) -> bool:
    """Checks level by level, so that a hostile depth costs no stack."""
    level: list[Any] = [value]
    for _ in range(most + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, list):
                inner.extend(cast("list[Any]", each))
            elif isinstance(each, dict):
                inner.extend(cast("dict[Any, Any]", each).values())
        if not inner:
            return False
        level = inner
    return True
