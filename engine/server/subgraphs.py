"""The subgraphs of plugins: the JSON files in a plugin's folder `subgraphs`.

Read for each request, like all that plugins declare. The editor validates what a file holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.paths import is_sendable

FOLDER = "subgraphs"
MOST = 500
"""Files in all."""
LARGEST = 4 << 20
"""Bytes of a file."""


@dataclass(frozen=True, slots=True)
class Subgraph:
    """One file.

    Attributes:
        id: a hash of the plugin's and the file's name.
    """

    id: str
    name: str
    pack: str
    path: Path


def find_subgraphs(folders: Sequence[Path], only: Collection[str] | None = None) -> list[Subgraph]:
    """All of them, by plugin and name; a plugin that cannot be read has none.

    Args:
        folders: where plugins are.
        only: names of the plugins to include; None for all.
    """
    found: dict[str, Subgraph] = {}
    for folder in folders:
        for path in _files(folder):
            pack = path.parent.parent.name
            if only is not None and pack not in only:
                continue
            key = hashlib.sha256(f"{pack}/{path.name}".encode()).hexdigest()
            if len(found) < MOST:
                found.setdefault(key, Subgraph(key, path.stem, pack, path))
    return list(found.values())


def read_subgraph(subgraph: Subgraph) -> str | None:
    """The text of its file; None where that is gone, too large or no text."""
    try:
        if subgraph.path.stat().st_size > LARGEST:
            return None
        return subgraph.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _files(folder: Path) -> Iterator[Path]:
    for pack in _entries(folder):
        if pack.name.startswith((".", "__")):
            continue
        for path in _entries(pack / FOLDER):
            if path.suffix == ".json" and path.is_file():
                yield path


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if is_sendable(each.name))
    except OSError:
        return []
