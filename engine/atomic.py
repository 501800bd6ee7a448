"""Writes a file whole or not at all, whatever ends the program meanwhile. Knows no folders."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from engine.errors import FilesError


def write_atomically(path: Path, content: bytes, *, replace: bool = True) -> bool:
    """Put a file where it is to be, its folders too.

    Args:
        path: the file.
        content: all of it.
        replace: whether a file that is there may be replaced.

    Returns:
        False where a file was there and was kept.

    Raises:
        FilesError: it cannot be written; the message names the file without its folder.
    """
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        settled = settle(part, path, replace=replace)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise FilesError(f"{path.name}: cannot be written: {error.strerror}") from error
    part.unlink(missing_ok=True)
    return settled


def settle(part: Path, path: Path, *, replace: bool) -> bool:
    """Give a finished file its name; False where another has it and stays.

    Raises:
        OSError: the disk refused.
    """
    if replace:
        part.replace(path)
    else:
        try:
            os.link(part, path)
        except FileExistsError:
            return False
        part.unlink()
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return True
