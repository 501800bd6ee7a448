"""Further folders of weights and plugins, from files in the form of `extra_model_paths.yaml`.

Sections of `kind: folder` below a `base_path`. Reads the file and checks that folders exist.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from engine.errors import SettingsError

PLUGINS = "custom_nodes"


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """The content of the files.

    Attributes:
        folders: by kind of weights (`checkpoints`, `loras` ...), in the order they are searched.
        plugins: folders of plugins.
        notes: sentences on what is left out or missing.
    """

    folders: dict[str, tuple[Path, ...]] = field(default_factory=dict[str, tuple[Path, ...]])
    plugins: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def resolve_folder(path: str | Path, flag: str, *, relative_to: Path | None = None) -> Path:
    """A folder's path, with `~` and environment variables expanded.

    Args:
        path: as a user wrote it.
        flag: the flag or the place in a file that names it, for the message.
        relative_to: what a relative path counts from; None for the current folder.

    Raises:
        SettingsError: it is no path that a folder can have.
    """
    try:
        expanded = Path(os.path.expandvars(path)).expanduser()
        found = ((relative_to or Path.cwd()) / expanded).resolve()
        str(found).encode()
    except UnicodeEncodeError as error:
        raise SettingsError(
            f"{flag} {_shown(path)}: the name of the folder is not UTF-8; rename it"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"{flag} {_shown(path)}: no path of a folder: {error}") from error
    return found


def read_model_paths(paths: Sequence[Path]) -> ModelPaths:
    """Read these files; of several, the first is searched first.

    A section marked `is_default: true` is searched before all others. A folder may be a line, each
    of several lines or each item of a list; a relative `base_path` counts from the file's folder.

    Raises:
        SettingsError: a file is missing or not of that form.
    """
    first: dict[str, list[Path]] = {}
    later: dict[str, list[Path]] = {}
    notes: list[str] = []
    for path in paths:
        for name, section in _sections(path):
            entries = dict(section)
            is_default = entries.pop("is_default", False)
            if not isinstance(is_default, bool):
                raise SettingsError(f"{path}: {name}.is_default should be true or false")
            target = first if is_default else later
            for kind, folders in _folders(path, name, entries, notes):
                target.setdefault(kind, []).extend(folders)
    merged = {
        kind: tuple(dict.fromkeys(first.get(kind, []) + later.get(kind, [])))
        for kind in {**first, **later}
    }
    return ModelPaths(merged, merged.pop(PLUGINS, ()), tuple(notes))


def _sections(path: Path) -> Iterator[tuple[str, dict[Any, Any]]]:
    flag = f"--extra-model-paths-config {path}"
    try:
        document = yaml.safe_load(path.expanduser().read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{flag}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{flag}: not YAML: it is not UTF-8; save it as UTF-8") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{flag}: not YAML: {' '.join(str(error).split())}") from error
    if document is None:
        return
    if not isinstance(document, dict):
        raise SettingsError(f"{flag}: expected sections of `kind: folder`")
    for name, section in cast("dict[Any, Any]", document).items():
        if section is None:
            continue
        if not isinstance(section, dict):
            raise SettingsError(f"{path}: section {name!r} should hold lines of `kind: folder`")
        yield str(name), cast("dict[Any, Any]", section)


def _folders(
    path: Path, section: str, entries: dict[Any, Any], notes: list[str]
) -> Iterator[tuple[str, list[Path]]]:
    here = f"{path}: {section}"
    given: object = entries.pop("base_path", None)
    if given is not None and not isinstance(given, str):
        raise SettingsError(f"{here}.base_path: {given!r} is no text; put it in quotes")
    folder = path.expanduser().resolve().parent
    base = resolve_folder(given or "", f"{here}.base_path", relative_to=folder)
    if not os.path.isdir(base):  # noqa: PTH112 - Path's own raises where it may not look
        notes.append(f"{here}.base_path: there is no folder {base}")
    for kind, value in entries.items():
        if not isinstance(kind, str):
            raise SettingsError(f"{here}: {kind!r} is no kind of weights; put it in quotes")
        place = f"{here}.{kind}"
        found = [resolve_folder(line, place, relative_to=base) for line in _lines(place, value)]
        if not found:
            notes.append(f"{place} names no folder; it is left out")
        for each in found:
            if os.path.isdir(base) and not os.path.isdir(each):  # noqa: PTH112 - as above
                what = "is a file" if each.exists() else "does not exist"
                notes.append(f"{place}: {each} {what}; it is searched once it is a folder")
        yield kind, found


def _lines(place: str, value: object) -> list[str]:
    """The folders that an entry names."""
    if value is None:
        return []
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [
            line for item in items if item is not None for line in _lines(place, _text(place, item))
        ]
    return [line.strip() for line in _text(place, value).splitlines() if line.strip()]


def _text(place: str, value: object) -> str:
    if not isinstance(value, str):
        raise SettingsError(
            f"{place}: expected a folder, several lines or a list of folders, "
            f"found {value!r}; put a name like that in quotes"
        )
    return value


def _shown(path: str | Path) -> str:
    return ascii(str(path)) if not str(path).isprintable() else str(path)
