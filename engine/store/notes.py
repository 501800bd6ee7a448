"""Notes of prompts: the title in lists, the words to search, the position in a batch.

Notes have a separate table, so that a search reads no prompt.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Note:
    """What lists and search need of a prompt.

    Attributes:
        title: of the document it came from.
        excerpt: the beginning of the prompt's text.
        words: searched; case-folded.
        batch: prompts that were queued together have the same one.
        place: its position in the batch, as the client sent it.
    """

    title: str | None = None
    excerpt: str = ""
    words: str = ""
    batch: str | None = None
    place: Mapping[str, Any] | None = None


def write_note(connection: sqlite3.Connection, seq: int, note: Note) -> None:
    """Store the note for the prompt of that row."""
    connection.execute(
        "INSERT INTO notes (seq, title, excerpt, words, batch, place) VALUES (?, ?, ?, ?, ?, ?)",
        (
            seq,
            note.title,
            note.excerpt,
            note.words,
            note.batch,
            None if note.place is None else json.dumps(note.place),
        ),
    )
