"""Decides which weights are resident on the device and which are evicted. A pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Placement:
    """A decision.

    Attributes:
        resident: bytes that each may keep on the device; fewer than its size means that the rest of
            it is streamed while it runs.
        evicted: what leaves the device.
    """

    resident: Mapping[str, int]
    evicted: tuple[str, ...]


def plan(
    sizes: Mapping[str, int],
    budget: int,
    in_use: Sequence[str],
    *,
    least: Mapping[str, int] = MappingProxyType({}),
    kept: int | None = None,
) -> Placement:
    """Place what is in use, then keep as much of the rest as fits, the latest used first.

    Args:
        sizes: bytes of everything that is or should be on the device, the longest unused first.
        budget: bytes for weights; below zero counts as zero.
        in_use: what must be able to run now. If it does not fit together, the largest of it gives
            way: streaming one big thing costs less than streaming many.
        least: bytes without which a thing cannot even be streamed; 0 by default. Each has them
            before any has more.
        kept: bytes that may stay on the device, unless even the least takes more; None: all of
            the budget.
    """
    left = max(budget, 0)
    using = sorted(set(in_use), key=lambda name: (sizes[name], name))
    resident: dict[str, int] = {}
    for name in using:
        resident[name] = min(least.get(name, 0), sizes[name], left)
        left -= resident[name]
    if kept is not None:
        left = max(min(left, kept - sum(resident.values())), 0)
    for name in using:
        more = min(sizes[name] - resident[name], left)
        resident[name] += more
        left -= more
    evicted: list[str] = []
    for name in reversed(tuple(sizes)):
        if name in resident:
            continue
        if sizes[name] <= left:
            resident[name] = sizes[name]
            left -= sizes[name]
        else:
            evicted.append(name)
    return Placement(resident, tuple(reversed(evicted)))


def streamed_blocks(sizes: Sequence[int], resident: int) -> frozenset[int]:
    """Which blocks of a module are streamed when only `resident` bytes of it may stay.

    They are spread evenly over its length, so that the copy of one hides behind the computing of
    its neighbours. What stays never exceeds `resident`.
    """
    total = sum(sizes)
    outside = max(total - max(resident, 0), 0)
    streamed: set[int] = set()
    passed = sent = 0
    for index, size in enumerate(sizes):
        passed += size
        if sent * total < outside * passed:
            streamed.add(index)
            sent += size
    return frozenset(streamed)


def resident_beside_slots(
    sizes: Sequence[int], allowed: int, slots: int, passing: Sequence[int] | None = None
) -> tuple[frozenset[int], int] | None:
    """Streaming under a hard limit: which blocks are streamed, and the bytes of one slot.

    The slots of streamed blocks count towards `allowed`, too. None if not even one largest block
    fits with nothing else there. Fewer slots than asked for are taken when that is all that fits;
    ask again with that number.

    Args:
        sizes: bytes of each block where it stays.
        allowed: bytes for all of it.
        slots: how many blocks are on their way at a time.
        passing: bytes of each block in a slot; as many as where it stays by default.
    """
    passing = sizes if passing is None else passing
    largest = max(passing, default=0)
    if slots * largest > allowed:
        return None
    streamed = streamed_blocks(sizes, allowed - slots * largest)
    return streamed, max((passing[index] for index in streamed), default=0)
