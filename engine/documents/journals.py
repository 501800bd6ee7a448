"""The journals of open documents: every change is on disk before it is answered.

A journal is a file of JSON lines. The first holds the whole document, each later one a change, each
with its number. What a change means is the editor's affair: here a line has a number, and some have
a `tab` that says whose the document is and whether it is closed.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine.atomic import write_atomically
from engine.errors import CalotypeError, FilesError

MOST_JOURNAL = 256 << 20
MOST_CLOSED = 100
"""So many closed documents can be taken up again; older ones are let go."""
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUFFIX = ".jsonl"
Reason = Literal["invalid", "conflict", "too_long"]


class JournalRefusedError(CalotypeError):
    """Lines that do not follow the ones that are there, or come from a window that has lost it.

    Attributes:
        reason: `invalid` for what is no journal, `conflict` for lines that do not follow or are
            another window's, `too_long` for a journal that must be sent anew.
        last: the number of the last line on disk.
        window: whose document it is; None where nobody's.
    """

    def __init__(
        self, message: str, *, reason: Reason = "conflict", last: int = 0, window: str | None = None
    ) -> None:
        self.reason: Reason = reason
        self.last = last
        self.window = window
        super().__init__(message)


class _Line(msgspec.Struct):
    n: int
    tab: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(slots=True)
class _State:
    """What is on disk.

    Attributes:
        last: the number of the last line; 0 for none.
        tab: what the last line with a tab said.
        size: bytes of whole, readable lines.
        stray: bytes after them: a line that was being written, or damage.
        broken: whether the stray bytes are more than one unfinished line.
    """

    last: int = 0
    tab: dict[str, Any] | None = None
    size: int = 0
    stray: int = 0
    broken: bool = False

    @property
    def window(self) -> str | None:
        """Whose document it is."""
        window = (self.tab or {}).get("window")
        return window if isinstance(window, str) else None

    @property
    def closed(self) -> float:
        """When it was closed, in milliseconds; 0 while it is open."""
        closed = (self.tab or {}).get("closed")
        return float(closed) if isinstance(closed, int | float) else 0.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A journal as it is listed."""

    id: str
    tab: dict[str, Any] | None
    size: int
    modified: int


class Journals:
    """The journals of one user directory. One server writes into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._states: dict[str, _State] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._seen: dict[str, tuple[int, int, _State]] = {}

    async def list(self) -> list[Listed]:
        """All of them, newest first; the oldest of those that are closed are let go."""
        return await asyncio.to_thread(self._list)

    async def read(self, name: str) -> bytes | None:
        """The whole lines of a journal; None where there is none."""
        path = self._path(name)
        async with self._alone(name):
            state = await asyncio.to_thread(self._state, name, path)
            if state.size == 0:
                return None
            return await asyncio.to_thread(_start_of, path, state.size)

    async def append(self, name: str, window: str, body: bytes) -> int:
        """Put lines at the end, on disk; those that are there already are passed over.

        Returns:
            the number of the last line.

        Raises:
            JournalRefusedError: they do not follow, or the document is another window's.
            FilesError: the disk refused; nothing was kept.
        """
        path, lines = self._path(name), _lines(body)
        async with self._alone(name):
            state = await asyncio.to_thread(self._state, name, path)
            _check_window(state, window)
            if state.last == 0 or state.broken or lines[0][0] > state.last + 1:
                raise _refused("these lines do not follow; send the whole journal", state)
            new = [line for number, line in lines if number > state.last]
            if new:
                content = b"".join(line + b"\n" for line in new)
                await asyncio.to_thread(self._append, name, path, state, content)
            return state.last

    async def replace(
        self, name: str, window: str, body: bytes, *, owner: str | None = None
    ) -> int:
        """Put a whole journal in the place of the one that is there, if any.

        Whoever has read the newest line may do so: a document whose window is gone is taken over.

        Args:
            name: which journal.
            window: whose document it is from now on.
            body: the lines, the first of them whole.
            owner: whose document it was when `window` last heard of it; None where it does not say.

        Raises:
            JournalRefusedError: there are newer lines, or a third window has the document by now.
            FilesError: the disk refused; the old journal is as it was.
        """
        path, lines = self._path(name), _lines(body)
        found = _scan(lines_of(body))
        if found.window != window:
            raise JournalRefusedError("a whole journal says whose it is", reason="invalid")
        async with self._alone(name):
            state = await asyncio.to_thread(self._state, name, path)
            if lines[-1][0] < state.last:
                raise _refused("there are newer lines", state)
            if owner is not None and state.window not in (None, owner, window):
                raise _refused("another window has this document", state)
            await asyncio.to_thread(_replace, path, state, body)
            self._states[name] = found
            return found.last

    async def delete(self, name: str) -> None:
        """Let a journal go, if there is one."""
        path = self._path(name)
        async with self._alone(name):
            await asyncio.to_thread(path.unlink, missing_ok=True)
            self._states.pop(name, None)

    def _alone(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _path(self, name: str) -> Path:
        if _ID.fullmatch(name) is None:
            raise JournalRefusedError("this is not the id of a document", reason="invalid")
        return self._folder / f"{name}{_SUFFIX}"

    def _state(self, name: str, path: Path) -> _State:
        """What is on disk; read again where the file is not as it was left."""
        size = path.stat().st_size if path.exists() else 0
        known = self._states.get(name)
        if known is None or known.size + known.stray != size:
            known = _scan(lines_of(path.read_bytes())) if size else _State()
            self._states[name] = known
        return known

    def _append(self, name: str, path: Path, state: _State, content: bytes) -> None:
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
            raise FilesError(f"the journal cannot be written: {error.strerror}") from error
        added = _scan(lines_of(content))
        state.last, state.tab = added.last, added.tab or state.tab
        state.size += added.size
        state.stray = 0

    def _list(self) -> list[Listed]:
        found: list[tuple[Listed, float]] = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if _ID.fullmatch(path.stem) is None:
                continue
            try:
                stat = path.stat()
                state = self._state_seen(path, stat)
            except OSError:
                continue  # closed by another request in this moment
            listed = Listed(path.stem, state.tab, stat.st_size, stat.st_mtime_ns // 1_000_000)
            found.append((listed, state.closed))
        closed = sorted((each for each in found if each[1]), key=lambda each: -each[1])
        gone = {each.id for each, _ in closed[MOST_CLOSED:]}
        for name in gone:
            (self._folder / f"{name}{_SUFFIX}").unlink(missing_ok=True)
        kept = [each for each, _ in found if each.id not in gone]
        return sorted(kept, key=lambda each: -each.modified)

    def _state_seen(self, path: Path, stat: os.stat_result) -> _State:
        """What a journal said when it was listed before, if it has not changed since."""
        state = self._states.get(path.stem)
        if state is not None and state.size + state.stray == stat.st_size:
            return state
        size, modified, state = self._seen.get(path.stem, (-1, -1, None))
        if state is None or (size, modified) != (stat.st_size, stat.st_mtime_ns):
            state = _scan(lines_of(path.read_bytes()))
            self._seen[path.stem] = (stat.st_size, stat.st_mtime_ns, state)
        return state


def lines_of(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """Lines, and whether each was ended: the last of a file that was being written is not."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        if end < 0:
            yield content[start:], False
            return
        yield content[start:end], True
        start = end + 1


def _scan(lines: Iterator[tuple[bytes, bool]]) -> _State:
    """What lines say, up to the first that is torn, no line, or out of turn."""
    state = _State()
    for line, ended in lines:
        number, tab = (_decoded(line) if ended else None) or (0, None)
        if state.stray or number == 0 or (state.last and number != state.last + 1):
            state.broken = state.broken or ended
            state.stray += len(line) + ended
            continue
        state.last, state.tab = number, tab or state.tab
        state.size += len(line) + 1
    return state


def _decoded(line: bytes) -> tuple[int, dict[str, Any] | None] | None:
    try:
        found = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return (found.n, found.tab) if found.n > 0 else None


def _lines(body: bytes) -> Sequence[tuple[int, bytes]]:
    """The lines of a request: all whole, numbered one after the other.

    Raises:
        JournalRefusedError: 400, they are not.
    """
    found: list[tuple[int, bytes]] = []
    for line, ended in lines_of(body):
        decoded = _decoded(line) if ended else None
        if decoded is None or (found and decoded[0] != found[-1][0] + 1):
            raise JournalRefusedError("a journal is numbered JSON lines", reason="invalid")
        found.append((decoded[0], line))
    if not found:
        raise JournalRefusedError("there are no lines", reason="invalid")
    return found


def _check_window(state: _State, window: str) -> None:
    if state.window is not None and state.window != window:
        raise _refused("another window has this document", state)


def _refused(message: str, state: _State, *, reason: Reason = "conflict") -> JournalRefusedError:
    return JournalRefusedError(message, reason=reason, last=state.last, window=state.window)


def _start_of(path: Path, size: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(size)


def _replace(path: Path, state: _State, body: bytes) -> None:
    if state.broken:
        # What nobody could read may be somebody's work: it is kept beside.
        path.replace(path.with_suffix(f".{time.time_ns() // 1_000_000}.damaged"))
    write_atomically(path, body)
