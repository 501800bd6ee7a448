"""Pending and running prompts: accepted means durable, and each ends in exactly one way.

One table: a prompt's row changes from `queued` to `running` to `done`, `failed` or `stopped`. A
prompt may be sent to a worker before its row says so: `claim` decides that in the event loop, and
from then on the prompt is neither deleted nor moved. While the order changes, nothing is claimed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal

from engine.store.arrival import Arrival
from engine.store.database import Database, Work
from engine.store.entries import (
    COLUMNS,
    End,
    Entry,
    Texts,
    UnreadableError,
    dump,
    read_entry,
    texts_of,
)
from engine.store.id_filter import IdFilter
from engine.store.queue_answers import Accepted, NextPrompts, Recorded
from engine.store.queue_rows import (
    IN_ORDER,
    count,
    first_pending,
    is_paused,
    last_number,
    mark_ended,
    mark_running,
    not_in,
)
from engine.store.recent import RecentEntries
from engine.store.row_texts import ITEM_TEXT

MOST_ATTEMPTS = 5
"""A prompt during which the server died this often is failed instead of queued again."""
_AHEAD, _AHEAD_SIZE = 32, 1 << 20
"""How many of the next prompts are read at once, and how many characters of theirs."""
_STALE = -1
"""The version of an answer that is not current."""


class Queue:
    """The prompts of one database. Its methods are called in one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = 0
        self._orders = 0
        self._changing = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._claimed: set[str] = set()
        self._claimed_meanwhile: set[str] = set()
        self._arriving: set[str] = set()
        self._recent = RecentEntries()
        self._ids = IdFilter()
        self._recovered = False

    def is_new(self, prompt_id: str) -> bool:
        """Whether no stored prompt has this id; False where that is not certain."""
        return self._recovered and prompt_id not in self._ids

    async def put(
        self,
        entry: Entry,
        *,
        texts: Texts | None = None,
        front: bool = False,
        number: float | None = None,
        begin_at: float | None = None,
    ) -> Accepted:
        """Accept a prompt; when this returns it is on disk.

        The same id with the same content is the same prompt, and is returned unchanged.

        Args:
            entry: what to run; its `number` is given here.
            texts: of the entry, where they were made before, in another thread.
            front: before everything that is pending.
            number: its position, if the client chose one.
            begin_at: where a worker is idle, when the prompt began if it is the only one, in
                seconds since 1970: that is stored in the same flush, and no other prompt may be
                claimed meanwhile.

        Raises:
            IdTakenError: another prompt has that id.
            StoreError: the disk refused.
        """
        written = texts or texts_of(entry)
        is_new = self.is_new(entry.id)
        self._ids.add([entry.id])
        if is_new:  # until its caller knows of it, `next` does not return it
            self._arriving.add(entry.id)
        try:
            with self._new_order() if front or number is not None else nullcontext():
                arrival = Arrival(
                    entry, written, front, number, begin_at, self._version, frozenset(self._claimed)
                )
                accepted = await self._database.run(arrival.store)
        finally:
            self._arriving.discard(entry.id)
        if accepted.entry.state == "queued" and not accepted.begun:
            self._recent.add(accepted.entry, written)
        return accepted if is_new else replace(accepted, is_added=False)

    async def next(self) -> NextPrompts:
        """The prompts to run next, without those that arrive or are claimed meanwhile.

        Raises:
            StoreError: the database cannot be read.
        """
        await self._settled.wait()
        orders, taken = self._orders, frozenset(self._claimed)
        meanwhile = self._claimed_meanwhile = set[str]()

        def work(connection: sqlite3.Connection) -> NextPrompts:
            if is_paused(connection):
                return NextPrompts((), {}, _STALE)
            found: list[Entry] = []
            damaged: dict[str, str] = {}
            size = 0
            rows = first_pending(connection, taken, f"digest, {COLUMNS}", _AHEAD)
            for digest, *row in rows:
                try:
                    found.append(self._recent.find(row, digest) or read_entry(row, digest=digest))
                except UnreadableError as error:
                    damaged[row[1]] = str(error)
                    continue
                size += len(found[-1].prompt_json)
                if size > _AHEAD_SIZE:
                    break
            is_all = len(found) + len(damaged) == len(rows) < _AHEAD
            return NextPrompts(tuple(found), damaged, _STALE, is_all)

        found = await self._database.read(work)
        if orders != self._orders:
            return found
        missed = meanwhile | self._arriving
        return NextPrompts(
            tuple(each for each in found.entries if each.id not in missed),
            {each: why for each, why in found.damaged.items() if each not in missed},
            self._version,
            found.is_all,
        )

    def is_current(self, following: NextPrompts) -> bool:
        """Whether the queue has not changed since in a way that puts another prompt first."""
        return following.version == self._version and not self._changing

    def claim(self, following: NextPrompts) -> NextPrompts | None:
        """Claim the next prompt, and damaged ones; None where the queue has changed meanwhile.

        From now on they are neither deleted nor moved. `record` stores that they run.

        Returns:
            the prompts after it.
        """
        if not self.is_current(following):
            return None
        taken = [*following.damaged, *([following.entry.id] if following.entry else [])]
        if taken:
            self._version += 1
            self._claimed.update(taken)
            self._claimed_meanwhile.update(taken)
            self._recent.remove(taken)
        return NextPrompts(following.entries[1:], {}, self._version, following.is_all)

    def claim_begun(self, prompt_id: str) -> None:
        """A worker has begun a prompt that is not claimed: deleted or moved, it may be, before.

        From now on it is neither. `record` says whether it was still pending.
        """
        self._version += 1
        self._claimed.add(prompt_id)
        self._claimed_meanwhile.add(prompt_id)
        self._recent.remove([prompt_id])

    @contextmanager
    def _new_order(self) -> Generator[None]:
        """While other prompts may become the next ones; what was read before or meanwhile is old.

        A prompt claimed meanwhile could be one that is just deleted.
        """
        self._changing += 1
        self._settled.clear()
        self._version += 1
        try:
            yield
        finally:
            self._orders += 1
            self._version += 1
            self._changing -= 1
            if not self._changing:
                self._settled.set()

    async def record(self, began: Mapping[str, float], ends: Sequence[End]) -> Recorded:
        """Store which prompts began and how prompts ended, in one flush; each is independent.

        Args:
            began: by id, when; in seconds since 1970.
            ends: of prompts that run, or are in `began`.
        """
        works: list[Work[Any]] = [mark_running(each, at) for each, at in began.items()]
        works += [mark_ended(end) for end in ends]
        *answers, (remaining, unread) = await self._database.run_together([*works, count])
        names = [*began, *(end.id for end in ends)]
        stored = [error is None for _, error in answers]
        done = [name for name, good in zip(names, stored, strict=True) if good]
        begun = done[: sum(stored[: len(began)])]
        ended = done[len(begun) :]
        was_pending = dict(zip(began, (answer for answer, _ in answers), strict=False))
        missing = frozenset(each for each in begun if not was_pending[each])
        self._claimed.difference_update(begun)
        errors = [error for _, error in answers if error is not None]
        error = errors[0] if errors else unread
        return Recorded(frozenset(begun), frozenset(ended), remaining, error, missing)

    async def requeue(self, prompt_id: str, *, counted: bool) -> None:
        """Make a prompt pending again, at its old position.

        Args:
            prompt_id: of a prompt whose beginning is stored.
            counted: whether this beginning counts as an attempt.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE prompts SET state = 'queued', began = NULL, attempts = attempts - ?"
                " WHERE id = ? AND state = 'running'",
                (0 if counted else 1, prompt_id),
            )

        await self._database.run(work)
        with self._new_order():
            self._claimed.discard(prompt_id)

    async def recover(
        self, now: float, outcome: Callable[[str, str], Mapping[str, Any]]
    ) -> list[str]:
        """After a crash: queue running prompts again, but fail those that ran at every crash.

        Args:
            now: in seconds since 1970.
            outcome: makes the outcome for history from a prompt's id and the reason.

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
                [(dump(outcome(each, reason)), now, each) for (each,) in lost],
            )
            connection.execute(
                "UPDATE prompts SET state = 'queued', began = NULL WHERE state = 'running'"
            )
            self._ids.add(each for (each,) in connection.execute("SELECT id FROM prompts"))
            return [each for (each,) in lost]

        failed = await self._database.run(work)
        self._recovered = True
        return failed

    async def entry(self, prompt_id: str) -> Entry | None:
        """One prompt, whatever its state, or None.

        Raises:
            UnreadableError: its row is damaged.
        """

        def work(connection: sqlite3.Connection) -> Entry | None:
            query = f"SELECT {COLUMNS} FROM prompts WHERE id = ?"
            row = connection.execute(query, (prompt_id,)).fetchone()
            return None if row is None else read_entry(row)

        return await self._database.read(work)

    async def items(
        self, state: Literal["queued", "running"], *, limit: int | None = None, offset: int = 0
    ) -> bytes:
        """Pending or running prompts as JSON: a list of `[number, id, prompt, extra, outputs]`.

        Assembled by SQLite from the stored texts: ten thousand prompts are listed without being
        parsed. Damaged columns are empty.
        """

        def work(connection: sqlite3.Connection) -> bytes:
            found = connection.execute(
                f"SELECT {ITEM_TEXT} FROM {IN_ORDER[state]} LIMIT ? OFFSET ?",
                (-1 if limit is None else limit, offset),
            )
            return f"[{','.join(text for (text,) in found)}]".encode()

        return await self._database.read(work)

    async def remaining(self) -> int:
        """How many are pending or run."""
        return await self._database.read(count)

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete pending prompts; those that run or ended stay. Returns how many."""
        wanted = [(each,) for each in ids if each not in self._claimed]
        self._recent.remove(each for (each,) in wanted)

        def work(connection: sqlite3.Connection) -> int:
            return connection.executemany(
                "DELETE FROM prompts WHERE id = ? AND state = 'queued'", wanted
            ).rowcount

        with self._new_order():
            return await self._database.run(work)

    async def clear(self) -> int:
        """Delete all that is pending. Returns how many."""
        self._recent.clear()
        taken = frozenset(self._claimed)

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(
                f"DELETE FROM prompts WHERE state = 'queued' AND {not_in(taken)}", [*taken]
            ).rowcount

        with self._new_order():
            return await self._database.run(work)

    async def move(self, prompt_id: str, *, before: str | None) -> bool:
        """Move a pending prompt before another one, or, with None, to the end.

        Returns:
            False where the prompt or its new successor is not pending any more.
        """
        taken = frozenset(self._claimed)

        def work(connection: sqlite3.Connection) -> bool:
            rows = first_pending(connection, taken, "id, number", -1)
            ids = [each for each, _ in rows]
            if prompt_id not in ids or (before is not None and before not in ids):
                return False
            if before == prompt_id:
                return True
            rows.pop(ids.index(prompt_id))
            ids.remove(prompt_id)
            at = len(ids) if before is None else ids.index(before)
            # Later prompts get higher numbers, so the last position has an upper bound, too.
            upper = rows[at][1] if at < len(rows) else last_number(connection)
            lower = rows[at - 1][1] if at > 0 else upper - 2.0
            number = (lower + upper) / 2
            places = [(number, prompt_id)]
            if not lower < number < upper:
                ids.insert(at, prompt_id)
                least = rows[0][1] - len(ids)
                places = [(least + place, each) for place, each in enumerate(ids)]
            connection.executemany("UPDATE prompts SET number = ? WHERE id = ?", places)
            return True

        with self._new_order():
            return await self._database.run(work)

    async def pause(self, *, paused: bool) -> None:
        """Pause or resume the queue; the state survives a restart."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO switches (name, is_on) VALUES ('paused', ?)"
                " ON CONFLICT (name) DO UPDATE SET is_on = excluded.is_on",
                (int(paused),),
            )

        with self._new_order():
            await self._database.run(work)

    async def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return await self._database.read(is_paused)
