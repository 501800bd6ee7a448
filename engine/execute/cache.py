"""Results by signature, within a budget of bytes; those that are cheap to make again go first.

GreedyDual-Size with frequency (Cao & Irani 1997, Cherkasova 1998): an entry is worth
`clock + uses * seconds / bytes`, the least worthy one is evicted, and the clock rises to its worth,
so that what was once dear and is never used ages. Holds values without looking at them.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from engine.graph.signature import Signature, is_repeatable

Measure = Callable[[Any], int]
"""How many bytes a value keeps in memory."""
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Known:
    """What a node came to.

    Attributes:
        outputs: for each output a list of values: one, or as many as its inputs' lists gave.
        shown: what the editor draws under the node.
        seconds: what it took to make.
    """

    outputs: tuple[list[Any], ...]
    shown: Mapping[str, list[Any]] | None
    seconds: float


class _Entry:
    """A result and what it is worth."""

    __slots__ = ("held", "known", "size", "ticket", "uses", "worth")

    def __init__(self, known: Known, size: int) -> None:
        self.known = known
        self.size = size
        self.uses = 1
        self.worth = 0.0
        self.ticket = -1
        """The place in the heap that counts; others of this entry are out of date."""
        self.held = True


class Cache:
    """Results of nodes, kept between runs.

    While a run lasts (`holding`), nothing that it put in or got is evicted; when it ends, the
    budget holds again.

    Args:
        budget: bytes that results may keep.
        measure: the size of a value; `size_of` where nothing better is known.
    """

    def __init__(self, budget: int, *, measure: Measure | None = None) -> None:
        self.budget = budget
        self._measure = measure or size_of
        self._entries: dict[Signature, _Entry] = {}
        self._heap: list[tuple[float, int, Signature]] = []
        self._tickets = itertools.count()
        self._clock = 0.0
        self._size = 0
        self._held: list[Signature] = []
        self._holders = 0

    @property
    def size(self) -> int:
        """Bytes that results keep now."""
        return self._size

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, signature: object) -> bool:
        return signature in self._entries

    def signatures(self) -> frozenset[Signature]:
        """Whose results are kept."""
        return frozenset(self._entries)

    def get(self, signature: Signature) -> Known | None:
        """The result of that signature, which counts as a use, or None."""
        entry = self._entries.get(signature)
        if entry is None:
            return None
        entry.uses += 1
        self._hold(signature, entry)
        return entry.known

    def put(self, signature: Signature, known: Known) -> None:
        """Keep a result; one whose signature never comes up again is not kept."""
        if not is_repeatable(signature):
            return
        size = max(1, sum(self._measure(value) for slot in known.outputs for value in slot))
        if size > self.budget:
            return
        self._drop(signature)
        entry = self._entries[signature] = _Entry(known, size)
        entry.held = False
        self._size += size
        self._hold(signature, entry)
        if self._size > self.budget:
            self._shrink()

    def clear(self) -> None:
        """Forget every result."""
        self._entries.clear()
        self._heap.clear()
        self._held.clear()
        self._size = 0
        self._clock = 0.0

    def release(self, wanted: int) -> int:
        """Evict until that many bytes are free, as far as possible; returns the bytes freed."""
        before = self._size
        self._shrink(max(0, before - wanted))
        return before - self._size

    @contextmanager
    def holding(self) -> Generator[None]:
        """While this lasts, evict nothing that is put in or got."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                held, self._held = self._held, []
                for signature in held:
                    entry = self._entries.get(signature)
                    if entry is not None and entry.held:
                        entry.held = False
                        self._rank(signature, entry)
                self._shrink()

    def _hold(self, signature: Signature, entry: _Entry) -> None:
        if self._holders:
            if not entry.held:
                entry.held = True
                entry.ticket = -1
                self._held.append(signature)
        else:
            entry.held = False
            self._rank(signature, entry)

    def _rank(self, signature: Signature, entry: _Entry) -> None:
        entry.worth = self._clock + entry.uses * entry.known.seconds / entry.size
        entry.ticket = next(self._tickets)
        heapq.heappush(self._heap, (entry.worth, entry.ticket, signature))

    def _shrink(self, budget: int | None = None) -> None:
        limit = self.budget if budget is None else budget
        while self._size > limit and self._heap:
            worth, ticket, signature = heapq.heappop(self._heap)
            entry = self._entries.get(signature)
            if entry is not None and entry.ticket == ticket:
                self._clock = worth
                self._drop(signature)
        if len(self._heap) > 2 * len(self._entries) + 64:
            current = {entry.ticket for entry in self._entries.values()}
            self._heap = [place for place in self._heap if place[1] in current]
            heapq.heapify(self._heap)

    def _drop(self, signature: Signature) -> None:
        entry = self._entries.pop(signature, None)
        if entry is not None:
            self._size -= entry.size


def size_of(value: Any) -> int:
    """About how many bytes a value keeps: `nbytes` where it has that, else what Python says.

    Looks into lists, tuples and dicts, a few levels deep; a part met twice counts twice.
    """
    total = 0
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for each in level:
            nbytes = getattr(each, "nbytes", None)
            if isinstance(nbytes, int):
                total += nbytes
                continue
            total += sys.getsizeof(each)
            if isinstance(each, list | tuple):
                inner += cast("list[Any]", each)
            elif isinstance(each, dict):
                inner += cast("dict[Any, Any]", each).values()
        if not inner:
            break
        level = inner
    return total
