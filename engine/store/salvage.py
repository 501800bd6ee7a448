"""Copies the rows of a damaged database that can still be read into a new one.

Reads by row number: rows on a damaged page are skipped, and those after it are found again. The
damaged file is opened read-only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.store.migrations import MIGRATIONS, migrate, version_of

TABLES = ("prompts", "notes", "switches", "catalogs", "costs", "notices")
_BY_PROMPT = ("prompts", "notes")
"""Tables whose rows are numbered like prompts."""
_MOST_STEPS = 50_000
"""After this many numbers without a readable row, a table is assumed to have ended, where no index
lists its rows."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """How many prompts were copied, and how many existed and could not be read."""

    kept: int
    lost: int


def salvage(damaged: Path, target: Path) -> Salvaged:
    """Copy the readable rows of a damaged database to a new one.

    Args:
        damaged: the file; its write-ahead log is read too.
        target: must not exist. It is complete and on disk when this returns.

    Raises:
        sqlite3.Error, OSError: the target cannot be written.
    """
    with closing(sqlite3.connect(target, isolation_level=None)) as new:
        new.execute("PRAGMA synchronous = FULL")
        uri = f"{damaged.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as old:
            old.text_factory = replacing_text
            # Without this, SQLite reads nothing of a file that was cut off.
            old.execute("PRAGMA writable_schema = ON")
            migrate(new, 0, until=_version(old))
            new.execute("BEGIN")
            numbers = _numbers(old)
            for table in TABLES:
                _copy(old, new, table, numbers if table in _BY_PROMPT else ())
            _drop_orphans(new)
            [kept] = new.execute("SELECT count(*) FROM prompts").fetchone()
            lost = len(numbers - {seq for (seq,) in new.execute("SELECT seq FROM prompts")})
            new.execute("COMMIT")
    return Salvaged(kept, lost)


def replacing_text(raw: bytes) -> str:
    """A text with damaged characters replaced; a `text_factory`."""
    return raw.decode("utf-8", "replace")


def _version(old: sqlite3.Connection) -> int:
    """The schema version of a damaged file; the newest where it cannot be read."""
    with suppress(sqlite3.DatabaseError):
        version = version_of(old)
        if 0 < version <= len(MIGRATIONS):
            return version
    return len(MIGRATIONS)


def _copy(
    old: sqlite3.Connection, new: sqlite3.Connection, table: str, numbers: Collection[int]
) -> None:
    """Copy the rows of one table; rows that violate its constraints are skipped."""
    wanted = _columns(new, table)
    there = _columns(old, table)
    columns = [each for each in wanted if each in there]
    if not columns:
        return
    marks = ",".join("?" * len(columns))
    insert = f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    for row in _rows(old, table, columns, numbers):
        with suppress(sqlite3.IntegrityError, sqlite3.InterfaceError):
            new.execute(insert, row)


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    with suppress(sqlite3.DatabaseError):
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    return []


def _rows(
    old: sqlite3.Connection, table: str, columns: Sequence[str], numbers: Collection[int]
) -> Iterator[tuple[Any, ...]]:
    """Every readable row, in the order of their numbers."""
    select = f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED"
    last = 0
    while True:
        try:
            for number, *row in old.execute(f"{select} WHERE rowid > ? ORDER BY rowid", (last,)):
                last = number
                yield tuple(row)
        except sqlite3.DatabaseError:
            behind = sorted(each for each in numbers if each > last)
            found = _next(old, select, behind or range(last + 1, last + 1 + _MOST_STEPS))
            if found is None:
                return
            last, row = found
            yield row
        else:
            return


def _next(
    old: sqlite3.Connection, select: str, numbers: Iterable[int]
) -> tuple[int, tuple[Any, ...]] | None:
    """The first readable row of these numbers."""
    for number in numbers:
        with suppress(sqlite3.DatabaseError):
            row = old.execute(f"{select} WHERE rowid = ?", (number,)).fetchone()
            if row is not None:
                return number, row[1:]
    return None


def _numbers(old: sqlite3.Connection) -> set[int]:
    """The numbers of all prompts that an index still lists."""
    found: set[int] = set()
    for index in ("prompts_state", "prompts_ended"):
        with suppress(sqlite3.DatabaseError):
            where = "WHERE ended IS NOT NULL" if index == "prompts_ended" else ""
            for (seq,) in old.execute(f"SELECT seq FROM prompts INDEXED BY {index} {where}"):
                found.add(seq)
    return found


def _drop_orphans(new: sqlite3.Connection) -> None:
    if "seq" in _columns(new, "notes"):
        new.execute("DELETE FROM notes WHERE seq NOT IN (SELECT seq FROM prompts)")
