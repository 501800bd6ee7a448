"""What an imported pack brings: classes, their display names, folders of browser files."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.compat.pack_modules import entry_point_nodes
from engine.packs.found import Pack


@dataclass(slots=True)
class Contents:
    """What one pack brings.

    Attributes:
        classes: V1 and V3 classes by the names the pack gives them.
        display_names: by class name.
        web: folders of browser files: name in the URL to path.
        left_out: classes that cannot be read, and why.
        warnings: sentences on what is ignored.
    """

    classes: dict[str, Any] = field(default_factory=dict[str, Any])
    display_names: dict[str, str] = field(default_factory=dict[str, str])
    web: dict[str, str] = field(default_factory=dict[str, str])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    warnings: list[str] = field(default_factory=list[str])


class HostMappings:
    """The mutable tables of the host's module `nodes` that packs write into themselves."""

    def __init__(self, host: ModuleType) -> None:
        self.classes: dict[str, Any] = host.NODE_CLASS_MAPPINGS
        self.display_names: dict[str, str] = host.NODE_DISPLAY_NAME_MAPPINGS
        self._web: dict[str, str] = getattr(host, "EXTENSION_WEB_DIRS", {})
        self._builtin = dict(self.classes)
        self._before: tuple[dict[str, Any], dict[str, str]] = ({}, {})

    def begin(self) -> None:
        """A pack is imported next."""
        self._before = (dict(self.classes), dict(self._web))

    def collect(self, pack: Pack, contents: Contents) -> None:
        """Add what the pack wrote since `begin`, and undo what it did to built-in nodes."""
        classes, web = self._before
        for name, found in [*self.classes.items()]:
            if classes.get(name) is not found and name not in self._builtin:
                contents.classes.setdefault(name, found)
                if name in self.display_names:
                    contents.display_names.setdefault(name, self.display_names[name])
        for name, built_in in self._builtin.items():
            if self.classes.get(name) is not built_in:
                self.classes[name] = built_in
                contents.warnings.append(f"{name} is a built-in node and was not replaced")
        for name, folder in self._web.items():
            if web.get(name) != folder:
                _add_web(pack, contents, name, Path(folder))

    def restore(self) -> None:
        """Undo what a pack wrote since `begin` whose import failed."""
        classes, web = self._before
        for table, before in ((self.classes, classes), (self._web, web)):
            table.clear()
            table.update(before)

    def unlisted(self, listed: Collection[str]) -> dict[str, Any]:
        """The classes that no pack has brought in its own import."""
        return {
            name: found
            for name, found in self.classes.items()
            if name not in listed and name not in self._builtin
        }

    def publish(self, contents: Contents) -> None:
        """Make a pack's classes and browser files visible to the packs that are imported later."""
        for name, found in contents.classes.items():
            if name not in self._builtin:
                self.classes[name] = found
                if name in contents.display_names:
                    self.display_names[name] = contents.display_names[name]
        self._web.update(contents.web)


def read_contents(pack: Pack, module: ModuleType) -> Contents:
    """Read a pack's module. Whatever its entry point raises passes through.

    Raises:
        TypeError: `NODE_CLASS_MAPPINGS` or the entry point gives something else than classes.
    """
    contents = Contents()
    mappings: Any = getattr(module, "NODE_CLASS_MAPPINGS", None)
    if mappings is not None:
        _read_mappings(mappings, module, contents)
    elif callable(entry_point := getattr(module, "comfy_entrypoint", None)):
        for found in entry_point_nodes(entry_point):
            _add_v3(found, contents)
    if (web := pack.web) is not None:
        contents.web[str(pack.project.get("name") or pack.name)] = str(web)
    directory: Any = getattr(module, "WEB_DIRECTORY", None)
    if directory:
        _add_web(pack, contents, pack.name, pack.path / str(directory))
    for found in contents.classes.values():
        _mark(found, pack)
    return contents


def python_module(pack: Pack) -> str:
    """How the catalog names the origin of a pack's nodes."""
    return f"custom_nodes.{pack.name}"


def _read_mappings(mappings: Any, module: ModuleType, contents: Contents) -> None:
    if not isinstance(mappings, Mapping):
        kind = type(mappings).__name__
        raise TypeError(f"NODE_CLASS_MAPPINGS is a {kind}; expected a dictionary of classes")
    for name, found in mappings.items():
        contents.classes[str(name)] = found
    names: Any = getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None)
    if isinstance(names, Mapping):
        contents.display_names.update({str(key): str(each) for key, each in names.items()})


def _add_v3(found: Any, contents: Contents) -> None:
    try:
        declared = found.GET_SCHEMA() if hasattr(found, "GET_SCHEMA") else found.define_schema()
        name = str(declared.node_id)
    except Exception as error:  # noqa: BLE001 - costs this class alone
        name = getattr(found, "__name__", repr(found))
        contents.left_out[name] = f"{type(error).__name__}: {error}"
        return
    contents.classes[name] = found


def _add_web(pack: Pack, contents: Contents, name: str, folder: Path) -> None:
    """Add a folder of browser files, unless it is missing or lies outside of the pack."""
    inside = pack.folder_inside(os.path.relpath(pack.path / folder, pack.path))
    if inside is None:
        contents.warnings.append(
            f"its folder of browser files {str(folder)!r} is missing or not inside of the pack"
        )
    else:
        contents.web[name] = str(inside)


def _mark(found: Any, pack: Pack) -> None:
    try:
        found.RELATIVE_PYTHON_MODULE = python_module(pack)
    except (AttributeError, TypeError):
        return  # no class of the usual kind: it needs no mark
