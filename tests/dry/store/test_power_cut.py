"""Acknowledged data survives a power cut at any write; the disk loses and tears unsynced writes.

The disk is a SQLite VFS in memory. It has no shared memory, so the file is opened exclusively; the
writes and syncs, and their order, are the same.
"""

# ruff: noqa: N802 - the names of files' methods are SQLite's

import asyncio
import contextlib
import json
import sqlite3
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import apsw
import pytest

from engine.errors import StoreError
from engine.store.database import Database
from engine.store.entries import End, Entry
from engine.store.history import History
from engine.store.queue import Accepted, Queue

ROUNDS = 60
SECTOR = 512
FIRST_USE = 60
LONGEST_ROUND = 1000
"""In writes and syncs: about the number for creating the file, and more than in any round, so that
some rounds end on an idle disk."""


class Disk:
    """Files as programs see them, as they are on the platters, and the changes between the two."""

    def __init__(self, *, cut_at: int) -> None:
        self.seen: dict[str, bytearray] = {}
        self.durable: dict[str, bytearray] = {}
        self.unsynced: dict[str, list[tuple[int, bytes | None]]] = {}
        self.removed: dict[str, bytearray] = {}
        self.changes = 0
        self.off = False
        self._cut_at = cut_at

    def need_power(self) -> None:
        if self.off:
            raise apsw.IOError("the power is off")

    def change(self) -> None:
        self.need_power()
        self.changes += 1
        self.off = self.changes == self._cut_at

    def write(self, name: str, offset: int, data: bytes | None) -> None:
        """Write; without data, cut the file off at the offset."""
        self.need_power()
        apply(self.seen[name], offset, data)
        self.unsynced.setdefault(name, []).append((offset, data))
        # The interrupted write may be partly done.
        self.change()
        self.need_power()

    def sync(self, name: str) -> None:
        self.change()
        self.need_power()
        if name not in self.durable and name.endswith(("-wal", "-journal")):
            # SQLite syncs the folder with the first sync of a new log: so deleted files are gone
            # durably.
            self.removed.clear()
        self.durable[name] = bytearray(self.seen[name])
        self.unsynced.pop(name, None)

    def delete(self, name: str, *, synced: bool) -> None:
        self.change()
        self.need_power()
        del self.seen[name]
        if name in self.durable:
            self.removed[name] = self.durable.pop(name)
        if synced:
            self.removed.clear()
        self.unsynced.pop(name, None)

    def survivors(self, random: Random) -> dict[str, bytes]:
        """The content after the cut: of unsynced writes none, some sectors, or all."""
        left = {name: bytearray(content) for name, content in self.durable.items()}
        kept = random.choice([0.0, 0.3, 0.7, 0.95, 1.0])
        for name, content in self.removed.items():
            if random.random() >= kept:
                left.setdefault(name, content)
        for name, changes in self.unsynced.items():
            for offset, data in changes:
                if data is None:
                    if random.random() < kept:
                        apply(left.setdefault(name, bytearray()), offset, None)
                    continue
                start = 0
                while start < len(data):
                    end = min(len(data), start + SECTOR - (offset + start) % SECTOR)
                    if random.random() < kept:
                        # A sector may itself be torn.
                        torn = random.randint(0, end - start) if random.random() < 0.02 else end
                        piece = data[start : min(end, start + torn)]
                        apply(left.setdefault(name, bytearray()), offset + start, piece)
                    start = end
        return {name: bytes(content) for name, content in left.items()}


def apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class DiskFile:
    """One open file, with the interface of SQLite."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk, self._name = disk, name
        disk.seen.setdefault(name, bytearray())

    def xRead(self, amount, offset):
        self._disk.need_power()
        return bytes(self._disk.seen[self._name][offset : offset + amount])

    def xWrite(self, data, offset):
        self._disk.write(self._name, offset, bytes(data))

    def xTruncate(self, size):
        self._disk.write(self._name, size, None)

    def xSync(self, flags):
        self._disk.sync(self._name)

    def xFileSize(self):
        return len(self._disk.seen[self._name])

    def xSectorSize(self):
        return 4096

    def xDeviceCharacteristics(self):
        # SQLite assumes of every disk that a torn write harms no byte outside of it.
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xCheckReservedLock(self):
        return False

    def xFileControl(self, op, pointer):
        return False

    def xLock(self, level):
        pass

    def xUnlock(self, level):
        pass

    def xClose(self):
        pass


class DiskVFS(apsw.VFS):
    """The disk under a name that SQLite can open files on."""

    def __init__(self, disk: Disk) -> None:
        self.name = f"power-cut-{id(disk)}"
        self._disk = disk
        super().__init__(self.name, "")

    def xOpen(self, name, flags):
        self._disk.need_power()
        flags[1] = flags[0]
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return DiskFile(self._disk, Path(path).name)

    def xAccess(self, pathname, flags):
        return Path(pathname).name in self._disk.seen

    def xDelete(self, filename, syncdir):
        self._disk.delete(Path(filename).name, synced=syncdir)


class Rows:
    """A cursor that has read everything."""

    def __init__(self, rows: list, rowcount: int) -> None:
        self._rows, self.rowcount = rows, rowcount

    def __iter__(self):
        return iter(self._rows)

    def fetchone(self):
        return self._rows[0] if self._rows else None

    def fetchall(self):
        return self._rows


class Connection:
    """The part of `sqlite3.Connection` that the store uses, on a simulated disk."""

    def __init__(self, path: Path, vfs: DiskVFS, synchronous: str) -> None:
        self._synchronous = synchronous
        self._apsw = apsw.Connection(str(path), vfs=vfs.name)
        self.execute("PRAGMA locking_mode = EXCLUSIVE")
        # Checkpoints, when the log moves into the file, are rare in use and frequent here.
        self.execute("PRAGMA wal_autocheckpoint = 12")

    @property
    def in_transaction(self):
        return self._apsw.in_transaction

    def execute(self, sql, parameters=()):
        sql = sql.replace("synchronous = FULL", f"synchronous = {self._synchronous}")
        return self._run(self._apsw.execute, sql, parameters)

    def executemany(self, sql, parameters):
        return self._run(self._apsw.executemany, sql, parameters)

    def executescript(self, sql):
        return self._run(self._apsw.execute, sql)

    def close(self):
        # As in the `sqlite3` module, the last checkpoint may fail silently.
        with contextlib.suppress(apsw.Error):
            self._apsw.close()

    def _run(self, run, *arguments):
        before = self._apsw.total_changes()
        try:
            rows = list(run(*arguments))
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error
        return Rows(rows, self._apsw.total_changes() - before)


@dataclass
class Told:
    """The requests of callers, and the results they were told."""

    asked: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    ends_asked: dict[str, End] = field(default_factory=dict)
    ended: dict[str, End] = field(default_factory=dict)


async def put_together(database: Database, queue: Queue, told: Told, names: list[str]) -> None:
    """All in one commit: the store's thread is blocked until all of them are pending."""
    held, release = threading.Event(), threading.Event()
    first = asyncio.ensure_future(database.run(lambda _: (held.set(), release.wait())))
    puts = [
        asyncio.ensure_future(queue.put(Entry(name, {"1": {"text": name * 60}}, ["1"])))
        for name in names
    ]
    told.asked.update(names)
    while not held.is_set() and not first.done():
        await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, return_exceptions=True)
    answers = await asyncio.gather(*puts, return_exceptions=True)
    told.accepted.update(
        name for name, answer in zip(names, answers, strict=True) if isinstance(answer, Accepted)
    )
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def use(database: Database, told: Told, random: Random, queue_of) -> None:
    """Put, claim and finish until the power is cut, or for a number of rounds."""
    queue = queue_of(database)
    running: list[str] = []
    for step in range(60):
        action = random.choice(["put", "put", "claim", "finish"])
        if action == "put":
            names = [f"{step}-{number}" for number in range(random.randint(1, 4))]
            await put_together(database, queue, told, names)
        elif action == "claim":
            claimed = await queue.claim_next(float(step))
            running += [claimed.id] if claimed is not None else []
        elif running:
            name = running.pop()
            end = End(name, random.choice(["done", "failed"]), {"step": step}, float(step))
            told.ends_asked[name] = end
            assert await queue.finish(end)
            told.ended[name] = end


def lose_power(path: Path, seed: int, synchronous: str, queue_of) -> Told:
    """Use a store until the power is cut, and leave at `path` what the disk then holds."""
    random = Random(seed)
    disk = Disk(cut_at=random.randint(1, random.choice([FIRST_USE, LONGEST_ROUND, LONGEST_ROUND])))
    vfs = DiskVFS(disk)
    told = Told()
    database = None
    try:
        database = Database(path, connect=lambda at: Connection(at, vfs, synchronous))
        asyncio.run(use(database, told, random, queue_of))
    except (StoreError, OSError, sqlite3.Error, apsw.Error):
        assert disk.off, "the disk failed with its power on"
    disk.off = True  # Writes by closing are lost.
    survivors = disk.survivors(random)
    if database is not None:
        database.close()
    for name, content in survivors.items():
        path.with_name(name).write_bytes(content)
    return told


async def check(database: Database, told: Told, queue_of) -> None:
    queue = queue_of(database)
    [[health]] = await database.run(lambda each: each.execute("PRAGMA integrity_check").fetchall())
    assert health == "ok"
    rows = await database.run(
        lambda connection: connection.execute("SELECT id, state FROM prompts").fetchall()
    )
    times = Counter(name for name, _ in rows)
    assert set(times.values()) <= {1}
    assert told.accepted <= set(times) <= told.asked
    past = json.loads(await History(database).entries())
    assert set(told.ended) <= set(past) <= set(told.ends_asked)
    for name in past:
        end = told.ends_asked[name]
        found = (await queue.entry(name)).state, await History(database).outcome(name)
        assert found == (end.ending, end.outcome)
        assert not await queue.finish(end), "it can end again"
    assert (await queue.put(Entry("afterwards", {}, ["1"]))).entry.state == "queued"


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_was_answered_survives_a_power_cut(tmp_path: Path, seed: int, stepped):
    told = lose_power(tmp_path / "calotype.db", seed, "FULL", stepped)
    database = Database(tmp_path / "calotype.db")
    try:
        assert database.notices == []
        asyncio.run(check(database, told, stepped))
    finally:
        database.close()


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_with_fewer_syncs_accepted_prompts_are_lost(tmp_path: Path, synchronous: str, stepped):
    """The simulated disk does lose writes: they survive only because every commit is synced."""
    lost = 0
    for seed in range(12):
        path = tmp_path / str(seed) / "calotype.db"
        told = lose_power(path, seed, synchronous, stepped)
        database = Database(path)
        found = database.submit(
            lambda connection: connection.execute("SELECT id FROM prompts").fetchall()
        ).result()
        database.close()
        lost += bool(told.accepted - {name for (name,) in found})
    assert lost > 0
