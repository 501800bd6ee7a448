"""Empties the trash of workflows by days of use of the server, not by the clock.

A clock may jump: an empty battery, a wrong year in a new machine. From one start to the next at
most a day counts, so that no jump purges what was deleted yesterday.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.atomic import write_atomically
from engine.errors import FilesError
from engine.settings import Settings

TRASH = ".trash"
"""The folder among the workflows where the editor puts those that were deleted, by their times."""
_KEPT_DAYS = 60.0
_DAY = 24 * 3600.0
_STATE = "trash.json"


class _State(msgspec.Struct):
    """How long each folder of the trash has been there.

    Attributes:
        seen: when that was last counted, in seconds since 1970.
        days: of use, by the name of the folder.
    """

    seen: float = 0.0
    days: dict[str, float] = {}


def empty_trash(settings: Settings, now: float) -> int:
    """Delete workflows that have been in the trash for sixty days of use.

    Args:
        settings: whose folders.
        now: seconds since 1970.

    Returns:
        how many folders were deleted.
    """
    path = settings.user_directory / _STATE
    folders = {each.name: each for each in _folders(settings)}
    if not folders and not path.exists():
        return 0
    state = _read(path)
    passed = min(max((now - state.seen) / _DAY, 0.0), 1.0) if state.seen else 0.0
    days = {name: state.days.get(name, 0.0) + passed for name in folders}
    old = [name for name, age in days.items() if age >= _KEPT_DAYS]
    for name in old:
        shutil.rmtree(folders[name], ignore_errors=True)
        del days[name]
    # Where it cannot be written, the trash is retained longer.
    with suppress(FilesError):
        write_atomically(path, msgspec.json.encode(_State(now, days)))
    return len(old)


def _folders(settings: Settings) -> Iterator[Path]:
    for folder in (settings.user_directory / "workflows" / TRASH).glob("*"):
        if folder.name.isdigit() and folder.is_dir() and not folder.is_symlink():
            yield folder


def _read(path: Path) -> _State:
    """What was counted; nothing where that is damaged or missing: trash is retained longer."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(path.read_bytes(), type=_State)
    return _State()
