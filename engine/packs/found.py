"""The packs on disk: folders and files in `custom_nodes/`. Nothing of a pack is executed here."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from engine.settings import Settings

DISABLED = ".disabled"
"""The end of a name that users give a pack they do not want."""
_ENTRY = "__init__.py"
_COUNTED = (".py", ".toml", ".txt", ".cfg", ".so", ".pyd")
"""Files whose change may change how a pack loads."""
_MOST_FILES = 20_000
_MOST_TEXT = 1 << 20


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack as it lies on disk.

    Attributes:
        name: of its folder or file, without `.py` and `.disabled`.
        path: of its folder or file.
        is_file: whether it is a single module.
        is_disabled: whether the user has renamed it to `*.disabled`.
        project: `name`, `version` and `dependencies` of its `pyproject.toml`.
        tool: its `[tool.comfy]` table.
    """

    name: str
    path: Path
    is_file: bool
    is_disabled: bool
    project: dict[str, Any]
    tool: dict[str, Any]

    @property
    def version(self) -> str:
        """As its `pyproject.toml` says, or an empty text."""
        return _text(self.project.get("version"))

    @property
    def display_name(self) -> str:
        """What to call it before a user."""
        return _text(self.tool.get("DisplayName")) or self.name

    @property
    def web(self) -> Path | None:
        """The folder that `[tool.comfy] web` names, if there is one inside of the pack."""
        return self.folder_inside(_text(self.tool.get("web")))

    @property
    def entry(self) -> Path:
        """The file that is imported; it may be missing."""
        return self.path if self.is_file else self.path / _ENTRY

    def folder_inside(self, relative: str) -> Path | None:
        """A folder of the pack, or None where there is none or it lies outside."""
        if self.is_file or not relative:
            return None
        found = Path(os.path.realpath(self.path / relative))
        inside = found.is_relative_to(os.path.realpath(self.path))
        return found if inside and found.is_dir() else None

    def requirements(self) -> tuple[str, ...]:
        """The lines of its `requirements.txt`, options left out; else its project's dependencies.

        Where both exist, users install the file, and what the project says is often out of date.
        """
        if self.is_file:
            return ()
        file = self.path / "requirements.txt"
        if file.is_file():
            stripped = [line.split(" #")[0].strip() for line in _read(file).splitlines()]
            wanted = [line for line in stripped if line and not line.startswith(("#", "-"))]
        else:
            listed: object = self.project.get("dependencies")
            found = cast("list[Any]", listed) if isinstance(listed, list) else []
            wanted = [each for each in found if isinstance(each, str)]
        return tuple(dict.fromkeys(wanted))

    def fingerprint(self) -> str:
        """Changes when a file changes that may decide how it loads."""
        found = hashlib.sha256()
        for path in _files(self.path):
            try:
                state = path.stat()
            except OSError:
                continue
            found.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\0".encode(errors="replace"))
        return found.hexdigest()[:32]


def find_packs(settings: Settings) -> list[Pack]:
    """All packs, the disabled ones too, in alphabetical order; of one name the first folder's.

    Directories are searched in their order. Hidden entries, caches and folders without Python are
    no packs.
    """
    found: dict[str, Pack] = {}
    for directory in settings.custom_nodes_directories:
        for pack in packs_in(directory):
            taken = found.get(pack.name)
            if taken is None or (taken.is_disabled and not pack.is_disabled):
                found[pack.name] = pack
    return sorted(found.values(), key=lambda pack: (pack.name.lower(), pack.name))


def has_packs(settings: Settings) -> bool:
    """Whether there is any pack, disabled or not."""
    return any(True for folder in settings.custom_nodes_directories for _ in packs_in(folder))


def wanted_packs(settings: Settings) -> list[Pack]:
    """Those that a start may load: not disabled by name, and none that flags leave out."""
    only = settings.plugins
    if only is not None and not only:
        return []
    return [
        pack
        for pack in find_packs(settings)
        if not pack.is_disabled and (only is None or pack.name in only or pack.path.name in only)
    ]


def packs_in(directory: Path) -> Iterator[Pack]:
    """The packs in one directory, in alphabetical order; none where it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            listed = sorted(entries, key=lambda entry: (entry.name.lower(), entry.name))
    except OSError:
        return  # there is no such folder, or it may not be read
    for entry in listed:
        pack = pack_at(Path(entry.path))
        if pack is not None:
            yield pack


def pack_at(path: Path) -> Pack | None:
    """The pack that a folder or file is, or None."""
    # A name that is not valid UTF-8 is told with replacement characters, as it arrives anywhere.
    name = os.fsencode(path.name).decode("utf-8", "replace")
    is_disabled = name.lower().endswith(DISABLED)
    name = name[: -len(DISABLED)] if is_disabled else name
    if not name or name.startswith((".", "__")):
        return None
    if not path.is_dir():
        stem = name.removesuffix(".py")
        return None if stem in ("", name) else Pack(stem, path, True, is_disabled, {}, {})
    if not _has_python(path):
        return None
    document = _toml(path / "pyproject.toml")
    tool = _table(_table(document.get("tool")).get("comfy"))
    return Pack(name, path, False, is_disabled, _table(document.get("project")), tool)


def _has_python(folder: Path) -> bool:
    """Whether it, or a folder in it, is a package: then it is, or was meant to be, a pack."""
    if (folder / _ENTRY).is_file():
        return True
    try:
        with os.scandir(folder) as entries:
            inner = [entry.path for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return False
    return any(os.path.isfile(os.path.join(each, _ENTRY)) for each in inner)  # noqa: PTH113, PTH118


def misplaced_package(pack: Pack) -> Path | None:
    """The package in a pack that is none: it was copied one folder too deep."""
    if pack.is_file or pack.entry.is_file():
        return None
    return next(iter(sorted(each.parent for each in pack.path.glob(f"*/{_ENTRY}"))), None)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    count = 0
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(
            each for each in folders if not each.startswith((".", "__pycache__", "node_modules"))
        )
        for name in sorted(names):
            if name.endswith(_COUNTED):
                count += 1
                if count > _MOST_FILES:
                    return
                yield Path(folder, name)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_MOST_TEXT).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def requirements_naming(pack: Pack, names: Sequence[str]) -> str | None:
    """The line of its requirements for one of these distributions, or None."""
    wanted = {_normal(name) for name in names}
    for line in pack.requirements():
        head = line.split(";")[0]
        for mark in "[<>=!~@ ":
            head = head.split(mark)[0]
        if _normal(head) in wanted:
            return line.split(";")[0].strip()
    return None


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")
