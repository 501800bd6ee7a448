"""Names that come from outside, resolved inside a folder, or refused. Opens nothing.

Three rules: `as_spelled` for a file that exists, whatever it is called; `inside` for one whose name
may have been written on Windows; and the strict `resolve` for new files, whose names must be valid
on every system.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

_DEVICES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?$", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"^[A-Za-z]:")
MOST_BYTES = 255
_MOST_COMPARED = 1000
_LIKENESS = 0.4
PLACES = ("output", "input", "temp")
"""Folders that a name may choose."""


class BadNameError(ValueError):
    """A name that leads out of its folder, or is no name."""


def split_annotation(name: str) -> tuple[str, str | None]:
    """`x.png [output]` as the name and the folder it names; None where it names none.

    This is the only reader of that notation.
    """
    for place in PLACES:
        if name.endswith(suffix := f"[{place}]"):
            return name[: -len(suffix)].rstrip(), place
    return name, None


def nearest_names(name: str, names: Sequence[str]) -> list[str]:
    """Up to three of these names that are most like one, the nearest first.

    Of many names, only those are compared that begin most alike, or hold the name's stem: a folder
    may have a hundred thousand.
    """
    if len(name) > MOST_BYTES:
        return []
    if len(names) > _MOST_COMPARED:
        ordered = sorted(names)
        at = bisect_left(ordered, name)
        half = _MOST_COMPARED // 4
        around = ordered[max(0, at - half) : at + half]
        base = name.rpartition("/")[2].casefold()
        stem = base.rpartition(".")[0] or base
        holding = islice((each for each in ordered if stem in each.casefold()), half)
        names = list(dict.fromkeys((*around, *holding)))
    return get_close_matches(name, names, n=3, cutoff=_LIKENESS)


def is_sendable(name: str) -> bool:
    """Whether a name can be sent to a browser and requested again: whether it is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_spelled(folder: Path, name: str) -> Path | None:
    """`folder/name`, where only `/` separates: POSIX allows anything else in a file name.

    None where the name leads out, and on Windows, where such files cannot exist.
    """
    parts = name.split("/")
    if os.name != "posix" or "\0" in name or parts[0] == "" or ".." in parts:
        return None
    return folder / name


def inside(folder: Path, name: str) -> Path:
    """`folder/name`, where `name` may hold `/` or, as on Windows, a backslash.

    Links inside the folder may lead out of it: only the owner of the folder can create them.

    Raises:
        BadNameError: it leads out by `..`, a root or a drive, or holds a NUL.
    """
    asked = name.replace("\\", "/")
    if "\0" in name or asked.startswith("/") or _DRIVE.match(name) or ".." in asked.split("/"):
        raise BadNameError("a name leads out of its folder")
    return folder / asked


def resolve(folder: Path, *names: str) -> Path:
    """The path of `names` joined, below `folder`; only names that are valid on every system.

    Every name may hold `/`; an empty one adds nothing.

    Raises:
        BadNameError: a part leads out, is too long, reserved or not printable.
    """
    path = folder
    for name in names:
        if _FORBIDDEN.search(name):
            raise BadNameError("a name leads out of its folder or has a forbidden character")
        inside(folder, name)
        for part in name.split("/"):
            if part in {"", "."}:
                continue
            if _DEVICES.match(part) or part.endswith((" ", ".")):
                raise BadNameError("a name leads out of its folder or is reserved")
            if ":" in part or len(_encoded(part)) > MOST_BYTES:
                raise BadNameError("a name is too long or has a forbidden character")
            path /= part
    return path


def file_name(name: str) -> str:
    """A name without folders.

    Raises:
        BadNameError: it has some, or is none.
    """
    if not name or "/" in name or name in {".", ".."}:
        raise BadNameError("this is not the name of a file")
    resolve(Path(), name)
    return name


def _encoded(part: str) -> bytes:
    try:
        return part.encode()
    except UnicodeEncodeError as error:
        raise BadNameError("a name has a character that is none") from error
