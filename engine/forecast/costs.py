"""Estimates what work will cost from past costs: seconds, and peak bytes.

Gives no estimate without data: work with other weights is other work, and only the size of a
picture and the number of steps are extrapolated.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median_low

from engine.forecast.work import Work
from engine.store.costs import CostRow

LATEST = 5
"""How many of the latest runs count: the machine may have changed since earlier ones."""
NEAR = 1.5
"""Memory that is known for another size is taken up to this factor: it does not grow with size."""

_Kind = tuple[str, str, bool]
_Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one node will take; each None where nothing is known."""

    seconds: float | None
    memory: int | None


NOTHING_KNOWN = Cost(None, None)


class Costs:
    """Past costs by work. Thread-safe."""

    def __init__(self, rows: Iterable[CostRow] = ()) -> None:
        self._rows: dict[_Kind, dict[_Size, CostRow]] = {}
        self._warm: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        for row in rows:
            self._put(row)

    def decay(self) -> None:
        """A new process runs from now on: it has loaded nothing."""
        with self._lock:
            self._warm.clear()

    def learn(self, work: Work, seconds: float, memory: int) -> CostRow:
        """Note what work took; returns the row to be stored."""
        with self._lock:
            warm = (work.class_type, work.weights) in self._warm
            self._warm.add((work.class_type, work.weights))
            known = self._rows.get((work.class_type, work.weights, warm), {})
            before = known.get((work.pixels, work.steps))
            latest = (*(before.seconds if before else ()), round(seconds, 4))[-LATEST:]
            row = CostRow(
                work.class_type,
                work.weights,
                work.pixels,
                work.steps,
                warm,
                latest,
                memory or (before.memory if before else 0),
            )
            self._put(row)
            return row

    def of(self, work: Work) -> Cost:
        """What work will take."""
        with self._lock:
            warm = (work.class_type, work.weights) in self._warm
            for each in (warm, not warm):
                known = self._rows.get((work.class_type, work.weights, each))
                if known:
                    return Cost(_seconds(known, work), _memory(known, work))
        return NOTHING_KNOWN

    def _put(self, row: CostRow) -> None:
        kind = (row.class_type, row.weights, row.warm)
        self._rows.setdefault(kind, {})[row.pixels, row.steps] = row


def _seconds(known: dict[_Size, CostRow], work: Work) -> float | None:
    """Of the same size, else between the next smaller and larger, else in proportion."""
    exact = known.get((work.pixels, work.steps))
    if exact is not None:
        return median_low(exact.seconds)
    size = _amount(work.pixels, work.steps)
    points = sorted(
        (_amount(*each), median_low(row.seconds))
        for each, row in known.items()
        if bool(each[0]) == bool(work.pixels)
    )
    if not points:
        return None
    below = [point for point in points if point[0] <= size]
    above = [point for point in points if point[0] > size]
    if not below or not above:
        amount, seconds = (below or above)[-1 if below else 0]
        return seconds * size / amount
    (small, low), (large, high) = below[-1], above[0]
    return low + (high - low) * (size - small) / (large - small)


def _memory(known: dict[_Size, CostRow], work: Work) -> int | None:
    """Of the nearest size, where that is near; the number of steps does not matter."""
    best: tuple[float, int] | None = None
    for (pixels, _), row in known.items():
        if not row.memory or bool(pixels) != bool(work.pixels):
            continue
        ratio = max(pixels, work.pixels) / min(pixels, work.pixels) if pixels else 1.0
        if ratio <= NEAR and (best is None or ratio < best[0]):
            best = (ratio, row.memory)
    return best[1] if best else None


def _amount(pixels: int, steps: int) -> int:
    return max(pixels, 1) * steps
