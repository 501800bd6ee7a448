"""Reads the next prompts before their turn, so that they can be sent without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from engine.server.logs import LogBook
from engine.store.entries import Entry
from engine.store.queue import Queue
from engine.store.queue_answers import Accepted, NextPrompts

_RETRY_SECONDS = 1.0
_FEW = 8
"""With fewer prompts known, more are read."""
_MANY = 32
"""No more are noted as they arrive."""


class Lookahead:
    """The next prompts, until the queue changes.

    Attributes:
        problem: why the queue cannot be read now, as a sentence; None if it can.
    """

    def __init__(
        self,
        queue: Queue,
        logs: LogBook,
        *,
        on_available: Callable[[], None],
        on_damaged: Callable[[Mapping[str, str]], None],
    ) -> None:
        """Start empty.

        Args:
            queue: to read.
            logs: gets a line for each prompt that cannot be read.
            on_available: called when the next prompts have been read.
            on_damaged: called with the claimed ids of prompts that can never run, and why.
        """
        self.problem: str | None = None
        self._queue = queue
        self._logs = logs
        self._on_available = on_available
        self._on_damaged = on_damaged
        self._next: NextPrompts | None = None
        self._offers = 0
        self._due = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether it is certain that no prompt is pending, and that the queue is not paused."""
        known = self._next
        return (
            known is not None
            and known.is_all
            and known.entry is None
            and self._queue.is_current(known)
        )

    @property
    def is_current(self) -> bool:
        """Whether the order of what is known is still that of the queue."""
        return self._next is not None and self._queue.is_current(self._next)

    def peek(self, place: int) -> Entry | None:
        """The prompt at a place, 0 for the very next one; None where it is not known."""
        entries = self._next.entries if self._next is not None and self.is_current else ()
        return entries[place] if place < len(entries) else None

    def offer(self, put: Accepted) -> None:
        """A prompt was accepted: it may be the next one, or the last of those that are known."""
        self._offers += 1
        known, entry = self._next, put.entry
        if put.following is not None and self._queue.is_current(put.following):
            self._next = put.following
        elif known is None or not known.entries:
            self._due.set()
        elif (
            put.is_added
            and known.is_all
            and self.is_current
            and entry.number >= known.entries[-1].number
            and len(known.entries) < _MANY
        ):
            self._next = replace(known, entries=(*known.entries, entry))
        else:
            self._next = replace(known, is_all=False)
            self._read_more()

    def claim(self) -> Entry | None:
        """Claim the next prompt; None where none has been read."""
        following = self._next
        rest = None if following is None else self._queue.claim(following)
        if following is None or rest is None:
            self.refresh()
            return None
        self._next = rest  # where nothing else is pending, the next `offer` says what follows
        if not rest.is_all and following.entry is not None:
            self._read_more()
        return following.entry

    def refresh(self) -> None:
        """Read again, if the queue has changed."""
        if self._next is None or not self._queue.is_current(self._next):
            self._next = None
            self._due.set()

    def _read_more(self) -> None:
        if self._next is None or len(self._next.entries) < _FEW:
            self._due.set()

    async def run(self) -> None:
        """Read whenever needed, for as long as the server runs."""
        while True:
            await self._due.wait()
            self._due.clear()
            offers = self._offers
            try:
                following = await self._queue.next()
            except Exception as error:  # noqa: BLE001 - it is reported, and tried again
                await self._fail(error)
                continue
            self.problem = None
            if offers != self._offers:  # the read may have missed a prompt that came meanwhile
                following = replace(following, is_all=False)
            missed = offers != self._offers and following.entry is None
            if missed or not self._queue.is_current(following):
                self._due.set()
            elif following.damaged:
                self._queue.claim(NextPrompts((), following.damaged, following.version))
                self._due.set()
                self._on_damaged(following.damaged)
            else:
                self._next = following
                self._on_available()

    async def _fail(self, error: Exception) -> None:
        problem = f"the queue cannot be read: {error}; it is tried again every second"
        if problem != self.problem:
            self._logs.write(f"Calotype: {problem}\n")
        self.problem = problem
        await asyncio.sleep(_RETRY_SECONDS)
        self._due.set()
