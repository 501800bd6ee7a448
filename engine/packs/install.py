"""Copies a pack from a folder or an archive into `custom_nodes/`. Nothing of it is executed.

What is copied is bounded, and holds regular files only: links, devices and names that lead out of
the pack are refused. Imports no torch.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from engine.errors import CalotypeError
from engine.packs.found import Pack, pack_at

_MOST_BYTES = 512 << 20
_MOST_FILES = 20_000
_CHUNK = 1 << 20
_STAGED = ".installing-"
_UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_ENDINGS = ("-main", "-master")
"""What hosts of repositories add to the name of the folder in an archive."""


class InstallError(CalotypeError):
    """A source is no pack, or must not be copied."""


class _Target:
    """Writes files below a folder; counts them and their bytes."""

    def __init__(self, folder: Path, *, most_bytes: int, most_files: int) -> None:
        self.folder, self.files, self.bytes = folder, 0, 0
        self._most_bytes, self._most_files = most_bytes, most_files

    def write(self, name: str, stream: IO[bytes]) -> None:
        parts = PurePosixPath(name).parts
        bad = not parts or any(each in {"..", "/"} or set(each) & set("\\:\0") for each in parts)
        if bad or name.startswith("/"):
            raise InstallError(f"it holds the name {name!r}, which leads out of the pack")
        if any(each.lower() == ".git" for each in parts):
            return  # settings of git name programs, which it runs in that folder
        self.files += 1
        if self.files > self._most_files:
            raise InstallError(f"it holds more than {self._most_files} files")
        path = self.folder.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                while chunk := stream.read(_CHUNK):
                    self.bytes += len(chunk)
                    if self.bytes > self._most_bytes:
                        raise InstallError(f"it holds more than {self._most_bytes >> 20} MiB")
                    out.write(chunk)
        except (FileExistsError, NotADirectoryError) as error:
            raise InstallError(f"it holds the name {name!r} twice") from error


class _Bounded:
    """A stream that raises after a number of bytes: a small file may unpack to many."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream, self._left = stream, left

    def read(self, size: int) -> bytes:
        found = self._stream.read(size)
        self._left -= len(found)
        if self._left < 0:
            raise InstallError("it unpacks to more than a pack may have")
        return found


@contextmanager
def staged(
    source: Path,
    custom_nodes: Path,
    *,
    most_bytes: int = _MOST_BYTES,
    most_files: int = _MOST_FILES,
) -> Generator[tuple[Pack, int, int]]:
    """Copy a source to a hidden folder in `custom_nodes`; it is removed at the end.

    Yields the pack, the number of its files and their bytes. `place` puts it where it belongs.

    Raises:
        InstallError: the source is no pack, or holds what must not be copied.
    """
    custom_nodes.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_STAGED, dir=custom_nodes))
    try:
        name = source.name
        for ending in (".zip", *sorted(_TARS, key=len)):
            name = name.removesuffix(ending)
        target = _Target(folder / name, most_bytes=most_bytes, most_files=most_files)
        try:
            _copy(source, target, most_bytes + most_files * 1024)
        except _UNREADABLE as error:
            raise InstallError(f"{source} cannot be read: {error}") from error
        except (InstallError, RuntimeError, NotImplementedError) as error:
            raise InstallError(f"{source} is not installed: {error}") from error
        yield _pack_in(target.folder, source), target.files, target.bytes
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place(pack: Pack, custom_nodes: Path) -> Path:
    """Move a staged pack to its place at once. Raises `InstallError` if one is there."""
    target = free_place(pack, custom_nodes)
    pack.path.rename(target)
    return target


def free_place(pack: Pack, custom_nodes: Path) -> Path:
    """Where a staged pack would lie. Raises `InstallError` if one is there."""
    name = pack.path.name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    target = custom_nodes / name
    taken = [each for each in (target, target.with_name(f"{name}.disabled")) if each.exists()]
    if taken:
        raise InstallError(f"{taken[0]} exists already; remove or rename it to install this one")
    return target


def _copy(source: Path, target: _Target, most_unpacked: int) -> None:
    if source.is_dir():
        _copy_folder(source, target)
    elif source.name.endswith(".zip"):
        with zipfile.ZipFile(source) as archive:
            for each in archive.infolist():
                if stat.S_ISLNK(each.external_attr >> 16):
                    raise InstallError(f"{each.filename!r} is a link")
                if not each.is_dir():
                    with archive.open(each) as stream:
                        target.write(each.filename, stream)
    elif source.name.endswith(_TARS):
        with _unpacked(source) as stream:
            bounded = cast("IO[bytes]", _Bounded(stream, most_unpacked))
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                for each in archive:
                    if not each.isfile() and not each.isdir():
                        raise InstallError(f"{each.name!r} is a link or no regular file")
                    inner = archive.extractfile(each) if each.isfile() else None
                    if inner is not None:
                        target.write(each.name, inner)
    else:
        raise InstallError("it is neither a folder nor a .zip or .tar.gz file")


def _unpacked(source: Path) -> IO[bytes]:
    """A stream of a tar file's content, whatever it is compressed with."""
    if source.name.endswith(".tar"):
        return source.open("rb")
    open_file = {".bz2": bz2.open, ".xz": lzma.open}.get(source.suffix, gzip.open)
    return cast("IO[bytes]", open_file(source))


def _copy_folder(source: Path, target: _Target) -> None:
    for folder, folders, names in os.walk(source):
        folders[:] = [
            each for each in folders if not each.startswith((".git", "__pycache__", _STAGED))
        ]
        for name in (*folders, *names):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                with path.open("rb") as stream:
                    target.write(path.relative_to(source).as_posix(), stream)
            elif not stat.S_ISDIR(mode):
                raise InstallError(f"{path} is a link or no regular file")


def _pack_in(folder: Path, source: Path) -> Pack:
    entries = list(folder.iterdir()) if folder.is_dir() else []
    found = entries[0] if len(entries) == 1 and entries[0].is_dir() else folder
    pack = pack_at(found) if (found / "__init__.py").is_file() else None
    if pack is None:
        raise InstallError(f"{source} is no pack: it has no __init__.py at its top")
    return pack
