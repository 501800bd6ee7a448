r"""The weights that people write into prompts: `(word:1.3)`, `(word)`, `((word))`, `\(`.

Knows no token and no embedding, only text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

EMPHASIS = 1.1
"""What a pair of parentheses without a number multiplies the weight by."""
_HIDE = (("\\(", "\x01"), ("\\)", "\x02"))


def weighted_spans(text: str) -> list[tuple[str, float]]:
    """Cut a prompt into `(text, weight)` spans, parentheses and numbers taken out.

    A number sets the weight, whatever stands around it; parentheses without one multiply it by
    1.1. Parentheses behind a backslash, unmatched ones and square brackets are ordinary text.
    """
    for written, hidden in _HIDE:
        text = text.replace(written, hidden)
    return [(_show(span), weight) for span, weight in _spans(text)]


def _spans(text: str) -> list[tuple[str, float]]:
    """Without recursion: a prompt may nest deeper than Python does."""
    found: list[tuple[str, float]] = []
    left = [(text, 1.0, False)]
    while left:
        piece, weight, plain = left.pop()
        if plain:
            found.append((piece, weight))
            continue
        parts: list[tuple[str, float, bool]] = []
        for part in _groups(piece):
            if part.startswith("(") and part.endswith(")"):
                parts.append((*_inside(part[1:-1], weight), False))
            else:
                parts.append((part, weight, True))
        left.extend(reversed(parts))
    return found


def _groups(text: str) -> Iterator[str]:
    """Plain text and parenthesised groups in turn."""
    depth = start = 0
    for i, letter in enumerate(text):
        if letter == "(":
            if depth == 0 and i > start:
                yield text[start:i]
                start = i
            depth += 1
        elif letter == ")":
            # A surplus one leads below zero, and the next opening one only makes up for it.
            depth -= 1
            if depth == 0:
                yield text[start : i + 1]
                start = i + 1
    if start < len(text):
        yield text[start:]


def _inside(text: str, weight: float) -> tuple[str, float]:
    """What a group holds and its weight: after the last colon, or 1.1 times that around it."""
    before, colon, number = text.rpartition(":")
    if colon and before:
        try:
            given = float(number)
        except ValueError:
            given = math.nan
        if math.isfinite(given):
            return before, given
    return text, weight * EMPHASIS


def _show(text: str) -> str:
    for written, hidden in _HIDE:
        text = text.replace(hidden, written[1])
    return text
