"""File name prefixes as save nodes take them: what is wrong with one, its dates, its last part.

Does not touch the file system.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from engine.paths import MOST_BYTES, BadNameError, inside

FILE_PREFIX = "filename_prefix"
"""The input of save nodes that takes a prefix."""
_ILLEGAL = re.compile(r'[<>:"|?*\x00-\x1f]')
_DATE = re.compile(r"%date:([^%]*)%")
_DATE_PART = re.compile("yyyy|yyy|yy|dd?|MM?|hh?|mm?|ss?")
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "date": "yyyy-MM-dd",
        "year": "yyyy",
        "month": "MM",
        "day": "dd",
        "hour": "hh",
        "minute": "mm",
        "second": "ss",
    }
)
_FIELDS: Mapping[str, Callable[[time.struct_time], int]] = MappingProxyType(
    {
        "d": lambda now: now.tm_mday,
        "M": lambda now: now.tm_mon,
        "h": lambda now: now.tm_hour,
        "m": lambda now: now.tm_min,
        "s": lambda now: now.tm_sec,
    }
)
_ROOM = 11


def prefix_fault(prefix: str) -> str | None:
    """What is wrong with a prefix, whatever the date is; None if nothing is."""
    try:
        inside(Path(), prefix)
    except BadNameError:
        return (
            f"the file name prefix {prefix[:80]!r} leads out of the output folder; "
            "name a folder inside it, as in 'portraits/anna'"
        )
    return None


def split_prefix(prefix: str, suffix: str, *, width: int, height: int) -> tuple[str, str]:
    """The folder and the stem of a prefix: its tokens filled in, each part fit for a file system.

    Args:
        prefix: may hold `/`, `%date%`, `%date:yyyy-M-d%`, `%year%` and so on, `%width%`,
            `%height%`.
        suffix: what will follow the stem and its number.
        width: of the picture.
        height: of the picture.
    """
    named = PurePosixPath(_filled(prefix, width, height).replace("\\", "/") or "image")
    folder = "/".join(_cut(part, MOST_BYTES) for part in named.parent.parts)
    stem = _ILLEGAL.sub("_", named.name) or "image"
    return folder, _cut(stem, MOST_BYTES - _ROOM - len(suffix.encode()))


def format_date(text: str, now: time.struct_time) -> str:
    """A text with `yyyy yy MM M dd d hh h mm m ss s` filled in; a single letter is not padded."""

    def part(match: re.Match[str]) -> str:
        letters = match[0]
        if letters[0] == "y":
            year = f"{now.tm_year:04}"
            return {"yyyy": year, "yy": year[-2:]}.get(letters, letters)
        return str(_FIELDS[letters[0]](now)).zfill(len(letters))

    return _DATE_PART.sub(part, text)


def _filled(prefix: str, width: int, height: int) -> str:
    if "%" not in prefix:
        return prefix
    now = time.localtime()
    prefix = _DATE.sub(lambda match: format_date(match[1], now), prefix)
    for word, form in _WORDS.items():
        prefix = prefix.replace(f"%{word}%", format_date(form, now))
    return prefix.replace("%width%", str(width)).replace("%height%", str(height))


def _cut(part: str, most: int) -> str:
    """The longest start within this number of bytes; no character is cut in two."""
    encoded = part.encode("utf-8", "surrogateescape")
    if len(encoded) <= most:
        return part
    return encoded[:most].decode("utf-8", "ignore").rstrip(" .")
