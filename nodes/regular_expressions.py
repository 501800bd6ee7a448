"""Regular expressions that cannot hang a run: each search has a time limit.

The language is that of Python's `re`, run by the `regex` library, because `re` can neither be
interrupted nor limited: a pattern such as `(a+)+b` may take it years. Knows no node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import regex

from engine.errors import NodeError

SECONDS = 5.0
"""How long one search may take. Honest patterns need milliseconds for a novel."""
_MOST_SHOWN = 200
"""Characters of a pattern that a message repeats."""
Found = TypeVar("Found")


class PatternError(NodeError):
    """A text is no regular expression."""


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
        try:
            self._pattern = regex.compile(source, flags)
        except regex.error as error:
            shown = source if len(source) <= _MOST_SHOWN else source[:_MOST_SHOWN] + "…"
            raise PatternError(f"{shown!r} is no regular expression: {error}") from error

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
        """The text with matches exchanged, the first `count` or, for 0, all.

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
