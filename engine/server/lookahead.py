"""Keeps the prompt to run next at hand, so that it can be handed over in the moment it is due.

Knows the queue and no worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from engine.server.logs import LogBook
from engine.store.entries import Entry
from engine.store.queue import Queue
from engine.store.queue_answers import Next

_RETRY_SECONDS = 1.0


class Lookahead:
    """What the queue says is next, as long as that holds.

    Attributes:
        trouble: why the queue cannot be read now, in words; None while all is well.
    """

    def __init__(
        self,
        queue: Queue,
        logs: LogBook,
        *,
        on_known: Callable[[], None],
        on_damaged: Callable[[Mapping[str, str]], None],
    ) -> None:
        """Begin empty.

        Args:
            queue: to look at.
            logs: gets a line for each prompt that cannot be read.
            on_known: called when the next prompt is known again.
            on_damaged: called with the ids of prompts that can never run, and why; they are taken.
        """
        self.trouble: str | None = None
        self._queue = queue
        self._logs = logs
        self._on_known = on_known
        self._on_damaged = on_damaged
        self._next: Next | None = None
        self._offers = 0
        self._due = asyncio.Event()

    @property
    def has_next(self) -> bool:
        """Whether the prompt to run next is known, or is being looked for."""
        known = self._next is not None and self._queue.is_current(self._next)
        return not known or (self._next is not None and self._next.entry is not None)

    def offer(self, following: Next | None) -> None:
        """A prompt was accepted; `following` is what is next, where that prompt decides it."""
        self._offers += 1
        if following is not None and self._queue.is_current(following):
            self._next = following
        elif self._next is None or self._next.entry is None:
            self._due.set()
        else:
            self._next = replace(self._next, is_all=False)

    def take(self) -> Entry | None:
        """The next prompt, handed out to be run; None where none is known."""
        following = self._next
        rest = None if following is None else self._queue.take(following)
        if following is None or rest is None:
            self.refresh()
            return None
        if rest.entry is not None or rest.is_all:
            self._next = rest  # where nothing else is pending, the next `offer` says what follows
        elif following.entry is not None:
            self._next = None
            self._due.set()
        return following.entry

    def refresh(self) -> None:
        """Look again, if the queue has changed."""
        if self._next is None or not self._queue.is_current(self._next):
            self._next = None
            self._due.set()

    async def run(self) -> None:
        """Look whenever that is due, for as long as the server runs."""
        while True:
            await self._due.wait()
            self._due.clear()
            offers = self._offers
            try:
                following = await self._queue.next()
            except Exception as error:  # noqa: BLE001 - it is said, and the queue goes on
                await self._fail(error)
                continue
            self.trouble = None
            if offers != self._offers:  # the read may have missed a prompt that came meanwhile
                following = replace(following, is_all=False)
            missed = offers != self._offers and following.entry is None
            if missed or not self._queue.is_current(following):
                self._due.set()
            elif following.damaged:
                self._queue.take(Next((), following.damaged, following.version))
                self._due.set()
                self._on_damaged(following.damaged)
            else:
                self._next = following
                self._on_known()

    async def _fail(self, error: Exception) -> None:
        said = f"the queue cannot be read: {error}; it is tried again every second"
        if said != self.trouble:
            self._logs.write(f"Calotype: {said}\n")
        self.trouble = said
        await asyncio.sleep(_RETRY_SECONDS)
        self._due.set()
