"""Damage in the database affects only the damaged part: the rest is kept, the user notified.

A locked file and a full disk are not damage.
"""

import asyncio
import json
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store.database import Database
from engine.store.entries import End, Entry
from engine.store.gallery import Gallery, GalleryFilter
from engine.store.history import History
from engine.store.jobs import Jobs
from engine.store.migrations import MIGRATIONS
from engine.store.notices import Notices
from engine.store.opening import advice, is_damage
from engine.store.queue import Queue

PAGE = 4096
ENDED, PENDING = 40, 10


def entry(name: str, size: int = 1500) -> Entry:
    return Entry(name, {"1": {"class_type": "X", "inputs": {"text": name * size}}}, ["1"])


async def fill(queue) -> None:
    for number in range(ENDED):
        await queue.put(entry(f"d{number}"))
        await queue.claim_next(1.0)
        await queue.finish(End(f"d{number}", "done", {"outputs": {}}, 2.0))
    for number in range(PENDING):
        await queue.put(entry(f"w{number}"))


@pytest.fixture
def path(tmp_path: Path, stepped) -> Path:
    """A closed database with prompts that ended and some that are pending."""
    path = tmp_path / "calotype.db"
    database = Database(path)
    asyncio.run(fill(stepped(database)))
    database.close()
    return path


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for each in statements:
            connection.execute(each)


def using(path: Path, scenario):
    database = Database(path)
    try:
        return asyncio.run(scenario(database)), database.notices
    finally:
        database.close()


async def names_of(database: Database) -> set[str]:
    rows = await database.read(lambda each: each.execute("SELECT id FROM prompts").fetchall())
    return {name for (name,) in rows}


FLIPS = {
    "no JSON": "substr({0}, 1, 5) || char(1) || substr({0}, 7)",
    "other JSON": "CASE '{0}' WHEN 'prompt' THEN replace(prompt, 'X', 'Y')"
    " WHEN 'extra' THEN '{{\"a\":1}}' ELSE '[\"2\"]' END",
    "no UTF-8": "CAST(CAST(substr({0}, 1, 5) AS BLOB) || x'ff' || substr({0}, 7) AS TEXT)",
    "another shape": "'7'",
    "empty": "''",
}


@pytest.mark.parametrize("column", ["prompt", "extra", "wanted"])
@pytest.mark.parametrize("flip", FLIPS)
def test_a_damaged_row_is_found_alone_and_the_next_one_runs(path: Path, column, flip):
    change(path, f"UPDATE prompts SET {column} = {FLIPS[flip].format(column)} WHERE id = 'w1'")

    async def scenario(database: Database):
        following = await Queue(database).next()
        return following.entry.id, dict(following.damaged), following.entries[1].id

    (first, damaged, after), _ = using(path, scenario)
    assert (first, list(damaged), after) == ("w0", ["w1"], "w2")
    assert "damaged" in damaged["w1"]


def test_damaged_rows_spoil_no_list(path: Path):
    broken = "substr({0}, 1, 5) || char(1) || x'ff' || substr({0}, 7)"
    for column in ("prompt", "extra", "wanted", "outcome", "summary"):
        change(path, f"UPDATE prompts SET {column} = {broken.format(column)} WHERE id = 'd1'")
    change(path, f"UPDATE prompts SET prompt = {broken.format('prompt')} WHERE id = 'w1'")

    async def scenario(database: Database):
        queue, history = Queue(database), History(database)
        return (
            json.loads(await queue.items("queued")),
            json.loads(await history.entries()),
            json.loads(await history.entry("d1")),
            await history.outcome("d1"),
            await Jobs(database).list(["done", "queued"]),
            await Gallery(database).page(GalleryFilter(), limit=100),
        )

    (pending, entries, one, outcome, jobs, page), notices = using(path, scenario)
    assert [item[1] for item in pending] == [f"w{number}" for number in range(PENDING)]
    assert pending[1][2:] == [{}, {}, ["1"]]
    assert len(entries) == ENDED
    assert one["d1"]["status"]["status_str"] == "error"
    assert outcome == {}
    assert (jobs[1], page[1], notices) == (ENDED + PENDING, ENDED, [])


def test_an_end_is_stored_though_the_next_row_is_damaged(path: Path, stepped):
    change(path, "UPDATE prompts SET prompt = 'x' WHERE id = 'w1'")

    async def scenario(database: Database):
        queue = stepped(database)
        await queue.claim_next(1.0)
        recorded = await queue.record({"w1": 2.0}, [End("w0", "done", {"outputs": {}}, 2.0)])
        return recorded.ended, (await queue.entry("w0")).state

    assert using(path, scenario)[0] == ({"w0"}, "done")


def test_an_outcome_that_is_no_json_still_ends_its_prompt(path: Path, stepped):
    deep: list = []
    for _ in range(5000):
        deep = [deep]

    async def scenario(database: Database):
        queue = stepped(database)
        await queue.claim_next(1.0)
        await queue.finish(End("w0", "done", {"outputs": deep, "status": {"a": 1}}, 2.0))
        return await History(database).outcome("w0")

    assert using(path, scenario)[0] == {"outputs": {}, "meta": {}, "status": {"a": 1}}


@pytest.mark.parametrize("seed", range(12))
def test_of_a_damaged_page_only_its_rows_are_lost(path: Path, seed: int):
    content = bytearray(path.read_bytes())
    pages = len(content) // PAGE
    with closing(sqlite3.connect(path)) as connection:
        [[root]] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'prompts'")
    hit = random.Random(seed).choice([each for each in range(2, pages + 1) if each != root])
    content[(hit - 1) * PAGE : hit * PAGE] = os.urandom(PAGE)
    path.write_bytes(content)

    async def scenario(database: Database):
        return await names_of(database), await Notices(database).list()

    (names, stored), notices = using(path, scenario)
    # A leaf of this table holds at most seven such rows, whose texts are on pages of their own.
    assert len(names) >= ENDED + PENDING - 7
    assert [each.details for each in stored] == [each.details for each in notices]
    for each in notices:
        assert each.kind == "database_damaged"
        assert each.details["kept"] == len(names)
        assert each.details["lost"] == ENDED + PENDING - len(names)
        assert each.details["file"] in each.text
        assert Path(each.details["file"]).read_bytes() == content


def test_a_notice_stays_until_it_is_dismissed(path: Path):
    path.write_bytes(path.read_bytes()[: -3 * PAGE])

    async def first(database: Database):
        return (await Notices(database).list())[0].id

    number, _ = using(path, first)

    async def second(database: Database):
        notices = Notices(database)
        still = len(await notices.list())
        return still, await notices.dismiss(number), await notices.list(), await notices.dismiss(9)

    assert using(path, second)[0] == (1, True, [], False)


def test_of_a_file_that_was_cut_off_the_rest_is_kept(path: Path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 + 100])
    names, notices = using(path, names_of)
    assert 10 < len(names) < ENDED + PENDING
    assert len(notices) == 1


def test_what_is_only_in_the_log_is_salvaged_too(path: Path, stepped, tmp_path: Path):
    database = Database(path)
    asyncio.run(stepped(database).put(entry("late")))
    kept = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    database.close()
    content = bytearray(kept["calotype.db"])
    content[5 * PAGE : 6 * PAGE] = os.urandom(PAGE)
    for name, before in kept.items():
        (tmp_path / name).write_bytes(before)
    path.write_bytes(content)
    names, notices = using(path, names_of)
    assert "late" in names
    assert len(notices) == 1


def test_damage_that_is_met_later_is_mended_and_the_work_done(path: Path, stepped):
    heard = []
    database = Database(path, on_notice=heard.append)

    def spoil():
        # Committed by another connection, because cached pages would hide the damage.
        change(path, "UPDATE prompts SET number = number + 1", "PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("rb+") as file:
            file.seek(12 * PAGE)
            file.write(os.urandom(path.stat().st_size - 12 * PAGE))

    async def scenario():
        queue = stepped(database)
        await queue.put(entry("one"))
        await asyncio.to_thread(spoil)
        await History(database).entries()
        await queue.put(entry("two"))
        return await names_of(database)

    try:
        names = asyncio.run(scenario())
    finally:
        database.close()
    assert "two" in names
    assert [each.kind for each in heard] == ["database_damaged"]


def older(path: Path) -> None:
    """A file of the first version, with a prompt that is only in its log."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1;")


INSERT = (
    "INSERT INTO prompts (id, digest, number, state, prompt, extra, wanted, created)"
    " VALUES ('a', x'00', 0, 'queued', '{}', '{}', '[]', 1)"
)


@pytest.mark.parametrize("reason", ["locked", "full"])
def test_a_file_that_cannot_be_migrated_now_is_not_set_aside(tmp_path: Path, reason, monkeypatch):
    monkeypatch.setattr("engine.store.opening.LOCK_SECONDS", 0.1)
    path = tmp_path / "calotype.db"
    older(path)
    change(path, INSERT)

    def small(where: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(where, isolation_level=None)
        [[pages]] = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        if reason == "locked":
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as raised:
            Database(path, connect=small if reason == "full" else None)
    said = {"locked": "close that program", "full": "the disk is full"}[reason]
    assert said in str(raised.value)
    assert not list(tmp_path.glob("*damaged*"))
    names, notices = using(path, names_of)
    assert (names, notices) == ({"a"}, [])


def test_the_copy_before_a_migration_holds_what_is_only_in_the_log(tmp_path: Path):
    path = tmp_path / "calotype.db"
    older(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as open_elsewhere:
        open_elsewhere.execute(INSERT)
        assert path.with_name("calotype.db-wal").stat().st_size > 0
        Database(path).close()
        with closing(sqlite3.connect(tmp_path / "calotype.db.v1")) as copy:
            assert copy.execute("SELECT id FROM prompts").fetchall() == [("a",)]
            assert copy.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_replacement_that_was_cut_off_between_two_names_is_finished(path: Path):
    path.replace(path.with_name("calotype.db.salvaged"))
    names, notices = using(path, names_of)
    assert len(names) == ENDED + PENDING
    assert notices == []


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_NOTADB, True),
        (sqlite3.SQLITE_CORRUPT_INDEX, True),
        (sqlite3.SQLITE_BUSY, False),
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_IOERR_WRITE, False),
        (sqlite3.SQLITE_READONLY, False),
        (sqlite3.SQLITE_CANTOPEN, False),
    ],
)
def test_only_what_sqlite_calls_corrupt_is_damage(code, damage):
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorcode = code
    assert is_damage(error) is damage
    assert "as SQLite says" in advice(error)
