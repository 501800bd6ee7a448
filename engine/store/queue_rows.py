"""The SQL of pending and running prompts; each function is called inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from engine.store.database import Work
from engine.store.entries import End, Entry, Texts, dump
from engine.store.notes import write_note

WAITING = "prompts INDEXED BY prompts_waiting WHERE state = 'queued'"
RUNNING = "prompts INDEXED BY prompts_running WHERE state = 'running'"
"""Named, because the planner prefers the index of states, and sorts all pending to find one."""
IN_ORDER: Mapping[str, str] = {
    "queued": f"{WAITING} ORDER BY number, seq",
    "running": f"{RUNNING} ORDER BY began, seq",
}


def is_paused(connection: sqlite3.Connection) -> bool:
    """Whether pending prompts are held back."""
    found = connection.execute("SELECT is_on FROM switches WHERE name = 'paused'").fetchone()
    return found is not None and found[0] == 1


def not_in(ids: Collection[str]) -> str:
    """SQL that holds for all ids but these."""
    return f"id NOT IN ({','.join('?' * len(ids))})"


def heads(
    connection: sqlite3.Connection, without: Collection[str], columns: str, limit: int
) -> list[Any]:
    """The first pending prompts in their order; a limit of -1 is none."""
    return connection.execute(
        f"SELECT {columns} FROM {WAITING} AND {not_in(without)} ORDER BY number, seq LIMIT ?",
        [*without, limit],
    ).fetchall()


def insert(connection: sqlite3.Connection, entry: Entry, texts: Texts, place: float) -> None:
    """Add a pending prompt and its note."""
    connection.execute(
        "INSERT INTO prompts (id, digest, number, state, client, workflow, prompt, extra, wanted,"
        " created) VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)",
        (
            entry.id,
            texts.digest,
            place,
            entry.client,
            entry.workflow,
            texts.prompt,
            texts.extra,
            texts.wanted,
            entry.created,
        ),
    )
    if entry.note is not None:
        write_note(connection, entry.id, entry.note)


def begin(prompt_id: str, at: float) -> Work[None]:
    """Work that marks a pending prompt as running."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE prompts SET state = 'running', began = ?, attempts = attempts + 1"
            " WHERE id = ? AND state = 'queued'",
            (at, prompt_id),
        )

    return work


def finish(end: End) -> Work[None]:
    """Work that records the end of a running prompt; one that ended before stays as it is."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE prompts SET state = ?, outcome = ?, summary = ?, ended = ?"
            " WHERE id = ? AND state = 'running'",
            (end.ending, _outcome_text(end), dump(end.summary), end.at, end.id),
        )

    return work


def _outcome_text(end: End) -> str:
    """An outcome as JSON; without its outputs, where those are no JSON: each prompt has to end."""
    try:
        return dump(end.outcome)
    except (ValueError, TypeError, RecursionError):
        return dump({**end.outcome, "outputs": {}, "meta": {}})


def count(connection: sqlite3.Connection) -> int:
    """How many prompts are pending or run."""
    # One index each; asking for both states at once would read the whole table.
    return connection.execute(
        f"SELECT (SELECT count(*) FROM {WAITING}) + (SELECT count(*) FROM {RUNNING})"
    ).fetchone()[0]


def next_number(connection: sqlite3.Connection, *, front: bool) -> float:
    """The incumbent counts up for the back of the queue, and into the negative for its front."""
    if front:
        [least] = connection.execute(f"SELECT min(number) FROM {WAITING}").fetchone()
        return min(0.0, least if least is not None else 0.0) - 1.0
    [most] = connection.execute("SELECT max(seq) FROM prompts").fetchone()
    return float(most or 0)
