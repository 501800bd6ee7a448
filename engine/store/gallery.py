"""All jobs as lists and the gallery show them: filtered, searched, by page, with their days.

Reads the rows of `queue.py` and `notes.py`, never a prompt itself. The search looks for each word
inside the case-folded words of a note: parts of a word and of a seed are found, and ten thousand
notes are read in some milliseconds, so no full-text index is needed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.store.database import Database
from engine.store.entries import read_json
from engine.store.jobs import COLUMNS, JobRow, read_job

_ENDED = ("done", "failed", "stopped")
# Written as in the index `prompts_shown`, which is used only then.
_SHOWN = "CASE WHEN json_valid({0}.summary) THEN json_extract({0}.summary, '$.preview_output') END"
# A run whose results were all cached, so that it shows the file of an earlier one. A file's name
# alone is no proof: it is given again once the file was deleted.
_IS_REPEAT = (
    "prompts.state = 'done' AND EXISTS (SELECT 1 FROM prompts AS first WHERE first.state = 'done'"
    f" AND {_SHOWN.format('first')} = {_SHOWN.format('prompts')}"
    " AND first.seq < prompts.seq AND first.prompt = prompts.prompt)"
)
_JOB_COLUMNS = ", ".join(f"prompts.{name.strip()}" for name in COLUMNS.split(","))


@dataclass(frozen=True, slots=True)
class GalleryFilter:
    """Which jobs.

    Attributes:
        states: of the store.
        words: all of them must occur.
        workflow: only of this saved workflow.
        batch: only of this batch.
        starred: only those with a star.
        since, until: seconds since 1970; the second one is left out.
        repeats: whether runs that only showed an earlier run's file again are among them.
    """

    states: Sequence[str] = _ENDED
    words: Sequence[str] = ()
    workflow: str | None = None
    batch: str | None = None
    starred: bool = False
    since: float | None = None
    until: float | None = None
    repeats: bool = True


@dataclass(frozen=True, slots=True)
class GalleryRow:
    """A job with its note."""

    job: JobRow
    title: str | None
    excerpt: str
    batch: str | None
    place: Mapping[str, Any] | None
    starred: bool


class Gallery:
    """The jobs of one database, with their notes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, wanted: GalleryFilter, *, limit: int, offset: int = 0, queued: bool = False
    ) -> tuple[list[GalleryRow], int]:
        """A page of jobs and how many there are in all.

        Args:
            wanted: which ones.
            limit: the most rows to return.
            offset: rows to skip.
            queued: in the order in which they will run, instead of the newest first.
        """
        where, given = _where(wanted)
        order = "{0}.number, {0}.seq" if queued else "{0}.created DESC, {0}.seq DESC"

        def work(connection: sqlite3.Connection) -> tuple[list[GalleryRow], int]:
            [total] = connection.execute(f"SELECT count(*) {where}", given).fetchone()
            # The rows of a page are chosen first: sorting must not carry whole prompts along.
            rows = connection.execute(
                f"SELECT {_JOB_COLUMNS}, title, excerpt, batch, place, starred"
                f" FROM (SELECT prompts.seq AS seq {where} ORDER BY {order.format('prompts')}"
                " LIMIT ? OFFSET ?) AS page JOIN prompts USING (seq) LEFT JOIN notes USING (seq)"
                f" ORDER BY {order.format('prompts')}",
                [*given, limit, offset],
            )
            return [_read(row) for row in rows], total

        return await self._database.read(work)

    async def days(self, wanted: GalleryFilter, *, zone_seconds: int) -> list[tuple[str, int]]:
        """How many there are of each day, newest first.

        Args:
            wanted: which ones.
            zone_seconds: the client's offset from UTC.
        """
        where, given = _where(wanted)

        def work(connection: sqlite3.Connection) -> list[tuple[str, int]]:
            return connection.execute(
                "SELECT coalesce(date(prompts.created + ?, 'unixepoch'), '') AS day, count(*)"
                f" {where} GROUP BY day ORDER BY day DESC",
                [zone_seconds, *given],
            ).fetchall()

        return await self._database.read(work)

    async def workflows(self, *, limit: int = 50) -> list[tuple[str, str, int]]:
        """The saved workflows with the most jobs: id, title, count."""

        def work(connection: sqlite3.Connection) -> list[tuple[str, str, int]]:
            return connection.execute(
                "SELECT workflow, coalesce(max(title), ''), count(*) AS most FROM prompts"
                " LEFT JOIN notes USING (seq) WHERE workflow IS NOT NULL AND ended IS NOT NULL"
                " GROUP BY workflow ORDER BY most DESC LIMIT ?",
                (limit,),
            ).fetchall()

        return await self._database.read(work)

    async def with_repeats(self, ids: Sequence[str]) -> list[str]:
        """These jobs and all others that show the same file of the same prompt."""

        def work(connection: sqlite3.Connection) -> list[str]:
            found = dict.fromkeys(ids)
            for each in ids:
                same = connection.execute(
                    "SELECT same.id FROM prompts JOIN prompts AS same"
                    f" ON {_SHOWN.format('same')} = {_SHOWN.format('prompts')}"
                    " WHERE prompts.id = ? AND prompts.state = 'done' AND same.state = 'done'"
                    " AND same.prompt = prompts.prompt",
                    (each,),
                )
                found.update(dict.fromkeys(row[0] for row in same))
            return list(found)

        return await self._database.read(work)

    async def star(self, ids: Sequence[str], *, starred: bool) -> None:
        """Add or remove the star of these."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT INTO notes (seq, excerpt, words, starred)"
                " SELECT seq, '', '', ? FROM prompts WHERE id = ?"
                " ON CONFLICT (seq) DO UPDATE SET starred = excluded.starred",
                [(int(starred), each) for each in ids],
            )

        await self._database.run(work)


def _where(wanted: GalleryFilter) -> tuple[str, list[Any]]:
    """`FROM ... WHERE ...` and its parameters. Notes are joined only where needed."""
    clauses = [f"prompts.state IN ({','.join('?' * len(wanted.states))})"]
    given: list[Any] = [*wanted.states]
    for clause, value in (
        ("prompts.workflow = ?", wanted.workflow),
        ("prompts.created >= ?", wanted.since),
        ("prompts.created < ?", wanted.until),
        ("notes.batch = ?", wanted.batch),
    ):
        if value is not None:
            clauses.append(clause)
            given.append(value)
    if wanted.starred:
        clauses.append("notes.starred = 1")
    for word in wanted.words:
        clauses.append("instr(notes.words, ?) > 0")
        given.append(word)
    if not wanted.repeats:
        clauses.append(f"NOT ({_IS_REPEAT})")
    noted = wanted.starred or wanted.words or wanted.batch is not None
    join = " JOIN notes ON notes.seq = prompts.seq" if noted else ""
    return f"FROM prompts{join} WHERE {' AND '.join(clauses)}", given


def _read(row: Sequence[Any]) -> GalleryRow:
    *job, title, excerpt, batch, place, starred = row
    return GalleryRow(
        job=read_job(job),
        title=title,
        excerpt=excerpt or "",
        batch=batch,
        place=None if place is None else read_json(place),
        starred=starred == 1,
    )
