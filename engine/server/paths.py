"""Names that strangers send, resolved inside a folder, or refused. Opens nothing."""

from __future__ import annotations

import re
from pathlib import Path

_DEVICES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?$", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"^[A-Za-z]:")
MOST_BYTES = 255


class BadNameError(ValueError):
    """A name that leads out of its folder, or is no name."""


def resolve(folder: Path, *names: str) -> Path:
    """The path of `names` joined, below `folder`.

    Every name may hold `/`; an empty one says nothing. Links that the user put into the folder may
    lead out: whoever can make them owns the folder.

    Raises:
        BadNameError: a part is `..`, absolute, too long, reserved or not printable.
    """
    path = folder
    for name in names:
        if name.startswith("/") or _DRIVE.match(name) or _FORBIDDEN.search(name):
            raise BadNameError("a name leads out of its folder or has a forbidden character")
        for part in name.split("/"):
            if part in {"", "."}:
                continue
            if part == ".." or _DEVICES.match(part) or part.endswith((" ", ".")):
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
