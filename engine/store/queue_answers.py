"""The results of the queue's methods: the next prompts, an accepted one, what was recorded.

Plain values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.store.entries import Entry


@dataclass(frozen=True, slots=True)
class NextPrompts:
    """The prompts to run next, as the queue stood at one moment.

    Attributes:
        entries: in their order, the first few; none where the queue is paused or empty.
        damaged: ids of pending prompts before it whose rows cannot be read, and why.
        version: of the queue; `Queue.claim` compares it.
        is_all: whether no prompt was pending besides these.
    """

    entries: tuple[Entry, ...]
    damaged: Mapping[str, str]
    version: int
    is_all: bool = False

    @property
    def entry(self) -> Entry | None:
        """The very next one."""
        return self.entries[0] if self.entries else None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A prompt that was accepted.

    Attributes:
        entry: as it is stored.
        remaining: how many are pending or run.
        begun: whether its row says that it runs.
        following: what is to run next, where this prompt decides that: the prompt itself, or, where
            it has begun, nothing.
        is_added: whether it is pending now and no other call has returned it.
    """

    entry: Entry
    remaining: int
    begun: bool
    following: NextPrompts | None
    is_added: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is on disk of beginnings and ends.

    Attributes:
        began: the ids of prompts whose beginning is stored, or which no longer exist.
        ended: the ids of prompts whose end is stored.
        remaining: how many are pending or run; None where the database cannot be read.
        error: why the others are not stored yet.
        missing: those of `began` that were not pending any more.
    """

    began: Collection[str]
    ended: Collection[str]
    remaining: int | None
    error: Exception | None
    missing: Collection[str] = frozenset()
