"""Cleans up after a crash: unfinished files, and the previews of the last run.

Runs in a background thread. Unfinished files are recognised by their names.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from engine.atomic import interrupted_claim
from engine.settings import Settings

_USER_FOLDERS = ("workflows", "userdata", "journals", "versions")
_PART = re.compile(r"^\..*\.part$")
_CLAIM = re.compile(r"_\d{5}_\.\w+$")


def empty_temp(settings: Settings) -> None:
    """Delete the previews of the last run. Only while nothing runs."""
    for path in settings.temp_directory.glob("*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_sockets(settings: Settings) -> None:
    """Delete the sockets of workers that are gone. Only while no worker runs."""
    for path in settings.cache_directory.glob("routes-*.sock"):
        path.unlink(missing_ok=True)


def sweep(settings: Settings, before: float) -> int:
    """Delete files that a crash left unfinished: half-written ones, and names claimed in vain.

    Args:
        settings: whose folders.
        before: only files that were last changed before this time, in seconds since 1970.

    Returns:
        how many were deleted.
    """
    count = 0
    user = settings.user_directory
    ours = (user / name for name in _USER_FOLDERS)
    roots = (settings.output_directory, settings.input_directory, *ours)
    found = [path for root in roots for path in _unfinished(root, before)]
    found += [path for path in user.glob(".*.part") if _is_old(path, before)]
    for path in found:
        claimed = interrupted_claim(path)
        if claimed is not None:
            claimed.unlink(missing_ok=True)
            count += 1
        path.unlink(missing_ok=True)
        count += 1
    return count


def _unfinished(root: Path, before: float) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            part = _PART.match(name) is not None
            if not part and _CLAIM.search(name) is None:
                continue
            path = Path(folder) / name
            if _is_old(path, before) and (part or path.lstat().st_size == 0):
                yield path


def _is_old(path: Path, before: float) -> bool:
    try:
        return path.lstat().st_mtime < before
    except OSError:
        return False
