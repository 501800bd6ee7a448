"""Holds the queue while a disk is full, and resumes it when there is room again.

Free room is tested by writing: a quota or a reserve does not show in the free space that the
system reports. A prompt whose result can never fit is tried less and less often, until the free
space grows.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from engine.server.logs import LogBook

_LEAST, _MOST, _GROWTH = 32 << 10, 2 << 30, 4
"""Bytes that have to fit before the queue goes on: more each time that was not enough."""
_CHUNK = 32 << 10
_LONGEST = 12
"""Times the usual pause; with looks every 5 s, a minute."""
_TOLERANCE, _SHARE = 64 << 10, 50
"""Free space is the same within these bytes and this part of it: logs grow meanwhile."""


class DiskSpaceGuard:
    """The queue's hold for lack of room.

    Attributes:
        reason: why the queue is held, in words; None while it is not.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        logs: LogBook,
        *,
        on_change: Callable[[], None],
        check_seconds: float,
    ) -> None:
        """Hold nothing yet.

        Args:
            folders: where workers write; checked where an error does not name its folder.
            logs: gets a line when a hold begins or ends.
            on_change: called when a hold begins or ends.
            check_seconds: between two checks for room.
        """
        self.reason: str | None = None
        self._folders = folders
        self._logs = logs
        self._on_change = on_change
        self._check_seconds = check_seconds
        self._required_bytes = _LEAST
        self._tries = 0
        self._free: int | None = None
        self._held: asyncio.Task[None] | None = None

    def hold(self, folder: str) -> None:
        """A disk is full: `folder`, or, where it is empty, one of ours."""
        folders = [Path(folder)] if folder else self._folders
        self._say(_full(folders))
        if self._held is None or self._held.done():
            self._held = asyncio.create_task(self._wait(folders))
        self._on_change()

    def confirm(self) -> None:
        """A prompt has succeeded: the next lack of room starts with short pauses again."""
        self._required_bytes = _LEAST
        self._tries, self._free = 0, None

    def release(self) -> None:
        """End a hold now: the user says that there is room."""
        if self.reason is not None:
            self.stop()
            self._end()

    def stop(self) -> None:
        """Stop checking."""
        if self._held is not None:
            self._held.cancel()

    async def _wait(self, folders: Sequence[Path]) -> None:
        free = await asyncio.to_thread(free_bytes, folders)
        pauses = self._count(free)
        if self._tries > 1:
            self._say(
                f"{_full(folders)}. {self._tries} tries in a row have failed while {free >> 20} MB "
                "were free: the result may be larger than that. It is tried again in "
                f"{pauses * self._check_seconds:.0f} s, or as soon as there is more room"
            )
            self._on_change()
        for number in count(1):
            await asyncio.sleep(self._check_seconds)
            now = await asyncio.to_thread(free_bytes, folders)
            if number < pauses and not _is_more(now, free):
                continue
            if await asyncio.to_thread(_all_have_space, folders, self._required_bytes):
                break
        self._required_bytes = min(_GROWTH * self._required_bytes, _MOST)
        self._end()

    def _count(self, free: int) -> int:
        """Count a failed try; returns the pause before the next one, in check intervals."""
        same = self._free is not None and not _is_more(free, self._free)
        self._tries = self._tries + 1 if same else 1
        self._free = free
        return min(2 ** min(self._tries - 1, _LONGEST), _LONGEST)

    def _say(self, reason: str) -> None:
        self.reason = reason
        self._logs.write(f"Calotype: {reason}\n")

    def _end(self) -> None:
        self.reason = None
        self._logs.write("Calotype: there is room on the disk; the queue goes on\n")
        self._on_change()


def has_space(folder: Path, size: int) -> bool:
    """Whether this many bytes, or half of the disk, can be written; finds out by doing it."""
    part = folder / f".room.{secrets.token_hex(4)}.part"
    content = os.urandom(_CHUNK)
    try:
        usage = shutil.disk_usage(folder)
        size = min(size, usage.total // 2)
        if usage.free < size:
            return False
        with part.open("wb") as stream:
            for _ in range(0, size, _CHUNK):
                stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        return False
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return True


def free_bytes(folders: Sequence[Path]) -> int:
    """Bytes that the system reports as free for these folders, the least of them."""
    found: list[int] = []
    for folder in folders:
        with suppress(OSError):
            found.append(shutil.disk_usage(folder).free)
    return min(found, default=0)


def _is_more(now: int, before: int) -> bool:
    return now > before + before // _SHARE + _TOLERANCE


def _full(folders: Sequence[Path]) -> str:
    return (
        f"The disk is full: nothing can be written to {_named(folders)}. The queue is paused, "
        "and goes on by itself when there is room"
    )


def _all_have_space(folders: Sequence[Path], size: int) -> bool:
    return all(has_space(each, size) for each in folders)


def _named(folders: Sequence[Path]) -> str:
    return " or ".join(str(each) for each in dict.fromkeys(folders))
