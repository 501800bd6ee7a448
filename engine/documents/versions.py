"""Earlier versions of workflows: each save stores one, so that no save loses what was there.

Texts are stored by the name of what they are versions of; only the number of nodes is read from
a workflow.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.atomic import publish, refusals, write_atomically
from engine.errors import FilesError

MOST_VERSIONS = 100
MOST_TEXT = 16 << 20
"""A larger workflow is saved, but no version of it is kept."""
_SUFFIX = ".version"


class Version(msgspec.Struct, frozen=True):
    """What is said of one version.

    Attributes:
        of: what it is a version of: the path of a workflow, or the id of one never saved.
        when: milliseconds since 1970; with `of`, its name.
        nodes: how many there are; None where the text is no workflow.
        label: the last edit before it, as the editor calls it.
        kind: `save`, `auto`, or `replaced` for a text that another program had put there.
        size: bytes of the text.
        digest: equal for equal texts.
    """

    of: str
    when: int
    nodes: int | None
    label: str
    kind: str
    size: int
    digest: str


class _Workflow(msgspec.Struct):
    nodes: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version and its text."""

    version: Version
    text: bytes


class Versions:
    """The versions in one user directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lock = asyncio.Lock()
        """Held while a workflow is saved: looking at what is there, and replacing it, are one."""
        self._keeping = threading.Lock()

    async def keep(self, of: str, text: bytes, *, label: str, kind: str) -> Version | None:
        """Store a text unless it equals the newest version; the oldest and closest are deleted.

        Returns:
            the stored version; None for a text that is too large.

        Raises:
            FilesError: the disk refused.
        """
        if len(text) > MOST_TEXT:
            return None
        return await asyncio.to_thread(self._keep, of, text, label, kind)

    async def list(self, of: str) -> Sequence[Version]:
        """Those of one workflow, newest first."""
        return await asyncio.to_thread(self._list, of)

    async def read(self, of: str, when: int) -> StoredVersion | None:
        """One of them; None where there is none."""
        return await asyncio.to_thread(_read, self._path(of, when))

    async def follow(self, source: str, target: str) -> None:
        """A workflow was renamed: its versions move with it, to those that the name has.

        Raises:
            FilesError: the disk refused; each version is at the one name or the other.
        """
        await asyncio.to_thread(self._follow, source, target)

    def _follow(self, source: str, target: str) -> None:
        before, after = self._of(source), self._of(target)
        if before == after or not before.is_dir():
            return
        with refusals("versions"):
            if not after.exists():
                before.rename(after)
                return
            for path in sorted(before.glob(f"*{_SUFFIX}")):
                if not publish(path, after / path.name, replace=False):
                    self._add(target, path)
            before.rmdir()

    def _add(self, target: str, path: Path) -> None:
        """Store a version under another name, at the next moment that is free there."""
        kept = _read(path)
        if kept is not None:
            when = kept.version.when
            while self._path(target, when).exists():
                when += 1
            line = msgspec.json.encode(msgspec.structs.replace(kept.version, when=when))
            write_atomically(self._path(target, when), line + b"\n" + kept.text)
        path.unlink()

    def _of(self, of: str) -> Path:
        return self._folder / hashlib.sha256(of.encode("utf-8", "replace")).hexdigest()[:32]

    def _path(self, of: str, when: int) -> Path:
        return self._of(of) / f"{when:014d}{_SUFFIX}"

    def _list(self, of: str) -> list[Version]:
        found = (_described(path) for path in self._of(of).glob(f"*{_SUFFIX}"))
        return sorted((each for each in found if each is not None), key=lambda each: -each.when)

    def _write(self, version: Version, text: bytes) -> bool:
        """Whether it was stored: False where its moment is another version's."""
        content = msgspec.json.encode(version) + b"\n" + text
        return write_atomically(self._path(version.of, version.when), content, replace=False)

    def _keep(self, of: str, text: bytes, label: str, kind: str) -> Version:
        with self._keeping:
            return self._keep_locked(of, text, label, kind)

    def _keep_locked(self, of: str, text: bytes, label: str, kind: str) -> Version:
        known = self._list(of)
        digest = hashlib.sha256(text).hexdigest()[:32]
        if known and known[0].digest == digest:
            return known[0]
        now = time.time_ns() // 1_000_000
        when = max(now, known[0].when + 1) if known else now
        version = Version(of, when, _count_nodes(text), label[:200], kind, len(text), digest)
        while not self._write(version, text):
            version = msgspec.structs.replace(version, when=version.when + 1)
        moments = [(each.when, each.kind == "auto") for each in (version, *known)]
        for gone in versions_to_delete(moments, now):
            self._path(of, gone).unlink(missing_ok=True)
        return version


def versions_to_delete(
    moments: Sequence[tuple[int, bool]], now: int, most: int = MOST_VERSIONS
) -> list[int]:
    """Which versions to delete so that `most` remain: many of today, ever fewer of the past.

    Of all but the newest and the oldest, the one whose loss leaves the smallest gap for its age is
    deleted; one that was stored automatically goes sooner than a save.

    Args:
        moments: when each was stored, in milliseconds, and whether automatically.
        now: milliseconds since 1970.
        most: how many may remain.
    """
    left = sorted(moments)
    gone: list[int] = []
    while len(left) > max(most, 2):

        def gap(index: int) -> float:
            when, automatic = left[index]
            between = left[index + 1][0] - left[index - 1][0]
            return between / (max(0, now - when) + 60_000) / (4 if automatic else 1)

        gone.append(left.pop(min(range(1, len(left) - 1), key=gap))[0])
    return gone


def _described(path: Path) -> Version | None:
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.readline(1 << 16), type=Version)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # a crash cannot leave such a file, but a user may


def _read(path: Path) -> StoredVersion | None:
    try:
        line, _, text = path.read_bytes().partition(b"\n")
        return StoredVersion(msgspec.json.decode(line, type=Version), text)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FilesError("this version cannot be read any more") from error


def _count_nodes(text: bytes) -> int | None:
    try:
        return len(msgspec.json.decode(text, type=_Workflow).nodes)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
