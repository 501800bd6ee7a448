"""One notice for the user, such as damage that was found. The editor words each kind."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice.

    Attributes:
        kind: such as `database_damaged`.
        details: its numbers and names, and `text`, the whole of it as an English sentence.
        created: when, in seconds since 1970.
        id: in the table; 0 before it is stored.
    """

    kind: str
    details: Mapping[str, Any]
    created: float
    id: int = 0

    @property
    def text(self) -> str:
        """The notice as an English sentence."""
        return str(self.details.get("text", self.kind))


def write_notice(connection: sqlite3.Connection, notice: Notice) -> None:
    """Store a notice."""
    connection.execute(
        "INSERT INTO notices (kind, details, created) VALUES (?, ?, ?)",
        (notice.kind, json.dumps(notice.details), notice.created),
    )
