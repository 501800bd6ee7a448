"""Cached results by signature, within a budget of bytes; the cheapest to recompute go first.

GreedyDual-Size with frequency (Cao & Irani 1997, Cherkasova 1998): an entry is worth
`clock + uses * seconds / bytes`, the least worthy one is evicted, and the clock rises to its worth,
so that an expensive result that is never used again ages. A buffer that several results share
counts once, and is released with the last of them. Values are not inspected.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engine.execute.sizes import Parts, parts_of
from engine.graph.signature import Signature, is_repeatable

MOST_RECORDS = 10_000
"""Evicted results whose display in the editor is retained."""
Measure = Callable[[Iterable[Any]], Parts]
"""What values keep in memory: bytes by the address of each buffer and object."""


@dataclass(frozen=True, slots=True)
class NodeResult:
    """The outputs of a node that was called.

    Attributes:
        outputs: for each output a list of values: one, or as many as its inputs' lists gave.
        shown: what the editor draws under the node.
        seconds: what it took to make.
    """

    outputs: tuple[list[Any], ...]
    shown: Mapping[str, list[Any]] | None
    seconds: float


class _Entry:
    """A result and its priority."""

    __slots__ = ("parts", "pinned", "priority", "result", "size", "ticket", "uses")

    def __init__(self, result: NodeResult, parts: Parts) -> None:
        self.result = result
        self.parts = parts
        self.size = max(1, sum(parts.values()))
        self.uses = 1
        self.priority = 0.0
        self.ticket = -1
        """The place in the heap that counts; others of this entry are out of date."""
        self.pinned = True


class Cache:
    """Results of nodes, retained between runs.

    While a run lasts (`pinning`), nothing that it put in or got is evicted, unless it was released;
    when the run ends, the budget holds again. Of a result that is evicted, what its node showed is
    retained as a *record*: a picture that was saved need not be saved again.

    Args:
        budget: bytes that results may take.
        measure: the memory of values; `parts_of` where nothing better is known.
    """

    def __init__(self, budget: int, *, measure: Measure | None = None) -> None:
        self.budget = budget
        self._measure = measure or parts_of
        self._entries: dict[Signature, _Entry] = {}
        self._heap: list[tuple[float, int, Signature]] = []
        self._tickets = itertools.count()
        self._clock = 0.0
        self._size = 0
        self._shares: dict[int, tuple[int, int]] = {}
        """How many entries keep the part at an address, and its bytes."""
        self._pinned: list[Signature] = []
        self._holders = 0
        self._records: dict[Signature, NodeResult] = {}
        self._added: set[Signature] = set()
        self._dropped: set[Signature] = set()

    @property
    def size(self) -> int:
        """Bytes that results take now, shared ones counted once."""
        return self._size

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, signature: object) -> bool:
        return signature in self._entries

    def changes(self) -> tuple[set[Signature], set[Signature]]:
        """Whose results, or records of them, were added and dropped since the last call."""
        found = self._added, self._dropped
        self._added, self._dropped = set(), set()
        return found

    def get(self, signature: Signature) -> NodeResult | None:
        """The result of that signature, which counts as a use, or None."""
        entry = self._entries.get(signature)
        if entry is None:
            return None
        entry.uses += 1
        self._hold(signature, entry)
        return entry.result

    def peek(self, signature: Signature) -> NodeResult | None:
        """The result of that signature, or None; counts as no use."""
        entry = self._entries.get(signature)
        return entry.result if entry else None

    def record(self, signature: Signature) -> NodeResult | None:
        """What the node of an evicted result showed, as a result without outputs, or None."""
        return self._records.get(signature)

    def remove(self, signature: Signature) -> None:
        """Delete the result of that signature and its record, if there are any."""
        self._drop(signature)
        self._drop_record(signature)

    def remove_if(self, is_wanted: Callable[[NodeResult], bool]) -> None:
        """Delete the results that the function accepts."""
        for signature in [name for name, each in self._entries.items() if is_wanted(each.result)]:
            self.remove(signature)

    def unpin(self, signature: Signature) -> None:
        """Allow a result to be evicted although the run that holds it goes on."""
        entry = self._entries.get(signature)
        if entry is not None and entry.pinned:
            entry.pinned = False
            self._rank(signature, entry)
            if self._size > self.budget:
                self._shrink()

    def put(self, signature: Signature, result: NodeResult) -> None:
        """Store a result; one whose signature never comes up again is not stored."""
        if not is_repeatable(signature):
            return
        entry = _Entry(result, self._measure(result.outputs))
        if entry.size > self.budget:
            self._drop(signature)
            self._put_record(signature, result)
            return
        self._drop(signature)
        self._drop_record(signature)
        self._entries[signature] = entry
        self._note(signature, self._added, self._dropped)
        self._count(entry.parts)
        entry.pinned = False
        self._hold(signature, entry)
        if self._size > self.budget:
            self._shrink()

    def clear(self) -> None:
        """Delete every result."""
        for signature in (*self._entries, *self._records):
            self._note(signature, self._dropped, self._added)
        self._records.clear()
        self._entries.clear()
        self._shares.clear()
        self._heap.clear()
        self._pinned.clear()
        self._size = 0
        self._clock = 0.0

    def release(self, wanted: int) -> int:
        """Evict until that many bytes are free, as far as possible; returns the bytes freed."""
        before = self._size
        self._shrink(max(0, before - wanted))
        return before - self._size

    @contextmanager
    def pinning(self) -> Generator[None]:
        """While this lasts, evict nothing that is put in or got."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                pinned, self._pinned = self._pinned, []
                for signature in pinned:
                    entry = self._entries.get(signature)
                    if entry is not None and entry.pinned:
                        entry.pinned = False
                        self._rank(signature, entry)
                self._shrink()

    def _hold(self, signature: Signature, entry: _Entry) -> None:
        if self._holders:
            if not entry.pinned:
                entry.pinned = True
                entry.ticket = -1
                self._pinned.append(signature)
        else:
            entry.pinned = False
            self._rank(signature, entry)

    def _rank(self, signature: Signature, entry: _Entry) -> None:
        entry.priority = self._clock + entry.uses * entry.result.seconds / entry.size
        entry.ticket = next(self._tickets)
        heapq.heappush(self._heap, (entry.priority, entry.ticket, signature))

    def _shrink(self, budget: int | None = None) -> None:
        limit = self.budget if budget is None else budget
        while self._size > limit and self._heap:
            priority, ticket, signature = heapq.heappop(self._heap)
            entry = self._entries.get(signature)
            if entry is not None and entry.ticket == ticket:
                self._clock = priority
                self._drop(signature)
                self._put_record(signature, entry.result)
        if len(self._heap) > 2 * len(self._entries) + 64:
            current = {entry.ticket for entry in self._entries.values()}
            self._heap = [place for place in self._heap if place[1] in current]
            heapq.heapify(self._heap)

    def _drop(self, signature: Signature) -> None:
        entry = self._entries.pop(signature, None)
        if entry is None:
            return
        self._note(signature, self._dropped, self._added)
        shares = self._shares
        for address in entry.parts:
            count, size = shares[address]
            if count > 1:
                shares[address] = (count - 1, size)
            else:
                del shares[address]
                self._size -= size

    def _put_record(self, signature: Signature, result: NodeResult) -> None:
        if not result.shown:
            return
        self._drop_record(signature)
        self._records[signature] = NodeResult((), result.shown, result.seconds)
        self._note(signature, self._added, self._dropped)
        if len(self._records) > MOST_RECORDS:
            self._drop_record(next(iter(self._records)))

    def _drop_record(self, signature: Signature) -> None:
        if self._records.pop(signature, None) is not None:
            self._note(signature, self._dropped, self._added)

    @staticmethod
    def _note(signature: Signature, now: set[Signature], before: set[Signature]) -> None:
        """Note a change, which may cancel one that was not read yet."""
        if signature in before:
            before.remove(signature)
        else:
            now.add(signature)

    def _count(self, parts: Parts) -> None:
        shares = self._shares
        for address, size in parts.items():
            before = shares.get(address)
            if before is None:
                shares[address] = (1, size)
                self._size += size
            else:
                shares[address] = (before[0] + 1, before[1])
