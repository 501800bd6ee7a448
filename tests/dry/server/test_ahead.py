"""Quick prompts are handed to the worker before their turn; until then they are pending."""

import asyncio
import os
import signal

import pytest

from engine.server import ahead
from engine.server.app import SERVICES

DIES, LOOKS, FULL, WAITS = 1, 5, 7, 9


@pytest.fixture(autouse=True)
def _any_prompt_is_quick(monkeypatch):
    monkeypatch.setattr(ahead, "QUICK_SECONDS", 600.0)


class Handing:
    """A first prompt runs until it is released, and the worker has those after it already."""

    def __init__(self, state, asking):
        self._state = state
        self._asking = asking

    async def begin(self, client, colors=(("b", 0), ("c", 0)), first=WAITS):
        await self._asking.ended(client, await self._asking.put(client))
        await self._asking.put(client, first, prompt_id="a")
        for name, color in colors:
            await self._asking.put(client, color, prompt_id=name, client_id="me")
        await self.until("got", "a", *(name for name, _ in colors))

    def release(self):
        """End the first prompt."""
        (self._state / "go").touch()

    def names(self, file):
        """`got`: what the worker has received, `seen`: begun, `withdrawn`: was to give back."""
        path = self._state / file
        return path.read_text().split()[file != "withdrawn" :] if path.exists() else []

    async def until(self, file, *names):
        while not set(names) <= set(self.names(file)):
            await asyncio.sleep(0.01)


@pytest.fixture
def handing(tmp_path, asking):
    return Handing(tmp_path, asking)


async def pending(client):
    return [each[1] for each in (await (await client.get("/queue")).json())["queue_pending"]]


async def messages(socket):
    """The types of messages that come within a moment, with the prompts they are about."""
    found = []
    while True:
        try:
            message = await socket.receive_json(timeout=0.3)
        except TimeoutError:
            return [each for each in found if each[1]]
        found.append((message["type"], message["data"].get("prompt_id")))


def test_they_are_pending_and_run_in_order_with_ordered_messages(scenario, asking, handing):
    async def steps(client):
        socket = await client.ws_connect("/ws?clientId=me")
        await handing.begin(client)
        before, seen = await pending(client), handing.names("seen")
        handing.release()
        ends = [await asking.ended(client, name) for name in "abc"]
        return before, seen, ends, await messages(socket)

    before, seen, ends, sent = scenario(steps)
    assert (before, seen) == (["b", "c"], ["a"])
    assert [each["status"]["status_str"] for each in ends] == ["success"] * 3
    assert handing.names("seen") == ["a", "b", "c"]
    assert handing.names("withdrawn") == []
    about = [name for _, name in sent if name in {"b", "c"}]
    assert about == sorted(about), "all messages of one prompt come before those of the next"
    assert sent[-1] == ("executing", "c")


def test_one_that_is_cancelled_never_begins(scenario, asking, handing):
    async def steps(client):
        await handing.begin(client)
        await client.post("/api/jobs/b/cancel")
        after = await pending(client)
        handing.release()
        await asking.ended(client, "c")
        return after, await (await client.get("/history/b")).json()

    assert scenario(steps) == (["c"], {})
    assert handing.names("seen") == ["a", "c"]


def test_they_are_moved_and_others_come_first(scenario, asking, handing):
    async def steps(client):
        await handing.begin(client)
        await client.post("/calotype/queue/move", json={"prompt_id": "c", "before": "b"})
        await asking.put(client, prompt_id="front", front=True)
        order = await pending(client)
        handing.release()
        await asking.ended(client, "b")
        return order

    assert scenario(steps) == ["front", "c", "b"]
    assert handing.names("seen") == ["a", "front", "c", "b"]


def test_a_paused_queue_begins_none_of_them(scenario, asking, handing):
    async def steps(client):
        await handing.begin(client)
        await client.post("/calotype/queue/pause", json={"paused": True})
        handing.release()
        await asking.ended(client, "a")
        await asyncio.sleep(0.2)
        seen = handing.names("seen")
        await client.post("/calotype/queue/pause", json={"paused": False})
        return seen, (await asking.ended(client, "c"))["status"]["status_str"]

    assert scenario(steps) == (["a"], "success")
    assert handing.names("seen") == ["a", "b", "c"]


@pytest.mark.parametrize("is_deleted", [True, False])
def test_one_that_has_begun_before_it_is_withdrawn(is_deleted, scenario, asking, handing, tmp_path):
    """It counts only where it was pending still; a deleted one is stopped, and nothing is sent."""
    (tmp_path / "deaf").touch()

    async def steps(client):
        socket = await client.ws_connect("/ws?clientId=me")
        await handing.begin(client, [("b", LOOKS if is_deleted else 0), ("c", 0)])
        if is_deleted:
            await client.post("/queue", json={"delete": ["b"]})
        else:
            await client.post("/calotype/queue/move", json={"prompt_id": "c", "before": "b"})
        await handing.until("withdrawn", "b", "c")
        handing.release()
        await asking.ended(client, "c")
        history = await (await client.get("/history/b")).json()
        sent = [kind for kind, about in await messages(socket) if about == "b"]
        return history, sent, client.app[SERVICES].workers.supervisor.restarts

    history, sent, restarts = scenario(steps)
    assert handing.names("seen") == ["a", "b", "c"]
    assert restarts == 0
    if is_deleted:
        assert (history, sent) == ({}, [])
    else:
        assert history["b"]["status"]["status_str"] == "success"
        assert (sent[0], sent[-1]) == ("execution_start", "executing")


@pytest.mark.parametrize("by_itself", [True, False])
def test_a_crash_is_that_of_the_running_one_alone(by_itself, scenario, asking, handing):
    async def steps(client):
        if by_itself:
            await handing.begin(client, [("b", DIES), ("c", 0)])
            handing.release()
        else:
            await handing.begin(client)
            os.kill(client.app[SERVICES].workers.pid, signal.SIGKILL)
        return {
            name: (await asking.ended(client, name))["status"]["messages"][-1][1] for name in "abc"
        }

    ends = scenario(steps)
    died = {name: end.get("exception_type") for name, end in ends.items()}
    if by_itself:
        assert died == {"a": None, "b": "WorkerDied", "c": None}
    else:
        assert died == {"a": "WorkerDied", "b": None, "c": None}
    assert sorted(handing.names("seen")) == ["a", "b", "c"]


def test_a_server_that_ends_leaves_them_pending(scenario, asking, handing):
    async def first(client):
        await handing.begin(client)

    async def second(client):
        left = await pending(client)
        handing.release()
        await asking.ended(client, "c")
        return left

    scenario(first)
    assert handing.names("seen") == ["a"]
    assert scenario(second)[-2:] == ["b", "c"]
    assert handing.names("seen") == ["a", "a", "b", "c"]


def test_packs_that_are_loaded_anew_wait_for_none_of_them(scenario, asking, handing):
    async def steps(client):
        await handing.begin(client)
        client.app[SERVICES].workers.reload_packs()
        await handing.until("withdrawn", "b", "c")
        handing.release()
        await asking.ended(client, "c")
        return client.app[SERVICES].workers.supervisor.restarts

    assert scenario(steps) == 1
    assert handing.names("seen") == ["a", "b", "c"]


def test_a_full_disk_ends_one_prompt_and_not_those_after_it(scenario, asking, handing, tmp_path):
    async def steps(client):
        workers = client.app[SERVICES].workers
        await handing.begin(client, [("b", FULL), ("c", FULL)])
        handing.release()
        while workers.hold_reason is None:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        seen = handing.names("seen")
        (tmp_path / "room").touch()
        workers.resume()
        return seen, [(await asking.ended(client, name))["status"]["status_str"] for name in "abc"]

    assert scenario(steps) == (["a", "b"], ["success"] * 3)
    assert handing.names("seen") == ["a", "b", "b", "c"]


def test_after_a_long_prompt_they_come_back(scenario, asking, handing, monkeypatch):
    monkeypatch.setattr(ahead, "QUICK_SECONDS", 2.0)

    async def steps(client):
        await handing.begin(client)
        await handing.until("withdrawn", "b", "c")
        handing.release()
        await asking.ended(client, "c")

    scenario(steps)
    assert handing.names("seen") == ["a", "b", "c"]
