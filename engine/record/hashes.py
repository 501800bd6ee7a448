"""SHA-256 of files: computed once for each state of a file, and stored.

A model has gigabytes, so nothing that a run waits for computes one: `known` only looks it up.
`compute` is called where nobody waits, or where the user asked for it (`main.py lock`).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock

import msgspec

from engine.atomic import write_atomically
from engine.errors import FilesError
from engine.settings import Settings

SMALL = 1 << 20
"""Bytes up to which a file is read at once, whoever asks."""
_BLOCK = 64 << 10
_CHUNK = 4 << 20


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """The hash of one state of a file."""

    size: int
    modified: int
    sha256: str


_DECODER = msgspec.json.Decoder(dict[str, _Stored])


class FileHashes:
    """The hashes of one user's files, in `cache/file_hashes.json`.

    Several processes may have one: each reads the file again when it has changed.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.cache_directory / "file_hashes.json"
        self._state: tuple[int, int] | None = None
        self._stored: dict[str, _Stored] = {}
        self._samples: dict[str, tuple[int, int, str]] = {}
        self._lock = Lock()

    def known(self, path: Path) -> str:
        """The hash of a file as it is now; empty where it has not been computed.

        One of up to `SMALL` bytes is computed at once.

        Raises:
            FilesError: the file cannot be read.
        """
        size, modified = _state_of(path)
        if size <= SMALL:
            return _digest(path, lambda: None)
        with self._lock:
            self._read()
            found = self._stored.get(str(path))
        return found.sha256 if found and (found.size, found.modified) == (size, modified) else ""

    def compute(self, path: Path, pause: Callable[[], None] = lambda: None) -> str:
        """The hash of a file: looked up, or else computed and stored.

        Args:
            path: the file.
            pause: is called every few megabytes; may wait, or raise to give up.

        Raises:
            FilesError: it cannot be read, or has changed meanwhile.
        """
        before = _state_of(path)
        if found := self.known(path):
            return found
        digest = _digest(path, pause)
        if _state_of(path) != before:
            raise FilesError(f"{path.name}: it was changed while it was read; try again")
        self._store(str(path), _Stored(*before, digest))
        return digest

    def take_over(self, path: Path, sha256: str, size: int) -> None:
        """Store a hash that was computed while a file was received; not of one changed since.

        Raises:
            FilesError: the file cannot be read.
        """
        state = _state_of(path)
        if state[0] == size:
            self._store(str(path), _Stored(*state, sha256))

    def sample(self, path: Path) -> str:
        """`sample_of` a file, read once for each of its states.

        Raises:
            FilesError: the file cannot be read.
        """
        state = _state_of(path)
        found = self._samples.get(str(path))
        if found is None or found[:2] != state:
            found = (*state, sample_of(path))
            self._samples[str(path)] = found
        return found[2]

    def same(self, sha256: str, among: Iterable[Path]) -> Path | None:
        """The first of these files that is known to have the hash."""
        with self._lock:
            self._read()
            paths = {path for path, each in self._stored.items() if each.sha256 == sha256}
        for path in among:
            with contextlib.suppress(FilesError):
                if str(path) in paths and self.known(path) == sha256:
                    return path
        return None

    def _store(self, path: str, stored: _Stored) -> None:
        with self._lock:
            self._read()
            self._stored[path] = stored
            content = msgspec.json.encode(self._stored)
            with contextlib.suppress(FilesError):  # a full disk: it is computed again
                write_atomically(self._path, content, durable=False)

    def _read(self) -> None:
        """Read what other processes have stored."""
        try:
            found = self._path.stat()
            state = (found.st_mtime_ns, found.st_size)
            if state == self._state:
                return
            self._state = state
            read: Mapping[str, _Stored] = _DECODER.decode(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return  # missing or damaged: hashes can be computed again
        self._stored = {**self._stored, **read}


def sample_of(path: Path) -> str:
    """SHA-256 of the size of a file and its first, middle and last 64 KiB.

    Tells files apart at once, where a hash of gigabytes takes minutes; equal samples do not prove
    that files are equal.

    Raises:
        FilesError: the file cannot be read.
    """
    size, _ = _state_of(path)
    found = hashlib.sha256(str(size).encode())
    try:
        with path.open("rb") as stream:
            for start in sorted({0, max(0, (size - _BLOCK) // 2), max(0, size - _BLOCK)}):
                stream.seek(start)
                found.update(stream.read(_BLOCK))
    except OSError as error:
        raise FilesError(f"{path.name}: {error.strerror}") from error
    return found.hexdigest()


def _digest(path: Path, pause: Callable[[], None]) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                found.update(chunk)
                pause()
    except OSError as error:
        raise FilesError(f"{path.name}: {error.strerror}") from error
    return found.hexdigest()


def _state_of(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise FilesError(f"{path.name}: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns
