"""Which requests belong to plugins: the routes that they have added, without patterns of theirs.

A route with a part that varies claims all below its fixed beginning; the worker decides.
"""

from __future__ import annotations

from collections.abc import Iterable

OURS = ("/calotype/", "/api/calotype/", "/internal/", "/classic")
"""Paths that no plugin can have."""
ANY = "*"


class PackTable:
    """The routes of plugins by path and method."""

    def __init__(self, routes: Iterable[tuple[str, str]] = ()) -> None:
        """Take over routes as `PacksReady.route_paths` lists them."""
        self._exact: set[tuple[str, str]] = set()
        self._below: dict[str, set[str]] = {}
        for method, path in routes:
            if path.endswith(ANY):
                self._below.setdefault(path[:-1], set()).add(method)
            else:
                self._exact.add((method, path))

    def path_for(self, method: str, path: str) -> str | None:
        """The path under which a plugin serves a request; None where none does.

        Args:
            method: in upper case.
            path: as sent, below the base path. Below `/api` is the same as without.
        """
        if path.startswith(OURS):
            return None
        if self._claims(method, path):
            return path
        inner = path.removeprefix("/api")
        if inner != path and not inner.startswith(OURS) and self._claims(method, inner):
            return inner
        return None

    def _claims(self, method: str, path: str) -> bool:
        if (method, path) in self._exact or (ANY, path) in self._exact:
            return True
        return any(
            path.startswith(begin) and (method in methods or ANY in methods)
            for begin, methods in self._below.items()
        )
