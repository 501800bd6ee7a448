"""Blocks of memory that a sender uses again: only their first use costs fresh pages.

A block is used again when its receiver has said that it holds nothing of it any more. The receiver
keeps it mapped. Only where memory has no name (`memfd`): nothing is left when processes end.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass

MOST_REUSED = 64 << 20
"""Bytes of the largest block that is used again: its receiver copies what is in it."""
MOST_HELD = 128 << 20
"""Bytes of all blocks of one sender that wait for another use or are in use."""
_SMALLEST = 64 << 10


@dataclass(slots=True)
class SentBlock:
    """A block of the sender's.

    Attributes:
        number: identifies it at the receiver; at least 1.
        descriptor: of its memory; -1 before it is made.
        capacity: its bytes.
        dropped: blocks of this sender that the receiver may forget.
    """

    number: int
    descriptor: int
    capacity: int
    dropped: tuple[int, ...] = ()


class SentBlocks:
    """The blocks of one sender. Several threads may use it."""

    def __init__(self, most_held: int = MOST_HELD) -> None:
        """Start without any; `most_held` bounds their bytes."""
        self._most = most_held
        self._free: dict[int, SentBlock] = {}
        self._used: dict[int, SentBlock] = {}
        self._dropped: list[int] = []
        self._count = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> SentBlock | None:
        """A block with room for these bytes; None where they are too many.

        The caller makes the memory of a new one, and passes `dropped` on.
        """
        if size > MOST_REUSED:
            return None
        with self._lock:
            fitting = [each for each in self._free.values() if each.capacity >= size]
            block = min(fitting, key=lambda each: each.capacity, default=None)
            if block is None:
                block = self._new(1 << max(size - 1, _SMALLEST - 1).bit_length())
                if block is None:
                    return None
            self._free.pop(block.number, None)
            self._used[block.number] = block
            block.dropped, self._dropped = tuple(self._dropped), []
            return block

    def given_back(self, numbers: Iterable[int]) -> None:
        """The receiver holds nothing of these any more; others are ignored."""
        with self._lock:
            for each in numbers:
                block = self._used.pop(each, None)
                if block is not None:
                    self._free[each] = block

    def discard(self, block: SentBlock) -> None:
        """A block was not sent."""
        with self._lock:
            self._used.pop(block.number, None)
            self._drop(block)

    def close(self) -> None:
        """Free all; the receiver may still read what it has mapped."""
        with self._lock:
            for block in (*self._free.values(), *self._used.values()):
                self._drop(block)
            self._free.clear()
            self._used.clear()

    def _new(self, capacity: int) -> SentBlock | None:
        """A block without memory; smaller ones that wait make room for it."""
        held = sum(each.capacity for each in (*self._free.values(), *self._used.values()))
        for each in [*self._free.values()]:
            if held + capacity <= self._most:
                break
            held -= each.capacity
            self._drop(self._free.pop(each.number))
        if held + capacity > self._most:
            return None
        self._count += 1
        return SentBlock(self._count, -1, capacity)

    def _drop(self, block: SentBlock) -> None:
        self._dropped.append(block.number)
        if block.descriptor >= 0:
            os.close(block.descriptor)
            block.descriptor = -1


class ReceivedBlocks:
    """What a receiver has mapped of the other side's blocks, by number."""

    def __init__(self) -> None:
        """Start without any."""
        self._mapped: dict[int, mmap.mmap] = {}

    def find(self, number: int) -> mmap.mmap | None:
        """The memory of a block; None where it was not mapped yet."""
        return self._mapped.get(number)

    def add(self, number: int, descriptor: int) -> mmap.mmap:
        """Map a block, wholly.

        Its mapping is private but never written to, so that what the sender writes is seen (Linux).
        """
        found = mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
        self._mapped[number] = found
        return found

    def forget(self, numbers: Iterable[int]) -> None:
        """The sender has dropped these."""
        for each in numbers:
            self._mapped.pop(each, None)  # unmapped as soon as nothing reads it
