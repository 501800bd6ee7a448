"""The next prompts are known without reading the queue for each that arrives."""

import asyncio

import pytest

from engine.server.lookahead import Lookahead
from engine.store.database import Database
from engine.store.entries import Entry
from engine.store.queue import Queue


@pytest.fixture
def looking(tmp_path):
    """Runs a scenario with a queue, what looks ahead in it, and a function that accepts prompts."""
    database = Database(tmp_path / "calotype.db")

    def run(scenario):
        async def whole():
            queue = Queue(database)
            await queue.recover(0.0, lambda *_: {})
            lookahead = Lookahead(queue, None, on_available=lambda: None, on_damaged=print)

            async def put(name, **more):
                lookahead.offer(await queue.put(Entry(name, {}, ["1"]), **more))

            reading = asyncio.ensure_future(lookahead.run())
            try:
                return await asyncio.wait_for(scenario(queue, lookahead, put), 30)
            finally:
                reading.cancel()

        return asyncio.run(whole())

    yield run
    database.close()


def known(lookahead):
    places = (lookahead.peek(place) for place in range(50))
    return [each.id for each in places if each is not None]


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def test_prompts_are_known_as_they_arrive(looking, monkeypatch):
    async def scenario(queue, lookahead, put):
        await put("a")
        await until(lambda: known(lookahead) == ["a"])
        monkeypatch.setattr(queue, "next", None)  # from here on nothing is read
        for name in ("b", "c", "c"):
            await put(name)
        before = known(lookahead)
        claimed = [lookahead.claim().id for _ in range(2)]
        await put("d")
        return before, claimed, known(lookahead)

    assert looking(scenario) == (["a", "b", "c"], ["a", "b"], ["c"])


def test_one_that_comes_between_others_is_not_put_behind_them(looking):
    async def scenario(queue, lookahead, put):
        await put("a")
        await put("last", number=100.0)
        await put("late")
        found = []
        while len(found) < 3:
            if (entry := lookahead.claim()) is not None:
                found.append(entry.id)
            await asyncio.sleep(0.005)
        return found

    assert looking(scenario) == ["a", "late", "last"]


def test_many_more_than_are_noted_come_in_order(looking):
    async def scenario(queue, lookahead, put):
        names = [f"{number:03}" for number in range(80)]
        for name in names:
            await put(name)
        found = []
        while len(found) < len(names):
            if (entry := lookahead.claim()) is not None:
                found.append(entry.id)
                await queue.record({entry.id: 1.0}, [])
            await asyncio.sleep(0)
        return found == names

    assert looking(scenario)
