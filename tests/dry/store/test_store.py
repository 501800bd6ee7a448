"""Accepted means durable; every prompt ends once; damage is set aside."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.settings import ROOT
from engine.store.costs import CostRow, CostStore
from engine.store.database import Database
from engine.store.entries import End, Entry
from engine.store.history import History
from engine.store.jobs import Jobs
from engine.store.migrations import MIGRATIONS
from engine.store.queue import MOST_ATTEMPTS, Queue

SEED = 2**64 - 1


def entry(name: str, **more) -> Entry:
    return Entry(name, {"1": {"class_type": "X", "inputs": {"seed": SEED}}}, ["1"], **more)


@pytest.fixture
def database(tmp_path: Path):
    opened = Database(tmp_path / "calotype.db")
    yield opened
    opened.close()


@pytest.fixture
def queue(database: Database, stepped) -> Queue:
    return stepped(database)


def test_prompts_run_in_order_and_from_the_front(queue: Queue):
    async def scenario():
        for name in "abc":
            await queue.put(entry(name))
        await queue.put(entry("front"), front=True)
        await queue.put(entry("very front"), front=True)
        await queue.put(entry("chosen"), number=-0.5)
        return await queue.ids()

    assert asyncio.run(scenario()) == ["very front", "front", "chosen", "a", "b", "c"]


def test_a_prompt_comes_back_exactly_as_it_was_put(queue: Queue):
    async def scenario():
        await queue.put(entry("a", client="me", extra={"workflow": {"id": SEED}}))
        return await queue.claim_next(now=5.0)

    claimed = asyncio.run(scenario())
    assert claimed is not None
    assert claimed.prompt["1"]["inputs"]["seed"] == SEED
    assert (claimed.client, claimed.extra) == ("me", {"workflow": {"id": SEED}})


def test_the_same_id_is_the_same_prompt_or_refused(queue: Queue):
    async def scenario():
        first = await queue.put(entry("a"))
        again = await queue.put(entry("a"))
        with pytest.raises(StoreError, match="another prompt has the id a"):
            await queue.put(Entry("a", {}, ["1"]))
        return first, again, await queue.remaining()

    first, again, remaining = asyncio.run(scenario())
    assert (first.entry.id, first.entry.number) == (again.entry.id, again.entry.number)
    assert remaining == 1


def test_a_prompt_ends_once(queue: Queue, database: Database):
    async def scenario():
        await queue.put(entry("a"))
        assert not await queue.finish(End("a", "done", {}, 1.0))
        await queue.claim_next(1.0)
        assert await queue.finish(End("a", "done", {"outputs": 1}, 2.0))
        assert not await queue.finish(End("a", "failed", {"outputs": 2}, 3.0))
        return await History(database).outcome("a"), (await queue.entry("a")).state

    assert asyncio.run(scenario()) == ({"outputs": 1}, "done")


def test_what_ran_when_the_server_ended_is_queued_again_but_not_for_ever(queue: Queue):
    async def scenario():
        await queue.put(entry("a"))
        await queue.put(entry("b"))
        for _ in range(MOST_ATTEMPTS - 1):
            assert (await queue.claim_next(1.0)).id == "a"
            assert await queue.recover(2.0, lambda name, why: {"why": why}) == []
        assert (await queue.claim_next(1.0)).id == "a"
        assert await queue.recover(2.0, lambda name, why: {"why": why}) == ["a"]
        return await queue.ids()

    assert asyncio.run(scenario()) == ["b"]


def test_only_what_waits_can_be_taken_out(queue: Queue):
    async def scenario():
        for name in "abcd":
            await queue.put(entry(name))
        await queue.claim_next(1.0)
        assert await queue.delete(["a", "b", "none"]) == 1
        assert await queue.ids("running") == ["a"]
        assert await queue.clear() == 2
        return await queue.remaining()

    assert asyncio.run(scenario()) == 1


def test_history_is_paged_oldest_first_and_trimmed(queue: Queue, database: Database):
    history = History(database, most_kept=3)

    async def ids(**page):
        return list(json.loads(await history.entries(**page)))

    async def scenario():
        for number, name in enumerate("abcde"):
            await queue.put(entry(name))
            await queue.claim_next(float(number))
            await queue.finish(End(name, "done", {}, float(number)))
        newest = await ids(limit=2)
        second = await ids(limit=2, offset=1)
        assert await history.trim() == 2
        left = await ids()
        await history.delete(["d"])
        return newest, second, left, await ids()

    newest, second, left, after = asyncio.run(scenario())
    assert (newest, second, left, after) == (["d", "e"], ["b", "c"], ["c", "d", "e"], ["c", "e"])


def test_work_that_raises_undoes_only_itself(database: Database, queue: Queue):
    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM prompts")
        raise ValueError("after the damage")

    async def scenario():
        await queue.put(entry("a"))
        results = await asyncio.gather(
            queue.put(entry("b")),
            database.run(wrong),
            queue.put(entry("c")),
            return_exceptions=True,
        )
        return results, await queue.remaining()

    results, remaining = asyncio.run(scenario())
    assert isinstance(results[1], ValueError)
    assert remaining == 3


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "calotype.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer Calotype"):
        Database(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["random", "truncated", "zeros inside", "empty"])
def test_a_damaged_file_is_kept_under_another_name(tmp_path: Path, damage: str):
    path = tmp_path / "calotype.db"
    first = Database(path)

    async def fill():
        for number in range(200):
            await Queue(first).put(entry(f"prompt {number}"))

    asyncio.run(fill())
    first.close()
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "random": os.urandom(len(whole)),
            "truncated": whole[: middle + 100],
            "zeros inside": whole[:4096] + bytes(len(whole) - 8192) + whole[-4096:],
            "empty": b"",
        }[damage]
    )
    again = Database(path)
    try:
        asyncio.run(Queue(again).put(entry("new")))
        assert asyncio.run(Queue(again).remaining()) == 1
    finally:
        again.close()
    kept = list(tmp_path.glob("*.damaged-*"))
    assert len(kept) == (0 if damage == "empty" else 1)
    assert len(again.notices) == len(kept)


WRITER = """
import asyncio, sys
from pathlib import Path
from engine.store.database import Database
from engine.store.entries import Entry
from engine.store.queue import Queue

async def main():
    queue = Queue(Database(Path(sys.argv[1])))
    for number in range(100_000):
        await queue.put(Entry(f"prompt {number}", {"x": "y" * 500}, ["1"]))
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_was_answered_survives_kill_9(tmp_path: Path):
    path = tmp_path / "calotype.db"
    answered = -1
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, path], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) >= answered + 40:
                    os.kill(process.pid, signal.SIGKILL)
                    answered = int(line)
                    break
        database = Database(path)
        found = {
            item[1]: item[2] for item in json.loads(asyncio.run(Queue(database).items("queued")))
        }
        database.close()
        assert database.notices == []
        assert {f"prompt {number}" for number in range(answered + 1)} <= found.keys()
        assert all(each == {"x": "y" * 500} for each in found.values())


def test_lists_for_the_api_are_put_together_from_what_is_stored(queue: Queue, database: Database):
    history = History(database)

    async def scenario():
        for name in "abc":
            await queue.put(entry(name))
        await queue.claim_next(1.0)
        await queue.finish(End("a", "done", {"outputs": {"9": 1}}, 2.0))
        await queue.claim_next(3.0)
        await queue.finish(End("b", "done", {}, 4.0))
        return await queue.items("queued"), await history.entries(), await history.entry("a")

    waiting, entries, one = (json.loads(text) for text in asyncio.run(scenario()))
    assert [item[1] for item in waiting] == ["c"]
    assert len(waiting[0]) == 5
    assert list(entries) == ["a", "b"]
    assert entries["a"]["outputs"] == {"9": 1}
    assert entries["b"]["prompt"][1] == "b"
    assert list(one) == ["a"]


def test_jobs_are_listed_by_page(queue: Queue, database: Database):
    async def scenario():
        for name in "abcd":
            await queue.put(entry(name))
        await queue.claim_next(1.0)
        await queue.finish(End("a", "failed", {}, 2.0, {"outputs_count": 3}))
        jobs = Jobs(database)
        page = await jobs.list(["queued"], descending=False, limit=2, offset=1)
        return page, await jobs.get("a"), await jobs.get("none"), await queue.remaining()

    (rows, total), ended, none, remaining = asyncio.run(scenario())
    assert ([row.id for row in rows], total) == (["c", "d"], 3)
    assert (ended.state, ended.summary) == ("failed", {"outputs_count": 3})
    assert none is None
    assert remaining == 3


def test_a_prompt_that_no_worker_saw_waits_again_in_its_place(queue: Queue):
    async def scenario():
        for name in "ab":
            await queue.put(entry(name))
        await queue.claim_next(1.0)
        await queue.requeue("a", counted=False)
        await queue.requeue("b", counted=False)
        again = await queue.claim_next(2.0)
        return again.id, (await queue.entry("a")).attempts

    assert asyncio.run(scenario()) == ("a", 1)


def test_ends_and_beginnings_share_one_flush(queue: Queue, database: Database):
    statements: list[str] = []

    async def scenario():
        for name in "ab":
            await queue.put(entry(name))
        await queue.claim_next(1.0)
        following = await queue.next()
        assert queue.claim(following)
        await database.run(lambda each: each.set_trace_callback(statements.append))
        recorded = await queue.record({"b": 2.0}, [End("a", "done", {"outputs": {}}, 2.0)])
        return following.entry.id, recorded

    following, recorded = asyncio.run(scenario())
    assert following == "b"
    assert (recorded.began, recorded.ended, recorded.remaining) == ({"b"}, {"a"}, 1)
    assert statements.count("COMMIT") == 2, "one of the tracing itself, one for both"


def test_what_is_not_urgent_shares_the_flush_of_what_is(database: Database):
    statements: list[str] = []
    database.submit(lambda each: each.set_trace_callback(statements.append)).result()
    statements.clear()
    later = database.submit(lambda each: each.execute("SELECT 1").fetchone(), urgent=False)
    now = database.submit(lambda each: each.execute("SELECT 2").fetchone())
    assert (later.result(), now.result()) == ((1,), (2,))
    assert statements.count("COMMIT") == 1
    alone = database.submit(lambda each: each.execute("SELECT 3").fetchone(), urgent=False)
    assert alone.result(timeout=30) == (3,)
    last = database.submit(lambda each: each.execute("SELECT 4").fetchone(), urgent=False)
    database.close()
    assert last.result() == (4,)


def test_costs_are_kept_the_newest_first(database: Database):
    old = CostRow("A", "w", 64, 2, True, (1.0, 2.0), 7)
    new = CostRow("B", "", 0, 1, False, (3.0,), 0)

    store = CostStore(database)
    store.save([CostRow("A", "w", 64, 2, True, (1.0,), 7)], 1.0)
    store.save([old], 2.0)
    store.save([new], 3.0).result()
    assert asyncio.run(store.load()) == [new, old]


def test_taking_a_prompt_never_sorts_all_that_waits(database: Database, queue: Queue):
    asked: list[str] = []

    def listen(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(asked.append)

    def explain(connection: sqlite3.Connection) -> list[str]:
        connection.set_trace_callback(None)
        selects = [each for each in asked if each.lstrip().startswith("SELECT")]
        return [
            row[3] for each in selects for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")
        ]

    async def scenario():
        await queue.put(entry("a"), front=True)
        await database.run(listen)
        await queue.claim_next(1.0)
        await queue.finish(End("a", "done", {}, at=2.0))
        await queue.items("queued", limit=5)
        await queue.items("running")
        return await database.run(explain)

    steps = asyncio.run(scenario())
    assert any("prompts_waiting" in each for each in steps)
    assert any("prompts_running" in each for each in steps)
    assert not [each for each in steps if "TEMP B-TREE" in each]
