"""Files that plugins bring for browsers: scripts, translations, example workflows.

Read for each request, so that an author sees a change at the next reload. Nothing outside of a
plugin's folder is listed or found, links included.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from engine.packs.found import Pack
from engine.paths import BadNameError, inside, is_sendable
from engine.server.answers import is_object
from engine.wire.pack_messages import PackReport

LOCALES = "locales"
TEMPLATES = ("example_workflows", "example", "examples", "workflow", "workflows")
"""Folders of example workflows, in the order they are searched."""
MOST_SCRIPTS = 20_000
LARGEST_LOCALE = 4 << 20
"""Bytes of a file of translations."""
_MAIN = "main"
_PARTS = (_MAIN, "nodeDefs", "commands", "settings")
_LOGGER = logging.getLogger(__name__)


def web_folders(reports: Iterable[PackReport], packs: Sequence[Pack]) -> dict[str, Path]:
    """The folders of plugins' browser files, by their name in URLs.

    A folder that does not lie in its plugin's own is left out.
    """
    places = {pack.name: Path(os.path.realpath(pack.path)) for pack in packs if not pack.is_file}
    found: dict[str, Path] = {}
    for report in reports:
        place = places.get(report.name)
        for name, folder in report.web.items():
            real = Path(os.path.realpath(folder))
            if place is not None and real.is_relative_to(place) and name and "/" not in name:
                found.setdefault(name, real)
    return found


def list_scripts(folders: Mapping[str, Path]) -> list[str]:
    """The addresses of all JavaScript files in these folders."""
    found: list[str] = []
    for name, folder in sorted(folders.items()):
        # A link may lead out of the folder.
        scripts = sorted(each for each in _walk(folder, ".js") if find_file(folder, each))
        found += [f"/extensions/{quote(name)}/{quote(each)}" for each in scripts]
    return found[:MOST_SCRIPTS]


def find_file(folder: Path, name: str) -> Path | None:
    """A file below a folder; None where there is none, it is hidden, or it lies outside."""
    try:
        path = Path(os.path.realpath(inside(folder, name)))
    except (BadNameError, OSError, ValueError):
        return None
    real = Path(os.path.realpath(folder))
    if not path.is_relative_to(real):
        return None
    parts = path.relative_to(real).parts
    if any(part.startswith(".") for part in (*parts, *name.split("/"))):
        return None
    try:
        return path if path.is_file() else None
    except OSError:
        return None


def translations(packs: Iterable[Pack]) -> dict[str, Any]:
    """The translations of plugins, by language; a later plugin's words come over an earlier one's.

    `main.json` is the language's own object, `nodeDefs.json` and the others are in it by name.
    """
    found: dict[str, Any] = {}
    for pack in packs:
        if pack.is_file:
            continue
        for language in _names(pack.path / LOCALES):
            for part in _PARTS:
                said = _locale(pack.path / LOCALES / language / f"{part}.json")
                if said:
                    _merge(found, {language: said if part == _MAIN else {part: said}})
    return found


def template_names(packs: Iterable[Pack]) -> dict[str, list[str]]:
    """The names of the example workflows of each plugin that has some."""
    found: dict[str, list[str]] = {}
    for pack in packs:
        names = {
            name.removesuffix(".json")
            for folder in _template_folders(pack)
            for name in _names(folder)
            if name.endswith(".json") and find_file(folder, name) is not None
        }
        if names:
            found[pack.name] = sorted(names)
    return found


def find_template(packs: Iterable[Pack], name: str, file: str) -> Path | None:
    """A file beside a plugin's example workflows, or one of these; None where there is none."""
    pack = next((each for each in packs if each.name == name), None)
    for folder in _template_folders(pack) if pack is not None else ():
        if (path := find_file(folder, file)) is not None:
            return path
    return None


def _template_folders(pack: Pack) -> Iterator[Path]:
    for name in TEMPLATES:
        folder = pack.folder_inside(name)
        if folder is not None:
            yield folder


def _locale(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_LOCALE:
            raise ValueError(f"it is larger than {LARGEST_LOCALE} bytes")
        found = msgspec.json.decode(path.read_bytes())
        if not is_object(found):
            raise ValueError("it is no JSON object")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        _LOGGER.warning("%s: the translations cannot be read: %s", path, error)
        return {}
    return found


def _merge(target: dict[str, Any], added: Mapping[str, Any]) -> None:
    pending: list[tuple[dict[str, Any], Mapping[str, Any]]] = [(target, added)]
    while pending:
        into, given = pending.pop()
        for key, value in given.items():
            before = into.get(key)
            if is_object(before) and is_object(value):
                pending.append((before, value))
            else:
                into[key] = value


def _walk(folder: Path, suffix: str) -> Iterator[str]:
    for current, inner, files in os.walk(folder):
        inner[:] = [each for each in inner if not each.startswith(".")]
        below = Path(current).relative_to(folder)
        for name in files:
            if name.endswith(suffix) and not name.startswith(".") and is_sendable(name):
                yield (below / name).as_posix()


def _names(folder: Path) -> list[str]:
    try:
        found = [each.name for each in folder.iterdir()]
    except OSError:
        return []
    return sorted(name for name in found if not name.startswith(".") and is_sendable(name))
