"""Costs of past runs: seconds and bytes, by class, weights and size.

`engine/forecast/costs.py` makes estimates from them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.store.database import Database

MOST_KEPT = 5_000


@dataclass(frozen=True, slots=True)
class CostRow:
    """The latest runs of one kind of work.

    Attributes:
        class_type, weights, pixels, steps: the work, as `engine.forecast.work.Work` has it.
        warm: whether the process had done such work before; if not, loading is part of the time.
        seconds: the durations of the latest runs, the newest last.
        memory: peak bytes of the newest; 0 where not measured.
    """

    class_type: str
    weights: str
    pixels: int
    steps: int
    warm: bool
    seconds: tuple[float, ...]
    memory: int


class CostStore:
    """The costs in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> list[CostRow]:
        """All, those used last first."""

        def work(connection: sqlite3.Connection) -> list[CostRow]:
            rows = connection.execute(
                "SELECT class_type, weights, pixels, steps, warm, seconds, memory FROM costs"
                " ORDER BY used DESC"
            )
            return [row for row in map(_read, rows) if row is not None]

        return await self._database.read(work)

    def save(self, rows: Sequence[CostRow], now: float) -> Future[None]:
        """Store these in place of earlier rows of the same work; the oldest rows are deleted.

        They share the flush of what is stored next. Callers need not wait for the future: costs
        are a convenience, and a disk that fails here also fails for the prompt's own record, which
        is reported.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO costs"
                " (class_type, weights, pixels, steps, warm, seconds, memory, used)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        row.class_type,
                        row.weights,
                        row.pixels,
                        row.steps,
                        int(row.warm),
                        json.dumps(row.seconds),
                        row.memory,
                        now,
                    )
                    for row in rows
                ],
            )
            connection.execute(
                "DELETE FROM costs WHERE rowid IN"
                " (SELECT rowid FROM costs ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (MOST_KEPT,),
            )

        return self._database.submit(work, urgent=False)


def _read(row: tuple[Any, ...]) -> CostRow | None:
    """One row; None where its seconds are no numbers: a damaged row is skipped."""
    name, weights, pixels, steps, warm, text, memory = row
    try:
        seconds = msgspec.json.decode(text, type=tuple[float, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return CostRow(name, weights, pixels, steps, bool(warm), seconds, memory) if seconds else None
