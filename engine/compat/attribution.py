"""Tells which plugin is calling: by the files on the stack."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

_folders: list[str] = []
"""Folders that hold plugins, each with a separator at its end."""


def set_plugin_folders(folders: Iterable[Path]) -> None:
    """Say where plugins lie; the name of a plugin is the first part of a path below one of them."""
    spelled = [os.path.realpath(each) for each in folders]
    spelled += [os.path.abspath(each) for each in folders]  # noqa: PTH100 - links stay links
    _folders[:] = dict.fromkeys(each.rstrip(os.sep) + os.sep for each in spelled)


def plugin_of_file(path: str) -> str | None:
    """The name of the plugin that a source file belongs to; None if it is not a plugin's."""
    for folder in _folders:
        if path.startswith(folder):
            return path[len(folder) :].split(os.sep, 1)[0].removesuffix(".py")
    return None


def plugin_on_stack() -> str | None:
    """The name of the plugin whose code called the current function, the innermost; or None."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to the stack without copying it
    while frame is not None:
        found = plugin_of_file(frame.f_code.co_filename)
        if found is not None:
            return found
        frame = frame.f_back
    return None
