r"""The syntax of weights in prompts: `(word:1.3)`, `(word)`, `((word))`, `\(`."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

EMPHASIS = 1.1
"""What a pair of parentheses without a number multiplies the weight by."""
_HIDE = (("\\(", "\x01"), ("\\)", "\x02"))


def weighted_spans(text: str) -> list[tuple[str, float]]:
    """Cut a prompt into `(text, weight)` spans, parentheses and numbers taken out.

    A number sets the weight, whatever surrounds it; parentheses without one multiply it by 1.1.
    Parentheses behind a backslash, unmatched ones and square brackets are ordinary text.
    """
    for written, hidden in _HIDE:
        text = text.replace(written, hidden)
    return [(_show(span), weight) for span, weight in _spans(text)]


def _spans(text: str) -> list[tuple[str, float]]:
    """`weighted_spans` without recursion, in time linear in the text at any depth of nesting."""
    pairs = _Pairs(text)
    found: list[tuple[str, float]] = []
    left = [_Range(0, len(text), 1.0, nested=False)]
    while left:
        part = left.pop()
        if part.plain:
            found.append((text[part.start : part.end], part.weight))
            continue
        # Only text after the first parenthesis that is never closed can be unbalanced.
        limit = part.end
        if pairs.unclosed and not part.nested:
            limit = min(limit, pairs.unclosed[0])
        parts = _parts(text, part, limit, pairs)
        if limit < part.end:
            parts.append(_rest(text, part, pairs))
        left.extend(reversed(parts))
    return found


@dataclass(frozen=True, slots=True)
class _Range:
    """A range of the text and its weight; `nested` if all its parentheses are paired."""

    start: int
    end: int
    weight: float
    nested: bool
    plain: bool = False


class _Pairs:
    """Which parentheses of a text form pairs.

    A surplus closing one is text, and so is the opening one that balances it.

    Attributes:
        closing: for each opening one, the position of its closing one.
        opening: for each closing one, the position of its opening one.
        unclosed: opening ones that are never closed, from left to right.
    """

    def __init__(self, text: str) -> None:
        self.closing: dict[int, int] = {}
        self.opening: dict[int, int] = {}
        waiting: list[int] = []
        surplus = 0
        for i, letter in enumerate(text):
            if letter == "(":
                if surplus:
                    surplus -= 1
                else:
                    waiting.append(i)
            elif letter == ")":
                if waiting:
                    self.closing[waiting[-1]] = i
                    self.opening[i] = waiting.pop()
                else:
                    surplus += 1
        self.unclosed = deque(waiting)


def _parts(text: str, part: _Range, limit: int, pairs: _Pairs) -> list[_Range]:
    """Plain text and parenthesised groups in order, up to `limit`."""
    parts: list[_Range] = []
    start = place = part.start
    while (opening := text.find("(", place, limit)) >= 0:
        close = pairs.closing.get(opening)
        if close is None:
            place = opening + 1
            continue
        if opening > start:
            parts.append(_Range(start, opening, part.weight, nested=True, plain=True))
        parts.append(_inside(text, opening + 1, close, part.weight, nested=True))
        start = place = close + 1
    if start < limit:
        parts.append(_Range(start, limit, part.weight, nested=True, plain=True))
    return parts


def _rest(text: str, part: _Range, pairs: _Pairs) -> _Range:
    """The rest of a text that begins with a parenthesis that is never closed.

    If it ends with a closing one, those two become a pair, and the former partner of the closing
    one is unclosed from then on.
    """
    opening, last = pairs.unclosed[0], part.end - 1
    if text[last] != ")":
        return _Range(opening, part.end, part.weight, nested=False, plain=True)
    pairs.unclosed.popleft()
    partner = pairs.opening[last]
    del pairs.closing[partner]
    pairs.unclosed.append(partner)
    return _inside(text, opening + 1, last, part.weight, nested=False)


def _inside(text: str, start: int, end: int, weight: float, *, nested: bool) -> _Range:
    """The content of a group, with the weight after its last colon, or 1.1 times the outer one."""
    last = text.rfind(")", start, end)
    last = max(last, text.rfind("(", max(last + 1, start), end))
    colon = text.rfind(":", max(last + 1, start), end)
    if colon > start:
        try:
            given = float(text[colon + 1 : end])
        except ValueError:
            given = math.nan
        if math.isfinite(given):
            return _Range(start, colon, given, nested=nested)
    return _Range(start, end, weight * EMPHASIS, nested=nested)


def _show(text: str) -> str:
    for written, hidden in _HIDE:
        text = text.replace(hidden, written[1])
    return text
