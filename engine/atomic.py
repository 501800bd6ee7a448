"""Writes files atomically: whole or not at all, even if the program crashes or the power fails.

Every durable write goes through here: a hidden `.part` next to the target, its bytes flushed to
the disk, an atomic rename, the folder flushed. Works where hard links are refused (exFAT, many
network shares).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.errors import DiskError, FilesError

_MOST_NAME = 200
"""Bytes of a target's name in the name of its part; file systems allow 255."""
_PART, _CLAIM = ".part", ".claim.part"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENXIO, errno.ENODEV})
_CANNOT_FLUSH = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def write_atomically(
    path: Path, content: bytes, *, replace: bool = True, durable: bool = True
) -> bool:
    """Write a file, and the folders it needs.

    Args:
        path: the file.
        content: all of it.
        replace: whether an existing file may be replaced.
        durable: whether it must survive a power cut.

    Returns:
        False where a file existed and was not replaced.

    Raises:
        DiskError: the disk refused; nothing has changed.
        FilesError: the path cannot be that of a file.
    """
    return stream_atomically(
        path, lambda stream: stream.write(content), replace=replace, durable=durable
    )


def stream_atomically(
    path: Path,
    write: Callable[[BinaryIO], object],
    *,
    replace: bool = True,
    durable: bool = True,
) -> bool:
    """The same for a content that is made while it is written.

    Whatever `write` raises passes through, and nothing has changed.
    """
    with refusals(path.name):
        make_folder(path.parent, durable=durable)
        part = part_beside(path)
        try:
            with part.open("xb") as stream:
                write(stream)
                if durable:
                    flush(stream)
            return publish(part, path, replace=replace, durable=durable)
        finally:
            # Published or not, it is no longer needed; a disk that fails here has failed before.
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def part_beside(path: Path) -> Path:
    """A new hidden name next to a file, for its content until it is published."""
    return _hidden(path, f".{secrets.token_hex(4)}{_PART}")


def publish(part: Path, path: Path, *, replace: bool, durable: bool = True) -> bool:
    """Give a finished file its name; False where the name is taken and may not be replaced.

    Raises:
        OSError: the disk refused. `part` is where it was.
    """
    if replace:
        part.replace(path)
    elif not _publish_new(part, path):
        return False
    if durable:
        flush_folder(path.parent)
    return True


def rename(source: Path, target: Path, *, replace: bool) -> bool:
    """Give a file another name, perhaps in another folder; False where the name is taken.

    Raises:
        DiskError: the disk refused; the file has the one name or the other.
        FilesError: the target cannot be the path of a file.
    """
    with refusals(target.name):
        make_folder(target.parent)
        # Where capitals make no difference, `a` and `A` are one file.
        same = target.exists() and source.samefile(target)
        if not publish(source, target, replace=replace or same):
            return False
        if source.parent != target.parent:
            flush_folder(source.parent)
    return True


def make_folder(folder: Path, *, durable: bool = True) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        OSError: the disk refused, or one of them is a file.
    """
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        if folder == folder.parent:
            break
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        if durable:
            flush_folder(each.parent)


def flush(stream: BinaryIO) -> None:
    """Flush what was written to a file to the disk."""
    stream.flush()
    with _where_supported():
        os.fsync(stream.fileno())


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk. Windows does so by itself."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with _where_supported():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def interrupted_claim(part: Path) -> Path | None:
    """The empty file that a crash left under its final name while `part` was to become it."""
    if not part.name.endswith(_CLAIM):
        return None
    target = part.with_name(part.name[1 : -len(_CLAIM)])
    try:
        return target if target.stat().st_size == 0 else None
    except OSError:
        return None


@contextmanager
def refusals(name: str) -> Generator[None]:
    """Turn what the system refuses into a sentence about the file of that name.

    Raises:
        DiskError: the disk is full, read-only or broken.
        FilesError: the path cannot be that of a file.
    """
    try:
        yield
    except OSError as error:
        raise refusal(name, error) from error


def refusal(name: str, error: OSError) -> FilesError:
    """The sentence for what the system refused to do with a file."""
    shown = name.encode("utf-8", "replace").decode()[:_MOST_NAME]
    if error.errno in _NO_SPACE:
        return DiskError(
            f"{shown}: the disk is full ({error.strerror}); free some space and try again",
            full=True,
        )
    if error.errno == errno.ENAMETOOLONG:
        return FilesError(f"{shown}: the name is too long; choose a shorter one")
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return FilesError(
            f"{shown}: a part of the path is a file, not a folder; rename one of them"
        )
    if error.errno == errno.EISDIR:
        return FilesError(f"{shown}: a folder has that name; choose another name")
    text = f"{shown}: the disk refused: {error.strerror or type(error).__name__}"
    return DiskError(text) if error.errno in _REFUSED else FilesError(text)


def _publish_new(part: Path, path: Path) -> bool:
    """Give a file a name that is not taken."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:
        # No hard links here. Any other error comes up again when the name is claimed.
        return _claim(part, path)
    part.unlink()
    return True


def _claim(part: Path, path: Path) -> bool:
    """The same without hard links: an empty file takes the name, and is replaced immediately.

    A marker next to it records this, in case of a crash in between.
    """
    mark = _hidden(path, _CLAIM)
    mark.touch()
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        try:
            part.replace(path)
        except OSError:
            path.unlink()
            raise
    except FileExistsError:
        return False
    finally:
        mark.unlink(missing_ok=True)
    return True


def _hidden(path: Path, suffix: str) -> Path:
    name = path.name.encode("utf-8", "surrogateescape")[:_MOST_NAME].decode("utf-8", "ignore")
    return path.with_name(f".{name}{suffix}")


@contextmanager
def _where_supported() -> Generator[None]:
    """Some network shares cannot flush; they have done what they can."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
