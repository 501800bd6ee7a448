"""One SQLite file, one connection, one thread: what was answered survives kill -9 and power loss.

Work that waits is committed together, so that durability costs one flush for many callers. Knows
tables and their migration; what rows mean is said in `queue.py` and `history.py`.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from engine.errors import StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

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
)
"""Each brings the file from its number to the next; never edited once released."""
_MOST_TOGETHER = 256


class Database:
    """The open file. `run` is all that other modules need.

    Attributes:
        notes: what had to be done at opening that a user should hear of.
    """

    def __init__(
        self, path: Path, *, connect: Callable[[Path], sqlite3.Connection] | None = None
    ) -> None:
        """Open or make the file, migrate it, and start its thread.

        A damaged file is set aside under another name, never deleted, and a new one begun.

        Args:
            path: of the file.
            connect: opens it, in autocommit mode; for tests that pull the plug.

        Raises:
            StoreError: it was written by a newer Calotype, or cannot be opened at all.
        """
        self.notes: list[str] = []
        self._path = path
        self._connect = connect or _connect
        self._waiting: SimpleQueue[tuple[Work[Any], Future[Any]] | None] = SimpleQueue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._serve, args=(opened,), name="calotype-store", daemon=True
        )
        self._thread.start()
        opened.result()

    async def run(self, work: Work[T]) -> T:
        """Do the work in the file's thread; when this returns, what it wrote is on disk."""
        return await asyncio.wrap_future(self.submit(work))

    def submit(self, work: Work[T]) -> Future[T]:
        """The same for callers outside of an event loop."""
        future: Future[T] = Future()
        self._waiting.put((work, future))
        return future

    def close(self) -> None:
        """Finish what waits, then close. Safe to call twice."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _serve(self, opened: Future[None]) -> None:
        try:
            connection = self._open()
        except BaseException as error:  # noqa: BLE001 - handed to the caller, whole
            opened.set_exception(error)
            return
        opened.set_result(None)
        closing = False
        while not closing:
            batch = [self._waiting.get()]
            while len(batch) < _MOST_TOGETHER and not self._waiting.empty():
                batch.append(self._waiting.get())
            closing = None in batch
            _commit_together(connection, [each for each in batch if each is not None])
        connection.close()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._prepare(self._connect(self._path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "unable to open" in str(error):
                raise StoreError(f"{self._path}: cannot be opened: {error}") from error
            aside = self._set_aside()
            self.notes.append(
                f"{self._path.name} was damaged ({error}); it was kept as {aside.name} "
                "and a new one was begun"
            )
            return self._prepare(self._connect(self._path))

    def _prepare(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Check and migrate.

        Raises:
            sqlite3.DatabaseError: the file is damaged; the connection is closed.
            StoreError: the file is newer than this program.
        """
        try:
            [version] = connection.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise StoreError(
                    f"{self._path}: written by a newer Calotype (version {version}, this one "
                    f"knows {len(MIGRATIONS)}); update Calotype, or choose another user directory"
                )
            # Only now: a newer file stays as it was, to the byte.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            [health] = connection.execute("PRAGMA quick_check(1)").fetchone()
            if health != "ok":
                raise sqlite3.DatabaseError(health)
            if 0 < version < len(MIGRATIONS):
                shutil.copy2(self._path, self._path.with_name(f"{self._path.name}.v{version}"))
            for number in range(version, len(MIGRATIONS)):
                connection.executescript(
                    f"BEGIN; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> Path:
        aside = self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}")
        self._path.replace(aside)
        for suffix in ("-wal", "-shm"):
            companion = self._path.with_name(self._path.name + suffix)
            if companion.exists():
                companion.replace(aside.with_name(aside.name + suffix))
        return aside


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=5.0)


def _commit_together(
    connection: sqlite3.Connection, batch: Sequence[tuple[Work[Any], Future[Any]]]
) -> None:
    """One transaction for all; work that raises undoes only itself. Answers follow the commit."""
    answers: list[tuple[Future[Any], Any, Exception | None]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for work, future in batch:
            connection.execute("SAVEPOINT one")
            try:
                answers.append((future, work(connection), None))
            except Exception as error:  # noqa: BLE001 - belongs to whoever asked for the work
                connection.execute("ROLLBACK TO one")
                answers.append((future, None, error))
            connection.execute("RELEASE one")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for _, future in batch:
            _answer(future, None, StoreError(f"the database cannot be written: {error}"))
        return
    for future, value, failure in answers:
        _answer(future, value, failure)


def _answer(future: Future[Any], value: Any, error: Exception | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
