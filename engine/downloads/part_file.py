"""The unfinished file of a download: appended to, hashed, checked, and given its name at the end.

Every call waits for the disk. A lock that the system releases with the process keeps two processes
from one file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.atomic import flush, flush_folder, make_folder, publish, refusals
from engine.errors import FilesError
from engine.tensor_header import HEADER_LIMIT, LENGTH_BYTES

_BLOCK = 1 << 20
_LOCKED_BYTE = 1 << 62
_GGUF = b"GGUF"
_PAGE = (b"<!doctype", b"<html")


class WrongContentError(FilesError):
    """What was received is not the file that was asked for, so it is deleted."""


class PartFile:
    """An open unfinished file.

    Attributes:
        size: bytes that it holds.
    """

    def __init__(self, path: Path, *, keep: int) -> None:
        """Open it, or begin it, with its folder.

        Args:
            path: of the unfinished file.
            keep: how many of its bytes are to be used; what follows is cut off.

        Raises:
            DiskError: the disk refused.
            FilesError: another process downloads it, or the path is not that of a plain file.
        """
        self.path = path
        with refusals(path.name):
            make_folder(path.parent)
            flags = (
                os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            )
            self._stream = os.fdopen(os.open(path, flags, 0o644), "r+b", buffering=0)
        try:
            found = os.fstat(self._stream.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise FilesError(f"{path.name}: there is something else under this name; remove it")
            if not _lock(self._stream.fileno()):
                raise FilesError(f"{path.name}: another process is downloading this file")
            self.size = min(keep, found.st_size)
            with refusals(path.name):
                self._stream.truncate(self.size)
                self._stream.seek(self.size)
        except BaseException:
            self._stream.close()
            raise
        self._hash = hashlib.sha256()
        self._hashed = 0

    def restart(self) -> None:
        """Drop what was received."""
        with refusals(self.path.name):
            self._stream.truncate(0)
            self._stream.seek(0)
        self.size = self._hashed = 0
        self._hash = hashlib.sha256()

    def hash_more(self) -> bool:
        """Hash the next part of what an earlier process received; whether there is more to hash."""
        with refusals(self.path.name):
            self._stream.seek(self._hashed)
            until = min(self.size, self._hashed + 64 * _BLOCK)
            while self._hashed < until:
                block = self._stream.read(min(_BLOCK, until - self._hashed))
                if not block:
                    raise FilesError(f"{self.path.name}: the file became shorter meanwhile")
                self._hash.update(block)
                self._hashed += len(block)
            self._stream.seek(self.size)
        return self._hashed < self.size

    def append(self, content: bytes | bytearray) -> None:
        """Write the next bytes.

        Raises:
            DiskError: the disk is full, or refused; `size` says what is there.
        """
        view = memoryview(content)
        with refusals(self.path.name):
            while view:
                written = self._stream.write(view)
                self._hash.update(view[:written])
                self._hashed += written
                self.size += written
                view = view[written:]

    def sync(self) -> int:
        """Put what was written on the disk for certain; returns how much that is."""
        if not self._stream.closed:
            with refusals(self.path.name):
                flush(self._stream)
        return self.size

    def sha256(self) -> str:
        """Of the whole file, which has been hashed completely."""
        return self._hash.hexdigest()

    def publish(self, target: Path) -> None:
        """Give the complete file its name.

        Raises:
            FilesError: the name is taken.
            DiskError: the disk refused.
        """
        self.sync()
        self.close()  # Windows renames no open file
        with refusals(target.name):
            if not publish(self.path, target, replace=False):
                raise FilesError(
                    f"{target}: a file of this name has come up meanwhile. It was not replaced; "
                    "rename or delete one of the two"
                )

    def close(self) -> None:
        """Close it; it stays. May be called again."""
        self._stream.close()

    def delete(self) -> None:
        """Close and delete it."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
            flush_folder(self.path.parent)


def check_format(path: Path, suffix: str) -> None:
    """Refuse a file whose first bytes are not those of its format, such as a host's error page.

    Raises:
        WrongContentError: says what was found.
    """
    check = _CHECKS.get(suffix, _check_no_page)
    with refusals(path.name):
        found = check(path)
    if found is not None:
        raise WrongContentError(f"this is no {suffix} file: {found}. It was deleted")


def _check_safetensors(path: Path) -> str | None:
    """The loader checks the whole header; decoding it may take more memory than a server has."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        prefix, first = stream.read(LENGTH_BYTES), stream.read(1)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < LENGTH_BYTES or first != b"{":
        return f"it begins with {prefix + first!r}, expected the length of a header and the header"
    if length > HEADER_LIMIT or LENGTH_BYTES + length > size:
        return f"its header claims {length:,} bytes, and the file has {size:,}"
    return None


def _check_gguf(path: Path) -> str | None:
    with path.open("rb") as stream:
        found = stream.read(4)
    return None if found == _GGUF else f"it begins with {found!r}, expected {_GGUF!r}"


def _check_no_page(path: Path) -> str | None:
    with path.open("rb") as stream:
        found = stream.read(64).lstrip().lower()
    return "it is a web page" if found.startswith(_PAGE) else None


_CHECKS: Mapping[str, Callable[[Path], str | None]] = {
    ".safetensors": _check_safetensors,
    ".sft": _check_safetensors,
    ".gguf": _check_gguf,
}


def _lock(descriptor: int) -> bool:
    """Take the lock of a file; False where another process has it.

    Some network shares have no locks: there two processes are not kept apart.
    """
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - there is none elsewhere

            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - there is none on Windows

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True
