"""Regular expressions that cannot hang a run: each search has a time limit.

The language is that of Python's `re`, run by the `regex` library, because `re` can neither be
interrupted nor limited: a pattern such as `(a+)+b` may take it years. That library writes counted
repetitions out when it compiles them, so the expanded size of a pattern is limited, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import regex

from engine.errors import NodeError

SECONDS = 5.0
"""How long one search may take. Honest patterns need milliseconds for a novel."""
_MOST_SHOWN = 200
"""Characters of a pattern that a message repeats."""
MOST_ELEMENTS = 100_000
"""What a pattern may hold, counted repetitions written out: each takes up to 800 bytes."""
_COUNT = re.compile(r"\{(?P<least>\d{0,12})\d*(?:,\d*)?\}")
Found = TypeVar("Found")


class PatternError(NodeError):
    """A text is not a regular expression."""


class Pattern:
    """A compiled regular expression.

    Raises:
        PatternError: it is none.
    """

    def __init__(self, source: str, *, ignore_case: bool, multiline: bool, dot_all: bool) -> None:
        flags = regex.VERSION0
        for flag, wanted in (
            (regex.IGNORECASE, ignore_case),
            (regex.MULTILINE, multiline),
            (regex.DOTALL, dot_all),
        ):
            flags |= flag if wanted else 0
        if any(size > MOST_ELEMENTS for size in _sizes(source)):
            raise NodeError(
                f"the regular expression {_shown(source)!r} repeats so often that it comes to more "
                f"than {MOST_ELEMENTS:,} elements; use smaller counts, or + and *"
            )
        try:
            self._pattern = regex.compile(source, flags)
        except RecursionError as error:
            raise PatternError(f"{_shown(source)!r} is no regular expression: too deep") from error
        except regex.error as error:
            raise PatternError(f"{_shown(source)!r} is no regular expression: {error}") from error

    @property
    def groups(self) -> int:
        """How many groups it has, the whole match not counted."""
        return self._pattern.groups

    def search(self, text: str) -> regex.Match[str] | None:
        """The first match.

        Raises:
            NodeError: it took too long.
        """
        return self._limited(text, lambda: self._pattern.search(text, timeout=SECONDS))

    def search_all(self, text: str) -> list[regex.Match[str]]:
        """All matches, left to right, none overlapping another.

        Raises:
            NodeError: it took too long.
        """
        return self._limited(text, lambda: list(self._pattern.finditer(text, timeout=SECONDS)))

    def replace(self, text: str, replacement: str, *, count: int = 0) -> str:
        """The text with matches replaced, the first `count` or, for 0, all.

        Raises:
            NodeError: it took too long, or the replacement names a group that is not there.
        """
        try:
            return self._limited(
                text,
                lambda: self._pattern.sub(replacement, text, count=count, timeout=SECONDS),
            )
        except (regex.error, IndexError) as error:
            raise NodeError(f"the replacement {replacement!r} does not work: {error}") from error

    def _limited(self, text: str, search: Callable[[], Found]) -> Found:
        try:
            return search()
        except TimeoutError as error:
            raise NodeError(
                f"the regular expression {self._pattern.pattern!r} took more than {SECONDS:g} "
                f"seconds on {len(text):,} characters; it likely nests repetitions, as in "
                "'(a+)+': write it so that a text can match in one way only"
            ) from error


def _shown(source: str) -> str:
    return source if len(source) <= _MOST_SHOWN else source[:_MOST_SHOWN] + "…"


def _sizes(source: str) -> Iterator[int]:
    """How many elements a pattern holds so far, counted repetitions written out.

    A counted repetition is written out as often as its least count says.
    """
    groups: list[list[int]] = [[]]
    """For each open group the sizes of its parts."""
    place = 0
    while place < len(source):
        sign, parts = source[place], groups[-1]
        count = _COUNT.match(source, place) if sign == "{" else None
        if count is not None:
            place = count.end()
            if parts:
                parts[-1] *= max(1, int(count["least"] or 0))
                yield parts[-1]
            continue
        if sign == "(":
            groups.append([])
        elif sign == ")" and len(groups) > 1:
            groups.pop()
            groups[-1].append(sum(parts) + 1)
            yield groups[-1][-1]
        else:
            parts.append(1)
        place = _after(source, place)
    yield sum(map(sum, groups))


def _after(source: str, place: int) -> int:
    """The index after the symbol at an index: an escape, a character class, or one character."""
    if source[place] == "\\":
        return place + 2
    if source[place] != "[":
        return place + 1
    place += 2 if source.startswith("[^", place) else 1
    place += 1 if source.startswith("]", place) else 0
    while place < len(source) and source[place] != "]":
        place += 2 if source[place] == "\\" else 1
    return place + 1
