"""Ended prompts with their outcomes (JSON); the oldest are deleted beyond a limit.

Reads the rows that `queue.py` finished.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from engine.store.database import Database
from engine.store.entries import read_json
from engine.store.row_texts import ENTRY_TEXT

MOST_KEPT = 10_000
PAGE = 25
"""Prompts read at once, each of which may have megabytes."""


class History:
    """The ended prompts of one database."""

    def __init__(self, database: Database, *, most_kept: int = MOST_KEPT) -> None:
        self._database = database
        self._most_kept = most_kept

    async def outcome(self, prompt_id: str) -> Mapping[str, Any] | None:
        """What was recorded at the end of a prompt; None where it has not ended."""

        def work(connection: sqlite3.Connection) -> Mapping[str, Any] | None:
            row = connection.execute(
                "SELECT outcome FROM prompts WHERE id = ? AND ended IS NOT NULL", (prompt_id,)
            ).fetchone()
            return None if row is None else read_json(row[0])

        return await self._database.read(work)

    async def entries(self, *, limit: int | None = None, offset: int | None = None) -> bytes:
        """History as the API's JSON object, oldest first; assembled from the stored texts.

        Args:
            limit: at most this many; without an offset, the newest ones.
            offset: how many of the oldest to skip.
        """
        if offset is not None or limit is None:
            page = (-1 if limit is None else limit, offset or 0)
            return await self._entries("ORDER BY ended, seq LIMIT ? OFFSET ?", page)
        return await self._entries(
            "ORDER BY ended DESC, seq DESC LIMIT ?", (limit,), newest_first=True
        )

    async def pages(
        self, *, limit: int | None = None, offset: int | None = None
    ) -> AsyncGenerator[bytes]:
        """The content of `entries`, without its braces, a page at a time.

        The list of prompts is fixed at the start: later ends and deletions do not shift the pages.
        """

        def work(connection: sqlite3.Connection) -> list[int]:
            order = "DESC" if limit is not None and offset is None else "ASC"
            rows = connection.execute(
                "SELECT seq FROM prompts WHERE ended IS NOT NULL"
                f" ORDER BY ended {order}, seq {order} LIMIT ? OFFSET ?",
                (-1 if limit is None else limit, offset or 0),
            )
            found = [seq for (seq,) in rows]
            return found if order == "ASC" else found[::-1]

        places = await self._database.read(work)
        for start in range(0, len(places), PAGE):
            page = places[start : start + PAGE]
            rest = f"AND seq IN ({','.join('?' * len(page))}) ORDER BY ended, seq"
            text = await self._entries(rest, page)
            if len(text) > len(b"{}"):
                yield text[1:-1]

    async def entry(self, prompt_id: str) -> bytes:
        """The same for one prompt; `{}` where it has not ended."""
        return await self._entries("AND id = ?", (prompt_id,))

    async def delete(self, ids: Sequence[str]) -> None:
        """Delete these."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "DELETE FROM prompts WHERE id = ? AND ended IS NOT NULL", [(each,) for each in ids]
            )

        await self._database.run(work)

    async def clear(self) -> None:
        """Delete all ended prompts."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM prompts WHERE ended IS NOT NULL")

        await self._database.run(work)

    async def trim(self) -> int:
        """Delete the oldest beyond the limit, except starred ones; returns how many."""

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM prompts WHERE seq IN (SELECT seq FROM prompts"
                " WHERE ended IS NOT NULL ORDER BY ended DESC, seq DESC LIMIT -1 OFFSET ?)"
                " AND seq NOT IN (SELECT seq FROM notes WHERE starred = 1)",
                (self._most_kept,),
            ).rowcount

        return await self._database.run(work)

    async def _entries(
        self, rest: str, parameters: Sequence[Any], *, newest_first: bool = False
    ) -> bytes:
        def work(connection: sqlite3.Connection) -> bytes:
            rows = connection.execute(
                f"SELECT {ENTRY_TEXT} FROM prompts WHERE ended IS NOT NULL {rest}", parameters
            ).fetchall()
            texts = [text for (text,) in (rows[::-1] if newest_first else rows)]
            return f"{{{','.join(texts)}}}".encode()

        return await self._database.read(work)
