"""What has run: each prompt with its outcome, newest kept, oldest dropped beyond a limit.

Reads the rows that `queue.py` finished. Knows no pictures and no messages: an outcome is JSON.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.store.database import Database
from engine.store.queue import COLUMNS, Entry, item_text, read_entry

MOST_KEPT = 10_000
PAGE = 25
"""Prompts that are read at once, each of which may have megabytes."""


@dataclass(frozen=True, slots=True)
class Past:
    """A prompt that ended, and how: `outcome` is what was recorded at its end."""

    entry: Entry
    outcome: Mapping[str, Any]


class History:
    """The ended prompts of one database."""

    def __init__(self, database: Database, *, most_kept: int = MOST_KEPT) -> None:
        self._database = database
        self._most_kept = most_kept

    async def get(self, prompt_id: str) -> Past | None:
        """One prompt that ended, or None."""
        found = await self._select("AND id = ?", (prompt_id,))
        return found[0] if found else None

    async def list(self, *, limit: int | None = None, offset: int | None = None) -> list[Past]:
        """Oldest first. A limit without an offset takes the newest ones.

        Args:
            limit: at most so many.
            offset: after leaving so many of the oldest out.
        """
        if offset is not None or limit is None:
            page = (-1 if limit is None else limit, offset or 0)
            return await self._select("ORDER BY ended, seq LIMIT ? OFFSET ?", page)
        newest = await self._select("ORDER BY ended DESC, seq DESC LIMIT ?", (limit,))
        return newest[::-1]

    async def entries(self, *, limit: int | None = None, offset: int | None = None) -> str:
        """What `list` says, as the API's JSON object; put together from the stored texts."""
        if offset is not None or limit is None:
            rest, page = (
                "ORDER BY ended, seq LIMIT ? OFFSET ?",
                (-1 if limit is None else limit, offset or 0),
            )
            return await self._entries(rest, page, newest_first=False)
        return await self._entries("ORDER BY ended DESC, seq DESC LIMIT ?", (limit,))

    async def pages(
        self, *, limit: int | None = None, offset: int | None = None
    ) -> AsyncGenerator[str]:
        """What `entries` says, without its braces, a part at a time: never all of it at once.

        What ends or is deleted meanwhile moves nothing: which prompts are told is known first.
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

        places = await self._database.run(work)
        for start in range(0, len(places), PAGE):
            page = places[start : start + PAGE]
            rest = f"AND seq IN ({','.join('?' * len(page))}) ORDER BY ended, seq"
            text = await self._entries(rest, page, newest_first=False)
            if len(text) > 2:
                yield text[1:-1]

    async def entry(self, prompt_id: str) -> str:
        """The same for one prompt; `{}` where it has not ended."""
        return await self._entries("AND id = ?", (prompt_id,))

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "DELETE FROM prompts WHERE id = ? AND ended IS NOT NULL", [(each,) for each in ids]
            )

        await self._database.run(work)

    async def clear(self) -> None:
        """Forget all that ended."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM prompts WHERE ended IS NOT NULL")

        await self._database.run(work)

    async def trim(self) -> int:
        """Forget the oldest beyond the limit, but none with a star; returns how many."""

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM prompts WHERE seq IN (SELECT seq FROM prompts"
                " WHERE ended IS NOT NULL ORDER BY ended DESC, seq DESC LIMIT -1 OFFSET ?)"
                " AND seq NOT IN (SELECT seq FROM notes WHERE starred = 1)",
                (self._most_kept,),
            ).rowcount

        return await self._database.run(work)

    async def _entries(
        self, rest: str, parameters: Sequence[Any], *, newest_first: bool = True
    ) -> str:
        def work(connection: sqlite3.Connection) -> str:
            rows = connection.execute(
                "SELECT outcome, number, id, prompt, extra, wanted FROM prompts"
                f" WHERE ended IS NOT NULL {rest}",
                parameters,
            ).fetchall()
            parts = [
                f'{json.dumps(item[1])}:{{"prompt":{item_text(item)}{_rest(outcome)}'
                for outcome, *item in (rows[::-1] if newest_first else rows)
            ]
            return "{" + ",".join(parts) + "}"

        return await self._database.run(work)

    async def _select(self, rest: str, parameters: Sequence[Any]) -> list[Past]:
        def work(connection: sqlite3.Connection) -> list[Past]:
            rows = connection.execute(
                f"SELECT {COLUMNS}, outcome FROM prompts WHERE ended IS NOT NULL {rest}", parameters
            )
            return [Past(read_entry(row[:-1]), json.loads(row[-1])) for row in rows]

        return await self._database.run(work)


def _rest(outcome: str) -> str:
    """The inside of a JSON object, to go on after another member, with its closing brace."""
    return outcome[1:] if outcome == "{}" else f",{outcome[1:]}"
