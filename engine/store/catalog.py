"""How the nodes of plugins looked when a worker last told, so that the editor opens before it does.

Knows JSON and where it came from; not what a node is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from engine.store.database import Database


class CatalogStore:
    """Catalogs by source (a plugin's folder), each with a stamp that says if it is out of date."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, source: str, stamp: str, nodes: Mapping[str, Any]) -> None:
        """Keep what a source brought; what it brought before is replaced."""
        text = json.dumps(nodes, separators=(",", ":"))

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO catalogs (source, stamp, nodes) VALUES (?, ?, ?)"
                " ON CONFLICT (source) DO UPDATE"
                " SET stamp = excluded.stamp, nodes = excluded.nodes",
                (source, stamp, text),
            )

        await self._database.run(work)

    async def recall(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """For each source its stamp and nodes."""

        def work(connection: sqlite3.Connection) -> dict[str, tuple[str, dict[str, Any]]]:
            rows = connection.execute("SELECT source, stamp, nodes FROM catalogs ORDER BY source")
            return {source: (stamp, json.loads(nodes)) for source, stamp, nodes in rows}

        return await self._database.run(work)

    async def forget(self, source: str) -> None:
        """Drop a source that is gone."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM catalogs WHERE source = ?", (source,))

        await self._database.run(work)
