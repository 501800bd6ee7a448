"""The names in the user's folders, listed again only when a folder has changed.

Compares the times of folders and never reads files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.files import Files

_SETTLED_NS = 2_000_000_000
"""A folder that changed less than two seconds before it was listed may change unseen: clocks of
file systems are coarse."""


@dataclass(frozen=True, slots=True)
class _CachedList:
    names: tuple[str, ...]
    folders: dict[str, int | None]
    settled: bool


class Listing:
    """Lists by kind: `checkpoints`, `input` and so on."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._cached: dict[str, _CachedList] = {}

    def forget(self) -> None:
        """List everything again: a kind's folders are others."""
        self._cached.clear()

    def list(self, kind: str) -> Sequence[str]:
        """The names of that kind's files, as `Files.list` gives them."""
        cached = self._cached.get(kind)
        if cached is not None and cached.settled and _unchanged(cached.folders):
            return cached.names
        began = time.time_ns()
        folders = _times(self._files.folders(kind))
        names = tuple(self._files.list(kind))
        newest = max((each for each in folders.values() if each is not None), default=0)
        settled = began - newest > _SETTLED_NS
        self._cached[kind] = _CachedList(names, folders, settled)
        return names


def _times(roots: Sequence[Path]) -> dict[str, int | None]:
    """Each folder below these with the time it changed; None where there is none."""
    found: dict[str, int | None] = {}
    seen: set[str] = set()
    for root in roots:
        if not root.is_dir():
            found[str(root)] = None
        for folder, inner, _ in os.walk(root, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:
                inner.clear()
                continue
            seen.add(real)
            inner[:] = [name for name in inner if not name.startswith(".")]
            found[folder] = _changed(folder)
    return found


def _unchanged(folders: dict[str, int | None]) -> bool:
    return all(_changed(folder) == when for folder, when in folders.items())


def _changed(folder: str) -> int | None:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - called hundreds of times a second
    except OSError:
        return None
