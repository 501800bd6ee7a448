"""A cache of pending prompts as they were accepted, so that their texts are decoded only once.

After a restart, and beyond a number of characters, a prompt is read from its row instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from engine.store.entries import Entry, Texts

MOST_CHARACTERS = 32 << 20


class RecentEntries:
    """Accepted prompts by id, the oldest dropped first. `find` may be called in any thread."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most_characters
        self._entries: dict[str, tuple[Entry, Texts]] = {}
        self._characters = 0

    def add(self, entry: Entry, texts: Texts) -> None:
        """Store a pending prompt."""
        self.remove([entry.id])
        self._entries[entry.id] = (entry, texts)
        self._characters += _size(texts)
        while self._characters > self._most:
            self.remove([next(iter(self._entries))])

    def remove(self, ids: Iterable[str]) -> None:
        """Drop prompts that are not pending any more."""
        for each in ids:
            found = self._entries.pop(each, None)
            if found is not None:
                self._characters -= _size(found[1])

    def clear(self) -> None:
        """Drop all."""
        self._entries.clear()
        self._characters = 0

    def find(self, row: Sequence[Any], digest: bytes) -> Entry | None:
        """The prompt of a row of `COLUMNS`; None where it is not cached, or the row differs."""
        _, prompt_id, number, state, attempts, _, _, prompt, extra, wanted, *_ = row
        found = self._entries.get(prompt_id)
        if found is None:
            return None
        entry, texts = found
        if (prompt, extra, wanted, digest) != (
            texts.prompt,
            texts.extra,
            texts.wanted,
            texts.digest,
        ):
            return None
        return replace(entry, number=number, state=state, attempts=attempts)


def _size(texts: Texts) -> int:
    return len(texts.prompt) + len(texts.extra) + len(texts.wanted)
