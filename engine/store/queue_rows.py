"""The SQL of pending and running prompts; each function is called inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from engine.store.database import Work
from engine.store.entries import End, Entry, Texts, dump
from engine.store.notes import write_note

PENDING = "prompts INDEXED BY prompts_waiting WHERE state = 'queued'"
RUNNING = "prompts INDEXED BY prompts_running WHERE state = 'running'"
"""Indexes are named because the planner prefers that of states, and sorts all pending rows."""
IN_ORDER: Mapping[str, str] = {
    "queued": f"{PENDING} ORDER BY number, seq",
    "running": f"{RUNNING} ORDER BY began, seq",
}


def is_paused(connection: sqlite3.Connection) -> bool:
    """Whether the queue is paused."""
    found = connection.execute("SELECT is_on FROM switches WHERE name = 'paused'").fetchone()
    return found is not None and found[0] == 1


def not_in(ids: Collection[str]) -> str:
    """SQL that holds for all ids but these."""
    return f"id NOT IN ({','.join('?' * len(ids))})"


def first_pending(
    connection: sqlite3.Connection, without: Collection[str], columns: str, limit: int
) -> list[Any]:
    """The first pending prompts in order; a limit of -1 is no limit."""
    return connection.execute(
        f"SELECT {columns} FROM {PENDING} AND {not_in(without)} ORDER BY number, seq LIMIT ?",
        [*without, limit],
    ).fetchall()


_BACK = "(SELECT coalesce(max(seq), 0) FROM prompts)"
_FRONT = f"(SELECT min(0, coalesce(min(number), 0)) - 1 FROM {PENDING})"
"""The incumbent counts up for the back of the queue, and into the negative for its front."""


def insert(
    connection: sqlite3.Connection,
    entry: Entry,
    texts: Texts,
    *,
    number: float | None,
    front: bool,
    begin_at: float | None = None,
) -> float | None:
    """Add a prompt and its note; returns its number, None where its id is taken.

    It is pending, or, with `begin_at`, it runs since then.
    """
    place = "?" if number is not None else _FRONT if front else _BACK
    begun = begin_at is not None
    rows = connection.execute(
        "INSERT INTO prompts (id, digest, number, state, attempts, began, client, workflow, prompt,"
        f" extra, wanted, created) VALUES (?, ?, {place}, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING RETURNING seq, number",
        (
            entry.id,
            texts.digest,
            *(() if number is None else (number,)),
            "running" if begun else "queued",
            int(begun),
            begin_at,
            entry.client,
            entry.workflow,
            texts.prompt,
            texts.extra,
            texts.wanted,
            entry.created,
        ),
    ).fetchall()
    if not rows:
        return None
    [(seq, given)] = rows
    if entry.note is not None:
        write_note(connection, seq, entry.note)
    return float(given)


class Standing(NamedTuple):
    """The state of the queue.

    Attributes:
        remaining: how many prompts are pending or run.
        pending: how many are pending, those that were claimed not counted.
        first: the id of the first of these; None where there is none.
        is_paused: whether pending prompts are held back.
    """

    remaining: int
    pending: int
    first: str | None
    is_paused: bool


def standing(connection: sqlite3.Connection, taken: Collection[str]) -> Standing:
    """The state of the queue; `taken` are claimed, whatever the rows say."""
    marks = ",".join("?" * len(taken))
    waiting, running, handed_out, first, paused = connection.execute(
        f"SELECT (SELECT count(*) FROM {PENDING}), (SELECT count(*) FROM {RUNNING}),"
        f" (SELECT count(*) FROM prompts WHERE id IN ({marks}) AND state = 'queued'),"
        f" (SELECT id FROM {PENDING} AND id NOT IN ({marks}) ORDER BY number, seq LIMIT 1),"
        " (SELECT is_on FROM switches WHERE name = 'paused')",
        [*taken, *taken],
    ).fetchone()
    return Standing(waiting + running, waiting - handed_out, first, paused == 1)


def mark_running(prompt_id: str, at: float) -> Work[bool]:
    """Work that marks a pending prompt as running; whether it was pending."""

    def work(connection: sqlite3.Connection) -> bool:
        changed = connection.execute(
            "UPDATE prompts SET state = 'running', began = ?, attempts = attempts + 1"
            " WHERE id = ? AND state = 'queued'",
            (at, prompt_id),
        )
        return changed.rowcount == 1

    return work


def mark_ended(end: End) -> Work[None]:
    """Work that records the end of a running prompt; one that ended before stays unchanged."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE prompts SET state = ?, outcome = ?, summary = ?, ended = ?"
            " WHERE id = ? AND state = 'running'",
            (end.ending, _outcome_text(end), dump(end.summary), end.at, end.id),
        )

    return work


def _outcome_text(end: End) -> str:
    """An outcome as JSON; without outputs that JSON cannot express: every prompt has to end."""
    try:
        return dump(end.outcome)
    except (ValueError, TypeError, RecursionError):
        return dump({**end.outcome, "outputs": {}, "meta": {}})


def count(connection: sqlite3.Connection) -> int:
    """How many prompts are pending or run."""
    # One index each; a query for both states would read the whole table.
    return connection.execute(
        f"SELECT (SELECT count(*) FROM {PENDING}) + (SELECT count(*) FROM {RUNNING})"
    ).fetchone()[0]


def last_number(connection: sqlite3.Connection) -> float:
    """The number of a prompt that is put behind all others."""
    return float(connection.execute(f"SELECT {_BACK}").fetchone()[0])
