"""An accepted prompt is stored together with its start, and sent without being read again."""

import asyncio
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from engine.store.database import Database
from engine.store.entries import Entry
from engine.store.queue import Queue


def entry(name: str) -> Entry:
    return Entry(name, {"1": {"class_type": "X", "inputs": {}}}, ["1"])


@pytest.fixture
def database(tmp_path: Path):
    opened = Database(tmp_path / "calotype.db")
    yield opened
    opened.close()


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


def test_a_prompt_and_its_beginning_share_one_flush(queue: Queue, database: Database):
    statements: list[str] = []

    async def scenario():
        await database.run(lambda each: each.set_trace_callback(statements.append))
        first = await queue.put(entry("a"), begin_at=1.0)
        count = statements.count("COMMIT") - 1  # that of the tracing itself
        found = await queue.entry("a")
        second = await queue.put(entry("b"))
        third = await queue.put(entry("c"), begin_at=2.0)
        return first, count, (found.state, found.began, found.attempts), second, third

    first, count, stored, second, third = asyncio.run(scenario())
    assert (first.begun, first.following.entries, first.following.is_all) == (True, (), True)
    assert count == 1
    assert stored == ("running", 1.0, 1)
    assert [each.id for each in second.following.entries] == ["b"]
    assert (third.begun, third.following, third.entry.state) == (False, None, "queued")


def test_nothing_begins_while_the_queue_is_paused(queue: Queue):
    async def scenario():
        await queue.pause(paused=True)
        put = await queue.put(entry("a"), begin_at=1.0)
        return put.begun, (await queue.entry("a")).state

    assert asyncio.run(scenario()) == (False, "queued")


def test_pending_prompts_are_not_decoded_again(queue: Queue, monkeypatch):
    """An accepted prompt is sent as it is, in the order of its row; a changed row is read again."""
    read: list[str] = []
    real = json.loads
    monkeypatch.setattr(json, "loads", lambda text, **more: read.append(text) or real(text, **more))

    async def scenario():
        studied = object()
        for name in "abc":
            await queue.put(replace(entry(name), studied=studied))
        await queue.move("c", before="a")
        following = await queue.next()
        assert [each.id for each in following.entries] == ["c", "a", "b"]
        assert all(each.studied is studied for each in following.entries)
        assert following.is_all
        assert following.entries[0].number < following.entries[1].number
        before = len(read)
        change = "UPDATE prompts SET prompt = replace(prompt, '\"X\"', '\"Y\"') WHERE id = 'a'"
        await queue._database.run(lambda each: each.execute(change).rowcount)
        return before, await queue.next()

    before, following = asyncio.run(scenario())
    assert before == 0
    assert list(following.damaged) == ["a"]


def test_work_that_raises_undoes_only_itself_and_the_others_are_done_once(database: Database):
    insert = "INSERT INTO switches (name, is_on) VALUES (?, 0)"

    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute(insert, ("wrong",))
        raise ValueError("on purpose")

    async def scenario():
        answers = await database.run_together(
            [
                lambda each: each.execute(insert, ("a",)).rowcount,
                wrong,
                lambda each: each.execute(insert, ("b",)).rowcount,
            ]
        )
        names = await database.read(
            lambda each: each.execute("SELECT name FROM switches ORDER BY name").fetchall()
        )
        return answers, names

    answers, names = asyncio.run(scenario())
    assert [value for value, _ in answers] == [1, None, 1]
    assert isinstance(answers[1][1], ValueError)
    assert names == [("a",), ("b",)]


async def at_once(work):
    """Begin something, up to its first wait."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    return task


def test_nothing_is_claimed_while_the_order_changes(queue: Queue):
    async def scenario():
        for name in "abc":
            await queue.put(entry(name))
        before = await queue.next()
        deleting, reading = await at_once(queue.delete(["a"])), await at_once(queue.next())
        claimed = queue.claim(before)
        meanwhile = queue.is_current(before)
        return claimed, meanwhile, await deleting, await reading

    claimed, meanwhile, deleted, following = asyncio.run(scenario())
    assert (claimed, meanwhile, deleted) == (None, False, 1)
    assert [each.id for each in following.entries] == ["b", "c"]


def test_what_is_claimed_while_the_queue_is_read_is_left_out(queue: Queue):
    async def scenario():
        for name in "abc":
            await queue.put(entry(name))
        before = await queue.next()
        reading = await at_once(queue.next())
        queue.claim(before)
        following = await reading
        return [each.id for each in following.entries], queue.is_current(following)

    assert asyncio.run(scenario()) == (["b", "c"], True)


def test_a_prompt_that_arrives_is_handed_out_by_one_call_only(queue: Queue, monkeypatch):
    async def scenario():
        await queue.recover(0.0, lambda *_: {})
        for name in "ab":
            await queue.put(entry(name))
        real = queue._database.run
        found = []

        async def run(work):
            answer = await real(work)
            found.append(await queue.next())  # the row is there, and its caller has no answer yet
            return answer

        monkeypatch.setattr(queue._database, "run", run)
        put = await queue.put(entry("c"))
        again = await queue.put(entry("c"))
        return [each.id for each in found[0].entries], put.is_added, again.is_added

    assert asyncio.run(scenario()) == (["a", "b"], True, False)


def test_a_prompt_that_was_begun_unasked_counts_only_if_it_was_pending(queue: Queue):
    async def scenario():
        for name in "ab":
            await queue.put(entry(name))
        await queue.delete(["a"])
        for name in "ab":
            queue.claim_begun(name)
        await queue.delete(["b"])
        recorded = await queue.record({"a": 1.0, "b": 1.0}, [])
        return recorded.missing, recorded.began, await queue.entry("a"), await queue.entry("b")

    missing, began, a, b = asyncio.run(scenario())
    assert (missing, began) == ({"a"}, {"a", "b"})
    assert a is None
    assert b.state == "running"
