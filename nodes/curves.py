"""Curves drawn through points, as tables of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from engine.errors import NodeError

ENTRIES = 256
MOST_POINTS = 1000


def table_of(curve: Any, entries: int = ENTRIES) -> list[float]:
    """The curve's values at equal steps from 0 to 1, each from 0 to 1.

    Between points it is a monotone cubic (Fritsch and Carlson 1980), or straight if the curve's
    `interpolation` is `linear`; outside of them it stays level.

    Raises:
        NodeError: it is no curve.
    """
    xs, ys, straight = _points(curve)
    slopes = _slopes(xs, ys)
    found: list[float] = []
    at = 0
    for index in range(entries):
        x = index / (entries - 1)
        while at + 2 < len(xs) and x > xs[at + 1]:
            at += 1
        if len(xs) == 1 or x <= xs[0]:
            value = ys[0]
        elif x >= xs[-1]:
            value = ys[-1]
        else:
            value = _between(x, at, xs, ys, None if straight else slopes)
        found.append(min(max(value, 0.0), 1.0))
    return found


def _points(curve: Any) -> tuple[list[float], list[float], bool]:
    if isinstance(curve, Mapping):
        points, kind = curve.get("points") or (), curve.get("interpolation")
    else:
        points, kind = curve, None
    try:
        found = sorted({float(x): float(y) for x, y in points}.items())
    except (TypeError, ValueError) as error:
        raise NodeError(
            f"{str(curve)[:60]!r} is no curve; one has points [[0, 0], ..., [1, 1]]"
        ) from error
    if not 0 < len(found) <= MOST_POINTS:
        raise NodeError(f"a curve has 1 to {MOST_POINTS} points, this one {len(found)}")
    return [x for x, _ in found], [y for _, y in found], kind == "linear"


def _slopes(xs: Sequence[float], ys: Sequence[float]) -> list[float]:
    """Slopes at the points that keep the curve monotone between them."""
    if len(xs) < 2:
        return [0.0]
    chords = [(ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]) for i in range(len(xs) - 1)]
    slopes = [chords[0]]
    for before, after in pairwise(chords):
        slopes.append(0.0 if before * after <= 0 else (before + after) / 2)
    slopes.append(chords[-1])
    for i, chord in enumerate(chords):
        if chord == 0:
            slopes[i] = slopes[i + 1] = 0.0
            continue
        length = ((slopes[i] / chord) ** 2 + (slopes[i + 1] / chord) ** 2) ** 0.5
        if length > 3:
            slopes[i], slopes[i + 1] = (3 * each / length for each in slopes[i : i + 2])
    return slopes


def _between(
    x: float, at: int, xs: Sequence[float], ys: Sequence[float], slopes: Sequence[float] | None
) -> float:
    width = xs[at + 1] - xs[at]
    t = (x - xs[at]) / width
    low, high = ys[at], ys[at + 1]
    if slopes is None:
        return low + t * (high - low)
    rise = t * t * (3 - 2 * t)
    bend = t * (1 - t) * width * ((1 - t) * slopes[at] - t * slopes[at + 1])
    return low + rise * (high - low) + bend
