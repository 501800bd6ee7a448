"""Extensions of the editor by plugins: a declaration, and pages that run isolated.

A plugin's folder may hold `calotype.json`: widgets, renderers, commands and settings, each named
and described there and nowhere else. Pages are single HTML files. No Python of a plugin is loaded;
the declaration is read for each request, so that an author sees a change at the next reload.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

DECLARATION = "calotype.json"
VERSION = 1
MOST_DECLARED = 256 << 10
"""Bytes of a declaration."""
MOST_PAGE = 4 << 20
"""Bytes of a page, or of a workflow that a command puts down."""
TALLEST = 2000
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; media-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""The Content-Security-Policy of a page: an origin of its own, no requests, no other files."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input of one class of nodes."""

    node: str
    input: str


class Widget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page in the place of an input's field.

    Attributes:
        inputs: the inputs it is for; `types`: or all inputs of these socket types.
        height: pixels on the node.
    """

    id: str
    title: str
    page: str
    inputs: tuple[Target, ...] = ()
    types: tuple[str, ...] = ()
    height: int = 120


class Renderer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page that shows results of these media types; `text/plain` is a node's text."""

    id: str
    title: str
    page: str
    types: tuple[str, ...]
    height: int = 240


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command: puts a saved workflow's nodes down (`insert`), or opens a page."""

    id: str
    title: str
    keys: tuple[str, ...] = ()
    insert: str | None = None
    page: str | None = None
    height: int = 360


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A setting; its pages are given the value. `why` is shown next to it."""

    id: str
    title: str
    why: str
    kind: Literal["toggle", "choice", "number", "text"]
    standard: bool | int | float | str
    choices: dict[str, str] = {}
    min: float = 0
    max: float = 100
    step: float = 1


class Declaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole `calotype.json`."""

    api: int
    name: str
    version: str = ""
    description: str = ""
    widgets: tuple[Widget, ...] = ()
    renderers: tuple[Renderer, ...] = ()
    commands: tuple[Action, ...] = ()
    settings: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Extension:
    """A plugin's folder with what it declares, or why that cannot be used."""

    pack: str
    folder: Path
    declared: Declaration | None
    error: str | None = None


def find_extensions(
    folders: Sequence[Path], only: Collection[str] | None = None
) -> list[Extension]:
    """Every plugin with a declaration, by name; a broken one has its error and affects no other.

    Args:
        folders: where plugins are.
        only: names of the plugins to include; None for all.
    """
    found: dict[str, Extension] = {}
    for folder in folders:
        for path in _declarations(folder):
            pack = path.parent.name
            if pack not in found and (only is None or pack in only):
                found[pack] = _read(pack, path)
    return sorted(found.values(), key=lambda each: each.pack)


def page_of(extension: Extension, name: str) -> Path | None:
    """The file of a page or workflow that the plugin declares; None for any other name."""
    if extension.declared is None or name not in _files(extension.declared):
        return None
    return extension.folder / name


def described(extension: Extension) -> dict[str, Any]:
    """What the editor receives."""
    if extension.declared is None:
        return {"pack": extension.pack, "error": extension.error}
    return {"pack": extension.pack, **msgspec.to_builtins(extension.declared)}


def _declarations(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        path = entry / DECLARATION
        if not entry.name.startswith(".") and _NAME.fullmatch(entry.name) and path.is_file():
            yield path


def _read(pack: str, path: Path) -> Extension:
    try:
        if path.stat().st_size > MOST_DECLARED:
            raise ValueError(f"it is larger than {MOST_DECLARED} bytes")
        declared = msgspec.json.decode(path.read_bytes(), type=Declaration)
        _check(declared, path.parent)
    except (OSError, ValueError) as error:
        return Extension(pack, path.parent, None, f"{pack}/{DECLARATION}: {error}")
    return Extension(pack, path.parent, declared)


def _check(declared: Declaration, folder: Path) -> None:
    """Check what the types cannot express.

    Raises:
        ValueError: with what is wrong and what would be right.
    """
    if declared.api != VERSION:
        raise ValueError(f"api is {declared.api}; this Calotype understands {VERSION}")
    parts = (*declared.widgets, *declared.renderers, *declared.commands, *declared.settings)
    names = [each.id for each in parts]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"id {name!r}: use letters, digits, '.', '_' and '-'")
        if names.count(name) > 1:
            raise ValueError(f"id {name!r} is used twice")
    for each in (*declared.widgets, *declared.renderers, *declared.commands):
        if not 24 <= each.height <= TALLEST:
            raise ValueError(f"{each.id}: height is {each.height}; say 24 to {TALLEST}")
    for command in declared.commands:
        if (command.insert is None) == (command.page is None):
            raise ValueError(f"{command.id}: a command says either insert or page")
    for setting in declared.settings:
        _check_setting(setting)
    for name in _files(declared):
        if not _NAME.fullmatch(name) or not name.endswith((".html", ".json")):
            raise ValueError(f"{name!r}: name a .html or .json file beside {DECLARATION}")
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{name}: there is no such file beside {DECLARATION}")
        if path.stat().st_size > MOST_PAGE:
            raise ValueError(f"{name}: is larger than {MOST_PAGE} bytes")


def _check_setting(setting: Choice) -> None:
    """Check for values that no field of the settings could show.

    Raises:
        ValueError: with what is wrong and what would be right.
    """
    name, standard = setting.id, setting.standard
    if setting.kind == "toggle" and not isinstance(standard, bool):
        raise ValueError(f"{name}: standard of a toggle is {standard!r}; say true or false")
    if setting.kind == "text" and not isinstance(standard, str):
        raise ValueError(f"{name}: standard of a text is {standard!r}; put it into quotes")
    if setting.kind == "choice" and standard not in setting.choices:
        raise ValueError(f"{name}: standard is {standard!r}, which is none of its choices")
    if setting.kind != "number":
        return
    if isinstance(standard, bool | str) or not setting.min <= standard <= setting.max:
        between = f"a number from {setting.min} to {setting.max}"
        raise ValueError(f"{name}: standard is {standard!r}; say {between}")
    if setting.step <= 0:
        raise ValueError(f"{name}: step is {setting.step}; say more than 0")


def _files(declared: Declaration) -> set[str]:
    pages = {each.page for each in (*declared.widgets, *declared.renderers)}
    for command in declared.commands:
        pages |= {command.insert or command.page or ""}
    return pages
