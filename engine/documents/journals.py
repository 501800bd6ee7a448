"""The journals of open documents: every change is on disk before it is answered.

A journal is a file of JSON lines. The first holds the whole document, each later one a change, each
with its number. Only the editor interprets a change; `journal_lines.py` reads what is needed here:
the number of a line, which window owns the document, and whether it is closed.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from engine.atomic import refusal, write_atomically
from engine.documents.journal_lines import (
    JournalRefusedError,
    Reason,
    State,
    Tab,
    read_request,
    scan,
)
from engine.errors import FilesError

MOST_JOURNAL = 256 << 20
MOST_CLOSED = 100
"""Closed documents that can be opened again; older ones are deleted."""
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class ListedJournal:
    """A journal as it is listed. `modified` is in milliseconds since 1970, `size` in bytes."""

    id: str
    tab: Tab | None
    size: int
    modified: int
    closed: float


class Journals:
    """The journals of one user directory. One server writes into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._states: dict[str, State] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._seen: dict[str, tuple[int, int, State]] = {}

    async def list(self) -> list[ListedJournal]:
        """All of them, newest first; the oldest of those that are closed are deleted."""
        found = await asyncio.to_thread(self._list)
        closed = sorted((each for each in found if each.closed), key=lambda each: -each.closed)
        deleted = {each.id for each in closed[MOST_CLOSED:] if await self._delete_closed(each)}
        return [each for each in found if each.id not in deleted]

    async def read(self, name: str) -> bytes | None:
        """The whole lines of a journal; None where there is none.

        Raises:
            FilesError: it cannot be read.
        """
        path = self._path(name)
        async with self._lock(name):
            state = await asyncio.to_thread(self._state, name, path)
            if state.size == 0:
                return None
            return await asyncio.to_thread(_start_of, path, state.size)

    async def append(self, name: str, window: str, body: bytes) -> int:
        """Append lines, durably; those already present are skipped.

        Returns:
            the number of the last line.

        Raises:
            JournalRefusedError: they do not follow, or the document is another window's.
            FilesError: the disk refused; nothing was written.
        """
        path, lines = self._path(name), read_request(body)
        async with self._lock(name):
            state = await asyncio.to_thread(self._state, name, path)
            _check_window(state, window)
            if state.last == 0 or state.is_damaged or lines[0][0] > state.last + 1:
                raise _refused("these lines do not follow; send the whole journal", state)
            new = [line for number, line in lines if number > state.last]
            if new:
                content = b"".join(line + b"\n" for line in new)
                await asyncio.to_thread(self._append, name, path, state, content)
            return state.last

    async def replace(
        self, name: str, window: str, body: bytes, *, owner: str | None = None
    ) -> int:
        """Replace a journal, if there is one, by a whole new one.

        Any window that has read the newest line may do so, to take over from one that is gone.

        Args:
            name: which journal.
            window: whose document it is from now on.
            body: the lines, the first of them whole.
            owner: whose document it was when `window` last read it; None where it does not say.

        Raises:
            JournalRefusedError: there are newer lines, or a third window has the document by now.
            FilesError: the disk refused; the old journal is unchanged.
        """
        path, lines = self._path(name), read_request(body)
        found = scan(body)
        if found.window != window:
            raise JournalRefusedError("a whole journal says whose it is", reason="invalid")
        async with self._lock(name):
            state = await asyncio.to_thread(self._state_to_replace, name, path)
            if lines[-1][0] < state.last:
                raise _refused("there are newer lines", state)
            if owner is not None and state.window not in (None, owner, window):
                raise _refused("another window has this document", state)
            await asyncio.to_thread(_replace, path, state, body)
            self._states[name] = found
            return found.last

    async def delete(self, name: str) -> None:
        """Delete a journal, if there is one.

        Raises:
            FilesError: the disk refused.
        """
        path = self._path(name)
        async with self._lock(name):
            await asyncio.to_thread(self._unlink, name, path)

    async def _delete_closed(self, listed: ListedJournal) -> bool:
        """Delete one that was listed as closed, unless it was written since; whether it is gone."""
        path = self._path(listed.id)
        async with self._lock(listed.id):

            def delete() -> bool:
                stat = path.stat()
                if (stat.st_size, _milliseconds(stat)) != (listed.size, listed.modified):
                    return False
                self._unlink(listed.id, path)
                return True

            try:
                return await asyncio.to_thread(delete)
            except FileNotFoundError:
                return True  # another request deleted it
            except (OSError, FilesError):
                return False  # it stays listed, and is tried again with the next list

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _path(self, name: str) -> Path:
        if _ID.fullmatch(name) is None:
            raise JournalRefusedError("this is not the id of a document", reason="invalid")
        return self._folder / f"{name}{_SUFFIX}"

    def _unlink(self, name: str, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise FilesError(f"the journal cannot be deleted: {error.strerror}") from error
        self._states.pop(name, None)
        self._seen.pop(name, None)

    def _state(self, name: str, path: Path) -> State:
        """What is on disk; read again where another writer has changed the file.

        Raises:
            FilesError: it cannot be read.
        """
        try:
            size = path.stat().st_size if path.exists() else 0
            known = self._states.get(name)
            if known is None or known.size + known.stray != size:
                known = scan(path.read_bytes()) if size else State()
                self._states[name] = known
        except OSError as error:
            raise FilesError(f"the journal cannot be read: {error.strerror}") from error
        return known

    def _state_to_replace(self, name: str, path: Path) -> State:
        """The same; what is not a file counts as damage, which the caller sets aside."""
        if path.exists() and not path.is_file():
            return State(is_damaged=True)
        return self._state(name, path)

    def _append(self, name: str, path: Path, state: State, content: bytes) -> None:
        if state.size + len(content) > MOST_JOURNAL:
            raise _refused("the journal is too long; send it anew", state, reason="too_long")
        try:
            with path.open("r+b") as stream:
                stream.truncate(state.size)
                stream.seek(state.size)
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            self._states.pop(name, None)
            raise refusal("the journal", error) from error
        added = scan(content)
        state.last, state.tab = added.last, added.tab or state.tab
        state.size += added.size
        state.stray = 0

    def _list(self) -> Sequence[ListedJournal]:
        found: list[ListedJournal] = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if _ID.fullmatch(path.stem) is None or not path.is_file():
                continue
            try:
                stat = path.stat()
                state = self._state_seen(path, stat)
            except OSError:
                continue  # deleted by another request in this moment, or not ours to read
            made = ListedJournal(
                path.stem, state.tab, stat.st_size, _milliseconds(stat), state.closed
            )
            found.append(made)
        return sorted(found, key=lambda each: -each.modified)

    def _state_seen(self, path: Path, stat: os.stat_result) -> State:
        """The state of a journal when it was last listed, if it has not changed since."""
        state = self._states.get(path.stem)
        if state is not None and state.size + state.stray == stat.st_size:
            return state
        size, modified, state = self._seen.get(path.stem, (-1, -1, None))
        if state is None or (size, modified) != (stat.st_size, stat.st_mtime_ns):
            state = scan(path.read_bytes())
            self._seen[path.stem] = (stat.st_size, stat.st_mtime_ns, state)
        return state


def _milliseconds(stat: os.stat_result) -> int:
    return stat.st_mtime_ns // 1_000_000


def _check_window(state: State, window: str) -> None:
    if state.window is not None and state.window != window:
        raise _refused("another window has this document", state)


def _refused(message: str, state: State, *, reason: Reason = "conflict") -> JournalRefusedError:
    return JournalRefusedError(message, reason=reason, last=state.last, window=state.window)


def _start_of(path: Path, size: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(size)


def _replace(path: Path, state: State, body: bytes) -> None:
    if state.is_damaged:
        # Unreadable content may be a user's work: it is stored next to the new file.
        try:
            path.replace(path.with_suffix(f".{time.time_ns() // 1_000_000}.damaged"))
        except OSError as error:
            raise refusal("the journal", error) from error
    write_atomically(path, body)
