"""Notices for the user, stored until they are dismissed: a restart does not hide them."""

from __future__ import annotations

import sqlite3

from engine.store.database import Database
from engine.store.entries import read_json
from engine.store.notice import Notice


class Notices:
    """The notices of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[Notice]:
        """All that were not dismissed, oldest first."""

        def work(connection: sqlite3.Connection) -> list[Notice]:
            rows = connection.execute("SELECT kind, details, created, id FROM notices ORDER BY id")
            return [Notice(kind, read_json(text), at, number) for kind, text, at, number in rows]

        return await self._database.read(work)

    async def dismiss(self, number: int) -> bool:
        """Delete one; False where there is none of that id."""

        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute("DELETE FROM notices WHERE id = ?", (number,)).rowcount == 1

        return await self._database.run(work)
