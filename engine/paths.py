"""Names that come from outside, resolved inside a folder, or refused. Opens nothing.

Two rules: `inside` for a file that exists, whatever it is called, and the stricter `resolve` for
names that a browser sends, which must be valid on every system.
"""

from __future__ import annotations

import re
from pathlib import Path

_DEVICES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?$", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"^[A-Za-z]:")
MOST_BYTES = 255
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


def inside(folder: Path, name: str) -> Path:
    """`folder/name`, where `name` may hold `/` or, as on Windows, a backslash.

    Links that the user put into the folder may lead out: whoever can make them owns the folder.

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
