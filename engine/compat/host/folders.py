"""`folder_paths`: the table of folders that plugins read and change, and finding files by it.

The table is a plain dictionary. Whatever is done to it is compared with what was there before each
listing and after each plugin's import, and the differences are told to the host.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from engine.compat.host.state import Folders, host
from engine.errors import FilesError
from engine.files import ALIASES, MODEL_FOLDERS, WEIGHTS_SUFFIXES
from engine.nodekit.folder_list import FolderList
from engine.settings import ROOT

Table = dict[str, tuple[list[str], Any]]
"""By kind, the folders in the order they are searched, and a collection of suffixes."""

supported_pt_extensions: set[str] = set(WEIGHTS_SUFFIXES)
"""The suffixes of weights; shared by the entries of the table, so an addition counts in all."""
_DEFAULTS: dict[int, Folders] = {}
"""What each table held when it was made, by its identity."""


def base_directory() -> str:
    """The folder above `custom_nodes/`, where plugins look for the host's other folders."""
    first = host().settings.custom_nodes_directories[:1]
    parent = first[0].parent if first and first[0].name == "custom_nodes" else ROOT
    return str(parent)


def make_table() -> Table:
    """The table for this process's settings."""
    files, settings = host().files, host().settings
    table: Table = {}
    for kind in dict.fromkeys((*MODEL_FOLDERS, *settings.model_folders)):
        if kind in ALIASES:
            continue
        own = files.suffixes(kind)
        suffixes: set[str] = supported_pt_extensions if own == WEIGHTS_SUFFIXES else set(own)
        table[kind] = ([str(each) for each in files.folders(kind)], suffixes)
    table["custom_nodes"] = ([str(each) for each in settings.custom_nodes_directories], set())
    _DEFAULTS.clear()
    _DEFAULTS[id(table)] = _frozen(table)
    return table


def table() -> Table:
    """The table as plugins have made it."""
    return sys.modules["folder_paths"].folder_names_and_paths


def changed_folders() -> Folders:
    """The kinds that plugins added, or whose folders or suffixes they changed."""
    before = _DEFAULTS.get(id(table()), {})
    return {kind: now for kind, now in _frozen(table()).items() if before.get(kind) != now}


def sync_folders() -> bool:
    """Make changes of the table count everywhere; returns whether there were new ones.

    Call it after a plugin's import. Listing a folder does it, too.
    """
    if "folder_paths" not in sys.modules:
        return False
    return host().change_folders(changed_folders())


def _frozen(found: Table) -> Folders:
    """A copy to compare with; entries that are no folders are left out."""
    frozen: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for kind, entry in list(found.items()):
        try:
            paths: Any = entry[0]
            suffixes: Any = entry[1] if len(entry) > 1 else ()
            paths = [paths] if isinstance(paths, str | Path) else paths
            frozen[str(kind)] = (
                tuple(dict.fromkeys(os.fspath(each) for each in paths)),
                tuple(sorted(str(each) for each in suffixes or ())),
            )
        except (TypeError, IndexError, KeyError):
            continue
    return frozen


def map_legacy(folder_name: str) -> str:
    """The present name of a kind: `unet` is `diffusion_models`."""
    return ALIASES.get(folder_name, folder_name)


def add_model_folder_path(
    folder_name: str, full_folder_path: str, is_default: bool = False
) -> None:
    """Add a folder to a kind, which may be new; searched first if `is_default`."""
    paths, _ = table().setdefault(map_legacy(folder_name), ([], set()))
    path = os.fspath(full_folder_path)
    if path in paths and is_default:
        paths.remove(path)
    if path not in paths:
        paths.insert(0 if is_default else len(paths), path)
    sync_folders()


def get_folder_paths(folder_name: str) -> list[str]:
    """The folders of a kind. Raises `KeyError` for an unknown one."""
    return list(table()[map_legacy(folder_name)][0])


def get_filename_list(folder_name: str) -> list[str]:
    """The names of a kind's files, as they are now. Raises `KeyError` for an unknown one.

    In `INPUT_TYPES` the list stays live: the catalog lists the folder again on each request.
    """
    kind = map_legacy(folder_name)
    _ = table()[kind]
    sync_folders()
    return FolderList(kind, host().files.list(kind))


def get_full_path(folder_name: str, filename: str) -> str | None:
    """The file of that kind and name; None if there is none, or it lies outside."""
    kind = map_legacy(folder_name)
    if kind not in table() or not filename:
        return None
    sync_folders()
    try:
        found = host().files.locate(kind, str(filename).lstrip("/"))
    except FilesError:
        return None
    return None if found is None else str(found)


def get_full_path_or_raise(folder_name: str, filename: str) -> str:
    """The file of that kind and name. Raises `FileNotFoundError`."""
    found = get_full_path(folder_name, filename)
    if found is None:
        known = table().get(map_legacy(folder_name), ([], set()))[0]
        raise FileNotFoundError(
            f"there is no file {filename!r} of kind {folder_name!r}; put it into "
            f"{' or '.join(known[:3]) or 'a folder of that kind'}, or choose another"
        )
    return found


def recursive_search(
    directory: str, excluded_dir_names: list[str] | None = None
) -> tuple[list[str], dict[str, float]]:
    """The files below a folder, relative to it; and all its folders with their times."""
    if not Path(directory).is_dir():
        return [], {}
    left_out = set(excluded_dir_names or ())
    names: list[str] = []
    times = {directory: Path(directory).stat().st_mtime}
    for folder, inner, files in os.walk(directory, followlinks=True):
        inner[:] = [each for each in inner if each not in left_out]
        names += [os.path.relpath(Path(folder, each), directory) for each in files]
        times.update(
            {str(Path(folder, each)): Path(folder, each).stat().st_mtime for each in inner}
        )
    return names, times


def filter_files_extensions(files: Iterable[str], extensions: Iterable[str]) -> list[str]:
    """The files with one of these suffixes, sorted; all of them if none is given."""
    wanted = {each.lower() for each in extensions}
    return sorted(each for each in files if not wanted or Path(each).suffix.lower() in wanted)


class CacheHelper:
    """Lists of files are always made anew here, and cheaply; this has the interface only."""

    def __init__(self) -> None:
        self.cache: dict[str, Any] = {}
        self.active = False

    def get(self, key: str, default: Any = None) -> Any:
        """What was set inside the current `with`."""
        return self.cache.get(key, default) if self.active else default

    def set(self, key: str, value: Any) -> None:
        """Remember a value inside a `with`."""
        if self.active:
            self.cache[key] = value

    def clear(self) -> None:
        """Forget all."""
        self.cache.clear()

    def __enter__(self) -> Self:
        self.active = True
        return self

    def __exit__(self, *_: object) -> None:
        self.active = False
        self.clear()


def get_filename_list_(folder_name: str) -> tuple[list[str], dict[str, float], float]:
    """The names of a kind's files, the times of its folders, and the time of this listing."""
    times: dict[str, float] = {}
    for folder in get_folder_paths(folder_name):
        times.update(recursive_search(folder)[1])
    return list(get_filename_list(folder_name)), times, os.times().elapsed


def cached_filename_list_(_folder_name: str) -> None:
    """None: nothing is cached."""
    return
