"""The tables, version by version, and the backup that is made before a migration."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE prompts (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        digest BLOB NOT NULL,
        number REAL NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'stopped')),
        attempts INTEGER NOT NULL DEFAULT 0,
        client TEXT,
        workflow TEXT,
        prompt TEXT NOT NULL,
        extra TEXT NOT NULL,
        wanted TEXT NOT NULL,
        created REAL NOT NULL,
        began REAL,
        ended REAL,
        outcome TEXT,
        summary TEXT
    ) STRICT;
    CREATE INDEX prompts_waiting ON prompts (number, seq) WHERE state = 'queued';
    CREATE INDEX prompts_running ON prompts (began, seq) WHERE state = 'running';
    CREATE INDEX prompts_state ON prompts (state, created, seq);
    CREATE INDEX prompts_ended ON prompts (ended, seq) WHERE ended IS NOT NULL;
    CREATE TABLE catalogs (
        source TEXT PRIMARY KEY,
        stamp TEXT NOT NULL,
        nodes TEXT NOT NULL
    ) STRICT;
    """,
    """
    CREATE TABLE notes (
        seq INTEGER PRIMARY KEY REFERENCES prompts (seq) ON DELETE CASCADE,
        title TEXT,
        excerpt TEXT NOT NULL,
        words TEXT NOT NULL,
        batch TEXT,
        place TEXT,
        starred INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX notes_starred ON notes (seq) WHERE starred = 1;
    CREATE INDEX notes_batch ON notes (batch, seq) WHERE batch IS NOT NULL;
    CREATE TABLE switches (
        name TEXT PRIMARY KEY,
        is_on INTEGER NOT NULL
    ) STRICT;
    INSERT INTO notes (seq, excerpt, words)
        SELECT seq, '', lower(coalesce((
            SELECT group_concat(tree.atom, char(10)) FROM json_tree(prompts.prompt) AS tree
            WHERE tree.type = 'text' AND tree.path LIKE '%.inputs'
        ), '')) FROM prompts;
    """,
    """
    CREATE TABLE costs (
        class_type TEXT NOT NULL,
        weights TEXT NOT NULL,
        pixels INTEGER NOT NULL,
        steps INTEGER NOT NULL,
        warm INTEGER NOT NULL,
        seconds TEXT NOT NULL,
        memory INTEGER NOT NULL,
        used REAL NOT NULL,
        PRIMARY KEY (class_type, weights, pixels, steps, warm)
    ) STRICT;
    """,
    """
    CREATE TABLE notices (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        details TEXT NOT NULL,
        created REAL NOT NULL
    ) STRICT;
    """,
    """
    CREATE INDEX prompts_shown ON prompts (
        CASE WHEN json_valid(summary) THEN json_extract(summary, '$.preview_output') END, seq
    ) WHERE state = 'done';
    """,
)
"""Each migrates the file from its number to the next; never edited once released."""


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of a file; 0 for a new one."""
    return connection.execute("PRAGMA user_version").fetchone()[0]


def migrate(connection: sqlite3.Connection, version: int, *, until: int | None = None) -> None:
    """Migrate the tables from one version to another, each step in a transaction.

    Args:
        connection: in autocommit mode.
        version: that the tables have.
        until: that they are to have; None for the newest.

    Raises:
        sqlite3.Error: the disk refused; the tables have the version of the last whole step.
    """
    for number in range(version, len(MIGRATIONS) if until is None else until):
        connection.executescript(
            f"BEGIN; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;"
        )


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy a whole database, what is still in its write-ahead log included.

    Raises:
        sqlite3.Error, OSError: the disk refused; nothing is left under the target's name.
    """
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        copy = sqlite3.connect(part, isolation_level=None)
        try:
            connection.backup(copy)
        finally:
            copy.close()
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
