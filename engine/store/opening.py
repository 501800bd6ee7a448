"""Opens the database file: checks it, migrates it, and replaces it only if it is damaged.

Damaged is what SQLite calls corrupt or not a database. A locked file, a full disk and a folder
that cannot be written are not damage: the file stays unchanged, and the error says what to do.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.errors import StoreError
from engine.store.migrations import MIGRATIONS, back_up, migrate, version_of
from engine.store.notice import Notice, write_notice
from engine.store.salvage import Salvaged, salvage

Connect = Callable[[Path], sqlite3.Connection]
LOCK_SECONDS = 5.0
"""How long another program may hold a lock before that is an error."""
_PRIMARY = 0xFF
_ADVICE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "another program holds a lock on it; close that program",
    sqlite3.SQLITE_LOCKED: "another program holds a lock on it; close that program",
    sqlite3.SQLITE_FULL: "the disk is full; make room on it",
    sqlite3.SQLITE_READONLY: "it cannot be written; check its permissions and those of its folder",
    sqlite3.SQLITE_PERM: "it cannot be read; check its permissions",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the permissions of its folder",
    sqlite3.SQLITE_IOERR: "the disk reports errors or is full; check it",
}
_SUFFIXES = ("-wal", "-shm")


class DamagedError(sqlite3.DatabaseError):
    """SQLite's own check of a file found damage."""


def open_to_write(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, for reading and writing; used by one thread at a time."""
    return sqlite3.connect(
        path, isolation_level=None, timeout=LOCK_SECONDS, check_same_thread=False
    )


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write and never checkpoints; used by one thread at a time."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        timeout=LOCK_SECONDS,
        check_same_thread=False,
    )


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file itself is corrupt, or not a database."""
    if isinstance(error, DamagedError):
        return True
    if not isinstance(error, sqlite3.DatabaseError):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    damage = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
    return code is not None and code & _PRIMARY in damage


def open_database(path: Path, connecting: Connect) -> tuple[sqlite3.Connection, Notice | None]:
    """Open or create the file; the readable rows of a damaged one are copied to a new one.

    Returns:
        the connection, and what happened to a damaged file.

    Raises:
        StoreError: it was written by a newer Calotype, or cannot be opened; the file is unchanged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _finish_replacing(path)
        try:
            return _prepare(path, connecting(path)), None
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            notice = _replace(path, str(error))
        connection = _prepare(path, connecting(path))
        write_notice(connection, notice)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {advice(error)}") from error
    return connection, notice


def advice(error: sqlite3.Error | OSError) -> str:
    """What a user can do about a database error that is not damage."""
    code = getattr(error, "sqlite_errorcode", None)
    known = None if code is None else _ADVICE.get(code & _PRIMARY)
    said = error.strerror if isinstance(error, OSError) else str(error)
    return f"{known} ({said})" if known else f"cannot be opened: {said}"


def _prepare(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """Check and migrate a file; the connection is closed where that fails."""
    try:
        version = version_of(connection)
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{path}: written by a newer Calotype (version {version}, this one "
                f"knows {len(MIGRATIONS)}); update Calotype, or choose another user directory"
            )
        # Only now: a newer file stays as it was, to the byte.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # The full check, since an index that misses a row hides a prompt permanently.
        [health] = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if health != "ok":
            raise DamagedError(health.splitlines()[-1])
        if 0 < version < len(MIGRATIONS):
            back_up(connection, path.with_name(f"{path.name}.v{version}"))
        migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def _replace(path: Path, problem: str) -> Notice:
    """Replace a damaged file by a new one with all readable rows; the damaged one is not deleted.

    The new file is complete before the damaged one is renamed, so a crash loses neither.
    """
    fresh = _fresh(path)
    for each in (fresh, *_companions(fresh)):
        each.unlink(missing_ok=True)
    found = salvage(path, fresh)
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    log, index = _companions(path)
    if log.exists() and log.stat().st_size > 0:
        log.replace(aside.with_name(f"{aside.name}-wal"))
    log.unlink(missing_ok=True)
    index.unlink(missing_ok=True)  # rebuilt from the log
    path.replace(aside)
    fresh.replace(path)
    _sync_folder(path.parent)
    return _notice(path, aside, problem, found)


def _finish_replacing(path: Path) -> None:
    """After a crash between the two renames, give the new file its final name."""
    fresh = _fresh(path)
    if fresh.exists() and not path.exists():
        fresh.replace(path)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _notice(path: Path, aside: Path, problem: str, found: Salvaged) -> Notice:
    lost = f"; {found.lost} could not be read" if found.lost else ""
    details = {
        "kept": found.kept,
        "lost": found.lost,
        "file": str(aside),
        "problem": problem,
        "text": (
            f"The database {path.name} was damaged ({problem}). A new one was made with the "
            f"{found.kept} prompts that could be read{lost}. The damaged file is kept as {aside}"
        ),
    }
    return Notice("database_damaged", details, time.time())


def _fresh(path: Path) -> Path:
    return path.with_name(f"{path.name}.salvaged")


def _companions(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _SUFFIXES]
