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
