"""Decides which weights are resident on the device and which are evicted. A pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Placement:
    """A decision.

    Attributes:
        resident: bytes that each may have on the device; if fewer than its size, the rest of it is
            streamed while it runs.
        evicted: what is removed from the device.
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
    """Place what is in use, then retain as much of the rest as fits, most recently used first.

    Args:
        sizes: bytes of everything that is or should be on the device, least recently used first.
        budget: bytes for weights; below zero counts as zero.
        in_use: what must be able to run now. If it does not all fit, the largest is streamed:
            streaming one large item costs less than streaming many.
        least: the fewest bytes with which an item can be streamed; 0 by default. Each gets them
            before any gets more.
        kept: bytes that may stay on the device, unless the minimum is larger; None: all of the
            budget.
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

    They are spread evenly over the module, so that the copy of one overlaps with the computing of
    its neighbours. The resident blocks never exceed `resident`.
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
    """Divide under a hard limit: which blocks are streamed, and the bytes of one slot.

    The slots of streamed blocks also count towards `allowed`. None if not even the largest block
    fits alone. If fewer slots than requested fit, fewer are used; call again with that number.

    Args:
        sizes: bytes of each block when resident.
        allowed: bytes for all of it.
        slots: the number of blocks in transfer at a time.
        passing: bytes of each block in a slot; by default the same as `sizes`.
    """
    passing = sizes if passing is None else passing
    largest = max(passing, default=0)
    if slots * largest > allowed:
        return None
    streamed = streamed_blocks(sizes, allowed - slots * largest)
    return streamed, max((passing[index] for index in streamed), default=0)
