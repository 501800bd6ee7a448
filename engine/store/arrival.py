"""A prompt that arrives becomes a row: pending, or running where nothing else is pending."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace

from engine.errors import IdTakenError
from engine.store.entries import COLUMNS, Entry, Texts, read_entry
from engine.store.queue_answers import Accepted, NextPrompts
from engine.store.queue_rows import insert, standing


@dataclass(frozen=True, slots=True)
class Arrival:
    """A prompt that is to be stored; `store` is called inside a transaction.

    Attributes:
        entry: what to run.
        texts: of the entry.
        front: before everything that is pending.
        number: its position, if the client chose one.
        begin_at: when it began, in seconds since 1970, if it is the only one; None to leave it
            pending in any case.
        version: of the queue.
        claimed: the ids of prompts that were claimed, whatever their rows say.
    """

    entry: Entry
    texts: Texts
    front: bool
    number: float | None
    begin_at: float | None
    version: int
    claimed: Collection[str]

    def store(self, connection: sqlite3.Connection) -> Accepted:
        """Store it.

        Raises:
            IdTakenError: another prompt has its id.
        """
        return self._begin(connection) or self._wait(connection)

    def _begin(self, connection: sqlite3.Connection) -> Accepted | None:
        """Store it as running; None where it has to wait, or its id is taken."""
        if self.begin_at is None:
            return None
        now = standing(connection, self.claimed)
        if now.pending or now.is_paused:
            return None
        place = self._insert(connection, self.begin_at)
        if place is None:
            return None
        following = NextPrompts((), {}, self.version, is_all=True)
        return Accepted(self._stored(place), now.remaining + 1, begun=True, following=following)

    def _wait(self, connection: sqlite3.Connection) -> Accepted:
        """Store it as pending, or find the same prompt that was stored before."""
        place = self._insert(connection, None)
        is_added = place is not None
        stored = self._same(connection) if place is None else self._stored(place)
        now = standing(connection, self.claimed)
        following = None
        if now.first == stored.id and not now.is_paused:
            following = NextPrompts((stored,), {}, self.version, is_all=now.pending == 1)
        return Accepted(stored, now.remaining, begun=False, following=following, is_added=is_added)

    def _insert(self, connection: sqlite3.Connection, begin_at: float | None) -> float | None:
        return insert(
            connection,
            self.entry,
            self.texts,
            number=self.number,
            front=self.front,
            begin_at=begin_at,
        )

    def _stored(self, place: float) -> Entry:
        return replace(self.entry, number=place, prompt_json=self.texts.prompt)

    def _same(self, connection: sqlite3.Connection) -> Entry:
        """The stored prompt of an id that is taken, where it is the same prompt."""
        prompt_id = self.entry.id
        [(digest, *row)] = connection.execute(
            f"SELECT digest, {COLUMNS} FROM prompts WHERE id = ?", (prompt_id,)
        ).fetchall()
        if digest != self.texts.digest:
            raise IdTakenError(f"another prompt has the id {prompt_id}; send a new id, or none")
        return read_entry(row)
