"""All prompts, whatever their state, as a list of jobs: short rows, a page at a time.

Reads the rows of `queue.py`, never a prompt itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.store.database import Database
from engine.store.entries import read_json

COLUMNS = "id, state, number, workflow, created, began, ended, summary"
_ORDERS: Mapping[str, str] = {
    "created_at": "created {0}, seq {0}",
    "execution_duration": "coalesce(ended - began, 0) {0}, seq {0}",
}


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job.

    Attributes:
        summary: what was recorded for lists when it ended.
    """

    id: str
    state: str
    number: float
    workflow: str | None
    created: float
    began: float | None
    ended: float | None
    summary: Mapping[str, Any]


class Jobs:
    """The jobs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        states: Sequence[str],
        *,
        workflow: str | None = None,
        sort_by: str = "created_at",
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[JobRow], int]:
        """A page of the jobs in these states, and how many there are in all.

        Args:
            states: of the store.
            workflow: only those of this saved workflow.
            sort_by: `created_at` or `execution_duration`.
            descending: the newest or longest first.
            limit: the most rows to return.
            offset: rows to skip.
        """
        marks = ",".join("?" * len(states))
        where = f"state IN ({marks})" + (" AND workflow = ?" if workflow is not None else "")
        given = [*states, *([workflow] if workflow is not None else [])]
        order = _ORDERS[sort_by].format("DESC" if descending else "ASC")

        def work(connection: sqlite3.Connection) -> tuple[list[JobRow], int]:
            [total] = connection.execute(
                f"SELECT count(*) FROM prompts WHERE {where}", given
            ).fetchone()
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM prompts WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
                [*given, -1 if limit is None else limit, offset],
            )
            return [read_job(row) for row in rows], total

        return await self._database.read(work)

    async def get(self, prompt_id: str) -> JobRow | None:
        """One job, or None."""

        def work(connection: sqlite3.Connection) -> JobRow | None:
            row = connection.execute(
                f"SELECT {COLUMNS} FROM prompts WHERE id = ?", (prompt_id,)
            ).fetchone()
            return None if row is None else read_job(row)

        return await self._database.read(work)


def read_job(row: Sequence[Any]) -> JobRow:
    """A job from a row of `COLUMNS`."""
    prompt_id, state, number, workflow, created, began, ended, summary = row
    return JobRow(prompt_id, state, number, workflow, created, began, ended, read_json(summary))
