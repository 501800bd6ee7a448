"""Pending and running prompts: accepted means durable, and each ends in exactly one way.

One table: a prompt's row moves from `queued` to `running` to `done`, `failed` or `stopped`. A
prompt may be handed to a worker before its row says so: `take` decides that in the event loop, and
what would delete or move the prompt leaves it alone from then on. Knows nothing of what a prompt
means.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from engine.errors import IdTakenError
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
from engine.store.queue_rows import (
    IN_ORDER,
    begin,
    count,
    finish,
    heads,
    insert,
    is_paused,
    next_number,
    not_in,
)
from engine.store.row_texts import ITEM_TEXT

MOST_ATTEMPTS = 5
"""A prompt during which the server died this often is failed instead of queued again."""


_AHEAD, _AHEAD_SIZE = 8, 1 << 20
"""How many of the next prompts are read at once, and how many characters of theirs."""


@dataclass(frozen=True, slots=True)
class Next:
    """The prompts to run next, as the queue stood at one moment.

    Attributes:
        entries: in their order, the first few; none where the queue is paused or empty.
        damaged: ids of pending prompts before it whose rows cannot be read, and why.
        version: of the queue; `Queue.take` compares it.
    """

    entries: tuple[Entry, ...]
    damaged: Mapping[str, str]
    version: int

    @property
    def entry(self) -> Entry | None:
        """The very next one."""
        return self.entries[0] if self.entries else None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A prompt that was put in.

    Attributes:
        entry: as it is stored.
        remaining: how many are pending or run.
        following: the prompt itself, where it is the one to run next.
    """

    entry: Entry
    remaining: int
    following: Next | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is on disk of beginnings and ends.

    Attributes:
        began: the ids of which the beginning is stored, or which are not there any more.
        ended: the ids of which the end is stored.
        remaining: how many are pending or run; None where the database cannot be read.
        error: why the others are not stored yet.
    """

    began: Collection[str]
    ended: Collection[str]
    remaining: int | None
    error: Exception | None


class Queue:
    """The prompts of one database. Its methods are called in one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = 0
        self._taken: set[str] = set()

    async def put(
        self,
        entry: Entry,
        *,
        texts: Texts | None = None,
        front: bool = False,
        number: float | None = None,
    ) -> Accepted:
        """Accept a prompt; when this returns it is on disk.

        The same id with the same content again is the same prompt, and is returned as it stands.

        Args:
            entry: what to run; its `number` is given here.
            texts: of the entry, where they were made before, in another thread.
            front: before everything that is pending.
            number: its place, where a client says so.

        Raises:
            IdTakenError: another prompt has that id.
            StoreError: the disk refused.
        """
        written = texts or texts_of(entry)
        if front or number is not None:
            self._version += 1
        version, taken = self._version, frozenset(self._taken)

        def work(connection: sqlite3.Connection) -> tuple[Entry, int, bool]:
            found = connection.execute(
                f"SELECT digest, {COLUMNS} FROM prompts WHERE id = ?", (entry.id,)
            ).fetchone()
            if found is None:
                place = number if number is not None else next_number(connection, front=front)
                insert(connection, entry, written, place)
                stored = replace(entry, number=place, prompt_json=written.prompt)
            elif found[0] == written.digest:
                stored = read_entry(found[1:])
            else:
                raise IdTakenError(f"another prompt has the id {entry.id}; send a new id, or none")
            head = None if is_paused(connection) else heads(connection, taken, "id", 1)
            return stored, count(connection), head == [(stored.id,)]

        stored, remaining, is_next = await self._database.run(work)
        following = Next((stored,), {}, version) if is_next else None
        return Accepted(stored, remaining, following)

    async def next(self) -> Next:
        """The prompt to run next.

        Raises:
            StoreError: the database cannot be read.
        """
        version, taken = self._version, frozenset(self._taken)

        def work(connection: sqlite3.Connection) -> Next:
            if is_paused(connection):
                return Next((), {}, version)
            found: list[Entry] = []
            damaged: dict[str, str] = {}
            size = 0
            for digest, *row in heads(connection, taken, f"digest, {COLUMNS}", _AHEAD):
                try:
                    found.append(read_entry(row, digest=digest))
                except UnreadableError as error:
                    damaged[row[1]] = str(error)
                    continue
                size += len(found[-1].prompt_json)
                if size > _AHEAD_SIZE:
                    break
            return Next(tuple(found), damaged, version)

        return await self._database.read(work)

    def is_current(self, following: Next) -> bool:
        """Whether nothing has changed since that could put another prompt first."""
        return following.version == self._version

    def take(self, following: Next) -> Next | None:
        """Hand the next prompt, and damaged ones, out; None where the queue has changed meanwhile.

        From now on they are neither deleted nor moved. `record` stores that they run.

        Returns:
            what follows then.
        """
        if not self.is_current(following):
            return None
        taken = [*following.damaged, *([following.entry.id] if following.entry else [])]
        if taken:
            self._version += 1
            self._taken.update(taken)
        return Next(following.entries[1:], {}, self._version)

    async def record(self, began: Mapping[str, float], ends: Sequence[End]) -> Recorded:
        """Store which prompts began and how prompts ended, all in one flush; each stands alone.

        Args:
            began: by id, when; in seconds since 1970.
            ends: of prompts that run, or are in `began`.
        """
        works: list[Work[Any]] = [begin(each, at) for each, at in began.items()]
        works += [finish(end) for end in ends]
        futures = self._database.submit_together([*works, count])
        found = await asyncio.gather(
            *(asyncio.wrap_future(each) for each in futures), return_exceptions=True
        )
        *answers, remaining = found
        names = [*began, *(end.id for end in ends)]
        stored = [not isinstance(answer, BaseException) for answer in answers]
        done = [name for name, good in zip(names, stored, strict=True) if good]
        begun = done[: sum(stored[: len(began)])]
        ended = done[len(begun) :]
        self._taken.difference_update(begun)
        errors = [each for each in found if isinstance(each, Exception)]
        return Recorded(
            frozenset(begun),
            frozenset(ended),
            remaining if isinstance(remaining, int) else None,
            errors[0] if errors else None,
        )

    async def give_back(self, prompt_id: str, *, counted: bool) -> None:
        """Let a prompt be pending again, in its old place.

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
        self._version += 1
        self._taken.discard(prompt_id)

    async def recover(
        self, now: float, outcome: Callable[[str, str], Mapping[str, Any]]
    ) -> list[str]:
        """After a crash: queue again what ran, but fail what was running at every one of them.

        Args:
            now: in seconds since 1970.
            outcome: from a prompt's id and the reason, what history is to show of it.

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
            return [each for (each,) in lost]

        return await self._database.run(work)

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
        """What is pending or runs, as JSON: a list of `[number, id, prompt, extra, outputs]`.

        Put together by SQLite from the stored texts: ten thousand prompts need not be read to be
        listed. What is damaged in a row is empty.
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
        self._version += 1
        wanted = [(each,) for each in ids if each not in self._taken]

        def work(connection: sqlite3.Connection) -> int:
            return connection.executemany(
                "DELETE FROM prompts WHERE id = ? AND state = 'queued'", wanted
            ).rowcount

        return await self._database.run(work)

    async def clear(self) -> int:
        """Delete all that is pending. Returns how many."""
        self._version += 1
        taken = frozenset(self._taken)

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(
                f"DELETE FROM prompts WHERE state = 'queued' AND {not_in(taken)}", [*taken]
            ).rowcount

        return await self._database.run(work)

    async def move(self, prompt_id: str, *, before: str | None) -> bool:
        """Put a pending prompt before another one, or, with None, behind all.

        Returns:
            False where the prompt, or the one it was to stand before, is not pending any more.
        """
        self._version += 1
        taken = frozenset(self._taken)

        def work(connection: sqlite3.Connection) -> bool:
            rows = heads(connection, taken, "id, number", -1)
            ids = [each for each, _ in rows]
            if prompt_id not in ids or (before is not None and before not in ids):
                return False
            if before == prompt_id:
                return True
            rows.pop(ids.index(prompt_id))
            ids.remove(prompt_id)
            at = len(ids) if before is None else ids.index(before)
            # Those who come later stand behind, so the last place has an upper neighbour, too.
            upper = rows[at][1] if at < len(rows) else next_number(connection, front=False)
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
        """Begin no pending prompt from now on, or do so again; a restart changes nothing."""
        self._version += 1

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO switches (name, is_on) VALUES ('paused', ?)"
                " ON CONFLICT (name) DO UPDATE SET is_on = excluded.is_on",
                (int(paused),),
            )

        await self._database.run(work)

    async def is_paused(self) -> bool:
        """Whether pending prompts are held back."""
        return await self._database.read(is_paused)
