"""Compares the installed version of a pack with the one that a workflow was made with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from packaging.version import InvalidVersion, Version

from engine.graph.needs import PackNeed

Difference = Literal["older", "newer", "other"]
"""Of what is installed, from what a workflow names; `other` where neither is known to be later."""
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_UNNAMED = frozenset({"", "latest", "nightly", "unknown"})
"""What workflows write in the place of a version."""
_MODULES = "custom_nodes."


class InstalledPack(Protocol):
    """A pack on this machine."""

    @property
    def version(self) -> str:
        """As the pack says it, or empty."""
        ...

    @property
    def commit(self) -> str:
        """Of its git repository, or empty."""
        ...


FindPack = Callable[[Sequence[str]], InstalledPack | None]
"""Finds the pack whose folder has the first of these names that one has, whatever its case."""


def find_nothing(names: Sequence[str]) -> InstalledPack | None:
    """Where packs are not looked for."""
    del names


def folders_of(need: PackNeed) -> tuple[str, ...]:
    """The names that its folder may have: where its classes come from, its id, its repository."""
    modules = [each.removeprefix(_MODULES).split(".")[0] for each in need.modules]
    named = [each.rstrip("/").rpartition("/")[2] for each in (need.name, need.repository or "")]
    found = (*modules, *(each.removesuffix(".git") for each in named))
    return tuple(dict.fromkeys(filter(None, found)))


def difference(asked: str | None, installed: InstalledPack) -> Difference | None:
    """How the installed pack differs from a version or a commit; None if not, or not known.

    A version is compared as Python's packages are (PEP 440), which reads those of the registry.
    """
    text = (asked or "").strip().lower().removeprefix("v")
    if text in _UNNAMED:
        return None
    is_commit = _COMMIT.fullmatch(text) is not None and "." not in text and not text.isdecimal()
    if is_commit:
        commit = installed.commit
        return None if not commit or commit.startswith(text) else "other"
    if not installed.version:
        return None
    try:
        wanted, found = Version(text), Version(installed.version)
    except InvalidVersion:
        return None if text == installed.version.lower().removeprefix("v") else "other"
    if wanted == found:
        return None
    return "older" if found < wanted else "newer"


def pack_json(need: PackNeed, find_pack: FindPack) -> dict[str, Any]:
    """One pack of the list of needs."""
    installed = find_pack(folders_of(need))
    return {
        "name": need.name,
        "repository": need.repository,
        "version": need.version,
        "classes": list(need.classes),
        "missing": {name: list(ids) for name, ids in need.missing.items()},
        "modules": list(need.modules),
        "installed": installed and (installed.version or installed.commit[:12]),
        "differs": installed and difference(need.version, installed),
    }


def pack_line(need: PackNeed, find_pack: FindPack) -> str | None:
    """What is to be said of a pack: it is missing, or another version; None if nothing is."""
    installed = find_pack(folders_of(need))
    asked = " ".join(filter(None, (need.name, need.version)))
    if installed is None:
        return f"pack {asked}: missing, for {', '.join(need.missing)}" if need.missing else None
    here = installed.version or installed.commit[:12] or "a version that it does not name"
    differs = difference(need.version, installed)
    if need.missing:
        lacks = ", ".join(need.missing)
        advice = "update it" if differs in ("older", "other") else "see: main.py packs list"
        return f"pack {asked}: {here} is installed and lacks {lacks}; {advice}"
    if differs in ("older", "other"):
        return f"pack {asked}: {here} is installed; update it if its nodes fail or look different"
    return None
