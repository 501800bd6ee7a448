"""What the facade knows of the process it is in: settings, folders, and whom to tell of changes.

Set once by the worker before the first plugin loads; anywhere else the defaults hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.files import Files
from engine.settings import Settings

Validation = tuple[bool, dict[str, Any] | None, list[str], dict[str, Any]]
"""Whether something can run, the prompt's error, the outputs that can run, and nodes' errors."""
Folders = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""By kind, the folders in the order they are searched, and the suffixes listed (none: all)."""


def unchecked(prompt: Any, outputs: Any) -> Validation:
    """The answer where no catalog is at hand: every node that was asked for may run."""
    return True, None, list(outputs or prompt), {}


@dataclass(slots=True)
class Host:
    """The process that plugins run in.

    Attributes:
        settings: the user's choices.
        files: the user's folders; told of what plugins change about them.
        on_folders_changed: called with all kinds that differ from the settings.
        validate: checks a prompt, whose outputs to run may be named.
    """

    settings: Settings
    files: Files
    on_folders_changed: Callable[[Folders], None] = lambda _: None
    validate: Callable[[Any, Any], Validation] = unchecked
    changed: Folders = field(default_factory=dict[str, tuple[tuple[str, ...], tuple[str, ...]]])

    def change_folders(self, changed: Folders) -> bool:
        """Take over what plugins declared; returns whether it is new, and tells so."""
        if changed == self.changed:
            return False
        self.changed = dict(changed)
        self.files.change_folders(changed)
        self.on_folders_changed(changed)
        return True


_host: list[Host] = []


def start(
    settings: Settings,
    files: Files,
    *,
    on_folders_changed: Callable[[Folders], None] = lambda _: None,
    validate: Callable[[Any, Any], Validation] = unchecked,
) -> Host:
    """Set this process's host; a worker does so before it loads plugins."""
    _host[:] = [Host(settings, files, on_folders_changed, validate)]
    return _host[0]


def host() -> Host:
    """This process's host, made from default settings where none was set."""
    if not _host:
        settings = Settings()
        start(settings, Files(settings))
    return _host[0]
