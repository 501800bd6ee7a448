"""Shortens paths in errors that browsers receive: below the folder's own name, not from the root.

A user of the page need not learn where files are on the machine. The log in the terminal has the
full paths.
"""

from __future__ import annotations

import os
import re
import site
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.settings import ROOT, Settings
from engine.wire.messages import AnyEvent, Blocked, Failed


class ShortPaths:
    """Writes `output/x.png` for `/home/me/calotype/user/output/x.png`."""

    def __init__(self, settings: Settings) -> None:
        names: dict[str, str] = {}
        for path, name in _folders(settings):
            for form in (str(path), os.path.realpath(path)):
                if len(form) > 1:  # never the root itself
                    names.setdefault(form.rstrip(os.sep), name)
        self._names = names
        longest = sorted(names, key=len, reverse=True)
        ends = r"(?=[/\\]|$|[\s'\":,;)\]])"
        self._pattern = re.compile("(?:" + "|".join(map(re.escape, longest)) + ")" + ends)

    def text(self, text: str) -> str:
        """A text with its paths shortened."""
        return self._pattern.sub(lambda found: self._names[found[0]], text)

    def event(self, event: AnyEvent) -> AnyEvent:
        """An event whose texts go to browsers and into history."""
        if isinstance(event, Blocked):
            return msgspec.structs.replace(event, message=self.text(event.message))
        if isinstance(event, Failed):
            lines = tuple(self.text(line) for line in event.traceback)
            message = self.text(event.message)
            return msgspec.structs.replace(event, message=message, traceback=lines)
        return event


def _folders(settings: Settings) -> Iterator[tuple[Path, str]]:
    """The folders that have names, those within others first where both are one."""
    yield settings.output_directory, "output"
    yield settings.input_directory, "input"
    yield settings.temp_directory, "temp"
    for kind, folders in settings.model_folders.items():
        for folder in folders:
            yield folder, kind
    for folder in settings.models_directories:
        yield folder, "models"
    for folder in settings.custom_nodes_directories:
        yield folder, "custom_nodes"
    yield settings.user_directory, "user"
    yield ROOT, "calotype"
    for packages in site.getsitepackages():
        yield Path(packages), "packages"
    for prefix in (sys.prefix, sys.base_prefix):
        yield Path(prefix), "python"
    yield Path.home(), "~"
