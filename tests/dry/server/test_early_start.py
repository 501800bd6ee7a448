"""An idle worker gets a prompt while it is stored; nothing of the run counts before that."""

import asyncio
import os
import signal

import pytest

from engine.errors import StoreError
from engine.server.app import SERVICES
from engine.store.id_filter import IdFilter
from engine.store.queue import Queue

HANGS, LOOKS, FULL = 4, 5, 7
ORDER = [
    "status",
    "status",
    "execution_start",
    "execution_cached",
    "progress_state",
    "executing",
    "executed",
    "progress_state",
    "execution_success",
    "status",
    "executing",
]


class Storing:
    """Holds the storing of the prompt `it` until it is released, and can make it fail."""

    def __init__(self, monkeypatch, state):
        self._state = state
        self.release = asyncio.Event()
        self.error = None
        real = Queue.put

        async def put(queue, entry, **options):
            if entry.id == "it":
                await self.release.wait()
                if self.error is not None:
                    raise self.error
            return await real(queue, entry, **options)

        monkeypatch.setattr(Queue, "put", put)

    def seen(self):
        """The prompts that workers have got."""
        return (self._state / "seen").read_text().split()

    async def until_seen(self):
        while "it" not in self.seen():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # what the worker reports arrives


@pytest.fixture
def storing(monkeypatch, tmp_path):
    return Storing(monkeypatch, tmp_path)


async def drain(socket):
    """The types of all messages that come within a moment, with the prompts they are about."""
    found = []
    while True:
        try:
            message = await socket.receive_json(timeout=0.2)
        except TimeoutError:
            return found
        found.append((message["type"], message["data"].get("prompt_id")))


async def begin(client, asking, color=0):
    """Start the request for `it` at an idle worker, with a socket of its client."""
    await asking.ended(client, await asking.put(client))
    socket = await client.ws_connect("/ws?clientId=me")
    await drain(socket)
    body = {"prompt": asking.prompt(color), "prompt_id": "it", "client_id": "me"}
    return socket, asyncio.ensure_future(client.post("/prompt", json=body))


def test_a_prompt_runs_while_it_is_stored(scenario, asking, storing):
    async def steps(client):
        socket, request = await begin(client, asking)
        await storing.until_seen()
        before = await drain(socket), await (await client.get("/history/it")).json(), request.done()
        storing.release.set()
        status = (await request).status
        await asking.ended(client, "it")
        return before, status, await drain(socket)

    before, status, after = scenario(steps)
    assert before == ([], {}, False)
    assert (status, [name for name, _ in after]) == (200, ORDER)


@pytest.mark.parametrize("color", [0, FULL, LOOKS])
def test_the_run_of_a_prompt_that_was_not_stored_leaves_nothing(color, scenario, asking, storing):
    storing.error = StoreError("the disk is full")

    async def steps(client):
        socket, request = await begin(client, asking, color)
        await storing.until_seen()
        storing.release.set()
        status = (await request).status
        after = await asking.ended(client, await asking.put(client))
        held = (await (await client.get("/calotype/queue")).json())["held"]
        messages = [name for name, about in await drain(socket) if about == "it"]
        history = await (await client.get("/history/it")).json()
        restarts = client.app[SERVICES].workers.supervisor.restarts
        return status, after["status"]["status_str"], held, messages, history, restarts

    status, *others = scenario(steps)
    assert status == 503
    assert others == ["success", None, [], {}, 0]


def test_a_stop_while_it_is_stored(scenario, asking, storing):
    async def steps(client):
        _, request = await begin(client, asking, LOOKS)
        await storing.until_seen()
        stopped = await client.post("/interrupt")
        await asyncio.sleep(0.8)  # the run has ended, and its prompt is still not stored
        storing.release.set()
        entry = await asking.ended(client, "it")
        return (
            stopped.status,
            (await request).status,
            entry,
            client.app[SERVICES].workers.supervisor.restarts,
        )

    stopped, status, entry, restarts = scenario(steps)
    assert (stopped, status, restarts) == (200, 200, 0)
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"


@pytest.mark.parametrize("fails", [False, True])
def test_a_worker_that_dies_while_it_is_stored(fails, scenario, asking, storing):
    storing.error = StoreError("the disk is full") if fails else None

    async def steps(client):
        _, request = await begin(client, asking, HANGS)
        await storing.until_seen()
        os.kill(client.app[SERVICES].workers.pid, signal.SIGKILL)
        await asyncio.sleep(0.2)
        storing.release.set()
        status = (await request).status
        entry = None if fails else await asking.ended(client, "it")
        after = await asking.ended(client, await asking.put(client))
        return status, entry, after["status"]["status_str"]

    status, entry, after = scenario(steps)
    assert (status, after) == (503 if fails else 200, "success")
    assert fails or entry["status"]["messages"][-1][1]["exception_type"] == "WorkerDied"


def test_a_full_disk_while_it_is_stored_queues_it_again(scenario, asking, storing, tmp_path):
    async def steps(client):
        _, request = await begin(client, asking, FULL)
        await storing.until_seen()
        storing.release.set()
        status = (await request).status
        (tmp_path / "room").touch()
        client.app[SERVICES].workers.resume()
        return status, await asking.ended(client, "it")

    status, entry = scenario(steps)
    assert (status, entry["status"]["status_str"]) == (200, "success")
    assert storing.seen().count("it") == 2


def test_the_same_id_is_not_run_again(scenario, asking, storing):
    """Not even by the next server, and not while nothing but its id is known of it."""
    storing.release.set()

    async def steps(client):
        for _ in range(2):
            await asking.ended(client, await asking.put(client))
            await asking.ended(client, await asking.put(client, prompt_id="it"))

    scenario(steps)
    scenario(steps)
    assert storing.seen().count("it") == 1


def test_ids_that_were_added_are_found():
    ids = IdFilter()
    ids.add(f"id {number}" for number in range(10_000))
    assert all(f"id {number}" in ids for number in range(10_000))
    assert sum(f"other {number}" in ids for number in range(10_000)) < 100
