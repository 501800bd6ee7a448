"""Prompts that wait and run: accepted means durable, and each ends in exactly one way.

One table: a prompt's row moves from `queued` to `running` to `done`, `failed` or `stopped`. Knows
nothing of what a prompt means.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from engine.errors import IdTakenError
from engine.store.database import Database
from engine.store.notes import Note, write_note

Ending = Literal["done", "failed", "stopped"]
MOST_ATTEMPTS = 5
"""A prompt during which the server died this often is failed instead of queued again."""
COLUMNS = (
    "seq, id, number, state, attempts, client, workflow, prompt, extra, wanted,"
    " created, began, ended"
)
_WAITING = "prompts INDEXED BY prompts_waiting WHERE state = 'queued'"
_RUNNING = "prompts INDEXED BY prompts_running WHERE state = 'running'"
"""Named, because the planner prefers the index of states, and sorts all that waits to find one."""
_IN_ORDER: Mapping[str, str] = {
    "queued": f"{_WAITING} ORDER BY number, seq",
    "running": f"{_RUNNING} ORDER BY began, seq",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One prompt as it was accepted.

    Attributes:
        number: its place; lower ones run first, equal ones in the order they came.
        wanted: ids of the output nodes to run.
        workflow: the id of the saved workflow it was made from, for lists of jobs.
        created, began, ended: seconds since 1970.
        note: what lists and the search tell of it; only on the way in.
    """

    id: str
    prompt: Mapping[str, Any]
    wanted: Sequence[str]
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    client: str | None = None
    workflow: str | None = None
    number: float = 0.0
    created: float = 0.0
    began: float | None = None
    ended: float | None = None
    state: str = "queued"
    attempts: int = 0
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How a prompt ended.

    Attributes:
        ending: the state it ends in.
        outcome: what history tells of it.
        at: when, in seconds since 1970.
        summary: what lists of jobs tell of it.
    """

    id: str
    ending: Ending
    outcome: Mapping[str, Any]
    at: float
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Queue:
    """The prompts of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, entry: Entry, *, front: bool = False, number: float | None = None) -> Entry:
        """Accept a prompt; when this returns it is on disk.

        The same id with the same content again is the same prompt, and is returned as it stands.

        Args:
            entry: what to run; its `number` is given here.
            front: before everything that waits.
            number: its place, where a client says so.

        Raises:
            IdTakenError: another prompt has that id.
            StoreError: the disk refused.
        """
        prompt, extra, wanted = (_dump(part) for part in (entry.prompt, entry.extra, entry.wanted))
        # When it was sent is no part of what was sent: the same request again is the same prompt.
        told = _dump({key: value for key, value in entry.extra.items() if key != "create_time"})
        digest = hashlib.sha256(f"{prompt}\0{told}\0{wanted}".encode()).digest()

        def work(connection: sqlite3.Connection) -> Entry:
            found = connection.execute(
                f"SELECT digest, {COLUMNS} FROM prompts WHERE id = ?", (entry.id,)
            ).fetchone()
            if found is not None:
                if found[0] != digest:
                    raise IdTakenError(
                        f"another prompt has the id {entry.id}; send a new id, or none"
                    )
                return read_entry(found[1:])
            place = number if number is not None else _next_number(connection, front=front)
            connection.execute(
                "INSERT INTO prompts (id, digest, number, state, client, workflow, prompt, extra,"
                " wanted, created) VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)",
                (
                    entry.id,
                    digest,
                    place,
                    entry.client,
                    entry.workflow,
                    prompt,
                    extra,
                    wanted,
                    entry.created,
                ),
            )
            if entry.note is not None:
                write_note(connection, entry.id, entry.note)
            return _read(connection, entry.id)

        return await self._database.run(work)

    async def claim(self, now: float) -> Entry | None:
        """The next prompt to run, marked as running, or None."""
        return await self._database.run(lambda connection: _claim(connection, now))

    async def finish(self, end: End) -> bool:
        """Record how a running prompt ended; False where it has ended before or never ran."""
        return await self._database.run(lambda connection: _finish(connection, end))

    async def turn(self, end: End | None, now: float) -> tuple[Entry | None, int]:
        """Record how a prompt ended, if one did, and claim the next: one flush for both.

        Returns:
            the next prompt to run, or None; and how many wait or run.
        """

        def work(connection: sqlite3.Connection) -> tuple[Entry | None, int]:
            if end is not None:
                _finish(connection, end)
            return _claim(connection, now), _count(connection)

        return await self._database.run(work)

    async def give_back(self, prompt_id: str) -> None:
        """Let a claimed prompt wait again, in its old place: no worker has seen it."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE prompts SET state = 'queued', began = NULL, attempts = attempts - 1"
                " WHERE id = ? AND state = 'running'",
                (prompt_id,),
            )

        await self._database.run(work)

    async def recover(
        self, now: float, outcome: Callable[[str, str], Mapping[str, Any]]
    ) -> list[str]:
        """After a crash: queue again what ran, but fail what was running at every one of them.

        Args:
            now: in seconds since 1970.
            outcome: from a prompt's id and the reason, what history is to tell of it.

        Returns:
            the ids of prompts that were failed.
        """
        reason = f"the server ended {MOST_ATTEMPTS} times while this prompt ran"

        def work(connection: sqlite3.Connection) -> list[str]:
            lost = connection.execute(
                "SELECT id FROM prompts WHERE state = 'running' AND attempts >= ?", (MOST_ATTEMPTS,)
            ).fetchall()
            connection.executemany(
                "UPDATE prompts SET state = 'failed', outcome = ?, summary = '{}', ended = ?"
                " WHERE id = ?",
                [(_dump(outcome(each, reason)), now, each) for (each,) in lost],
            )
            connection.execute(
                "UPDATE prompts SET state = 'queued', began = NULL WHERE state = 'running'"
            )
            return [each for (each,) in lost]

        return await self._database.run(work)

    async def waiting(self) -> list[Entry]:
        """What waits, next one first."""
        return await self._list("queued")

    async def running(self) -> list[Entry]:
        """What runs."""
        return await self._list("running")

    async def entry(self, prompt_id: str) -> Entry | None:
        """One prompt, whatever its state, or None."""

        def work(connection: sqlite3.Connection) -> Entry | None:
            query = f"SELECT {COLUMNS} FROM prompts WHERE id = ?"
            row = connection.execute(query, (prompt_id,)).fetchone()
            return None if row is None else read_entry(row)

        return await self._database.run(work)

    async def items(
        self, state: Literal["queued", "running"], *, limit: int | None = None, offset: int = 0
    ) -> str:
        """What waits or runs, as the API's JSON list of `[number, id, prompt, extra, outputs]`.

        Put together from the stored texts: ten thousand prompts need not be read to be listed.
        """

        def work(connection: sqlite3.Connection) -> str:
            found = connection.execute(
                f"SELECT number, id, prompt, extra, wanted FROM {_IN_ORDER[state]}"
                " LIMIT ? OFFSET ?",
                (-1 if limit is None else limit, offset),
            )
            return f"[{','.join(item_text(row) for row in found)}]"

        return await self._database.run(work)

    async def remaining(self) -> int:
        """How many wait or run."""
        return await self._database.run(_count)

    async def delete(self, ids: Sequence[str]) -> int:
        """Take waiting prompts out; those that run or ended stay. Returns how many."""

        def work(connection: sqlite3.Connection) -> int:
            done = connection.executemany(
                "DELETE FROM prompts WHERE id = ? AND state = 'queued'", [(each,) for each in ids]
            )
            return done.rowcount

        return await self._database.run(work)

    async def clear(self) -> int:
        """Take everything out that waits. Returns how many."""

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute("DELETE FROM prompts WHERE state = 'queued'").rowcount

        return await self._database.run(work)

    async def move(self, prompt_id: str, *, before: str | None) -> bool:
        """Put a waiting prompt before another one that waits, or, with None, behind all.

        Returns:
            False where the prompt, or the one it was to stand before, waits no longer.
        """

        def work(connection: sqlite3.Connection) -> bool:
            rows = connection.execute(f"SELECT id, number FROM {_IN_ORDER['queued']}").fetchall()
            ids = [each for each, _ in rows]
            if prompt_id not in ids or (before is not None and before not in ids):
                return False
            if before == prompt_id:
                return True
            rows.pop(ids.index(prompt_id))
            ids.remove(prompt_id)
            at = len(ids) if before is None else ids.index(before)
            # Those who come later stand behind, so the last place has an upper neighbour, too.
            upper = rows[at][1] if at < len(rows) else _next_number(connection, front=False)
            lower = rows[at - 1][1] if at > 0 else upper - 2.0
            number = (lower + upper) / 2
            places = [(number, prompt_id)]
            if not lower < number < upper:
                ids.insert(at, prompt_id)
                least = rows[0][1] - len(ids)
                places = [(least + place, each) for place, each in enumerate(ids)]
            connection.executemany("UPDATE prompts SET number = ? WHERE id = ?", places)
            return True

        return await self._database.run(work)

    async def pause(self, *, paused: bool) -> None:
        """Claim no waiting prompt from now on, or do so again; a restart changes nothing."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO switches (name, is_on) VALUES ('paused', ?)"
                " ON CONFLICT (name) DO UPDATE SET is_on = excluded.is_on",
                (int(paused),),
            )

        await self._database.run(work)

    async def is_paused(self) -> bool:
        """Whether waiting prompts are held back."""
        return await self._database.run(_is_paused)

    async def _list(self, state: Literal["queued", "running"]) -> list[Entry]:
        def work(connection: sqlite3.Connection) -> list[Entry]:
            found = connection.execute(f"SELECT {COLUMNS} FROM {_IN_ORDER[state]}")
            return [read_entry(row) for row in found]

        return await self._database.run(work)


def _is_paused(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT is_on FROM switches WHERE name = 'paused'").fetchone()
    return found is not None and found[0] == 1


def _claim(connection: sqlite3.Connection, now: float) -> Entry | None:
    if _is_paused(connection):
        return None
    found = connection.execute(f"SELECT id FROM {_IN_ORDER['queued']} LIMIT 1").fetchone()
    if found is None:
        return None
    connection.execute(
        "UPDATE prompts SET state = 'running', began = ?, attempts = attempts + 1 WHERE id = ?",
        (now, found[0]),
    )
    return _read(connection, found[0])


def _finish(connection: sqlite3.Connection, end: End) -> bool:
    changed = connection.execute(
        "UPDATE prompts SET state = ?, outcome = ?, summary = ?, ended = ?"
        " WHERE id = ? AND state = 'running'",
        (end.ending, _dump(end.outcome), _dump(end.summary), end.at, end.id),
    )
    return changed.rowcount == 1


def _count(connection: sqlite3.Connection) -> int:
    # One index each; asking for both states at once would read the whole table.
    return connection.execute(
        f"SELECT (SELECT count(*) FROM {_WAITING}) + (SELECT count(*) FROM {_RUNNING})"
    ).fetchone()[0]


def _next_number(connection: sqlite3.Connection, *, front: bool) -> float:
    """The incumbent counts up for the back of the queue, and into the negative for its front."""
    if front:
        [least] = connection.execute(f"SELECT min(number) FROM {_WAITING}").fetchone()
        return min(0.0, least if least is not None else 0.0) - 1.0
    [most] = connection.execute("SELECT max(seq) FROM prompts").fetchone()
    return float(most or 0)


def _read(connection: sqlite3.Connection, prompt_id: str) -> Entry:
    return read_entry(
        connection.execute(f"SELECT {COLUMNS} FROM prompts WHERE id = ?", (prompt_id,)).fetchone()
    )


def read_entry(row: Sequence[Any]) -> Entry:
    """An entry from a row of `COLUMNS`."""
    _, prompt_id, number, state, attempts, client, workflow, prompt, extra, wanted, *times = row
    created, began, ended = times
    return Entry(
        id=prompt_id,
        prompt=json.loads(prompt),
        wanted=json.loads(wanted),
        extra=json.loads(extra),
        client=client,
        workflow=workflow,
        number=number,
        created=created,
        began=began,
        ended=ended,
        state=state,
        attempts=attempts,
    )


def item_text(row: Sequence[Any]) -> str:
    """`[number, id, prompt, extra, outputs]` as JSON, from those columns."""
    number, prompt_id, prompt, extra, wanted = row
    place = int(number) if float(number).is_integer() else number
    return f"[{place},{json.dumps(prompt_id)},{prompt},{extra},{wanted}]"


def _dump(value: object) -> str:
    """A value as JSON; what JSON has no word for becomes null (NaN) or text."""
    return msgspec.json.encode(value, enc_hook=str).decode()
