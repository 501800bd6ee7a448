"""An interrupt is never lost, whenever it arrives, and waits for no worker."""

import asyncio
import os
import signal

import pytest

from engine.errors import StoreError
from engine.server.app import SERVICES
from engine.store.queue import Queue

LOOKS = 5


@pytest.fixture
def slow_record(monkeypatch):
    """Delays the store's record that a prompt began; the event is set meanwhile."""
    real, handed_out = Queue.record, asyncio.Event()

    async def slow(queue, began, ends):
        if began:
            handed_out.set()
            await asyncio.sleep(0.3)
        return await real(queue, began, ends)

    monkeypatch.setattr(Queue, "record", slow)
    return handed_out


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/interrupt", {"prompt_id": "it"}),
        ("/interrupt", {}),
        ("/api/jobs/it/cancel", {}),
        ("/api/jobs/cancel", {"job_ids": ["it"]}),
    ],
)
def test_a_stop_before_the_beginning_is_stored_is_not_lost(
    path, body, scenario, slow_record, asking
):
    async def steps(client):
        await asking.put(client, LOOKS, prompt_id="it")
        await slow_record.wait()
        answer = await client.post(path, json=body)
        entry = await asking.ended(client, "it")
        job = await (await client.get("/api/jobs/it")).json()
        return answer.status, entry["status"]["messages"][-1][0], job["status"]

    assert scenario(steps) == (200, "execution_interrupted", "cancelled")


def test_a_stop_while_the_prompt_is_being_stored_is_not_lost(scenario, asking, monkeypatch):
    """A client that chose the id may send the interrupt before its prompt is acknowledged."""
    real, stored, go_on = Queue.put, asyncio.Event(), asyncio.Event()

    async def slow(queue, entry, **options):
        answer = await real(queue, entry, **options)
        if entry.id == "it":
            stored.set()
            await go_on.wait()
        return answer

    monkeypatch.setattr(Queue, "put", slow)

    async def steps(client):
        await asking.ended(client, await asking.put(client))  # a worker is idle
        putting = asyncio.ensure_future(asking.put(client, LOOKS, prompt_id="it"))
        await stored.wait()
        state = (await client.app[SERVICES].queue.entry("it")).state
        answer = await client.post("/api/jobs/it/cancel", json={})
        go_on.set()
        await putting
        entry = await asking.ended(client, "it")
        after = await asking.ended(client, await asking.put(client))
        return state, answer.status, entry["status"]["messages"], after["status"]["status_str"]

    state, status, messages, after = scenario(steps)
    assert (state, status, messages[-1][0]) == ("running", 200, "execution_interrupted")
    assert after == "success"


def test_a_prompt_that_cannot_be_stored_holds_no_other(scenario, asking, monkeypatch):
    real = Queue.put

    async def refusing(queue, entry, **options):
        if entry.id == "it":
            raise StoreError("the disk is full")
        return await real(queue, entry, **options)

    monkeypatch.setattr(Queue, "put", refusing)

    async def steps(client):
        await asking.ended(client, await asking.put(client))
        refused = await client.post("/prompt", json={"prompt": asking.prompt(), "prompt_id": "it"})
        return refused.status, await asking.ended(client, await asking.put(client))

    status, after = scenario(steps)
    assert status >= 500
    assert after["status"]["status_str"] == "success"


def test_what_is_handed_out_is_not_deleted_from_the_queue(scenario, slow_record, asking):
    """Like a running prompt: `POST /queue` does not delete it, and it ends in the history."""

    async def steps(client):
        await asking.put(client, prompt_id="it")
        await slow_record.wait()
        await client.post("/queue", json={"clear": True, "delete": ["it"]})
        return await asking.ended(client, "it")

    assert scenario(steps)["status"]["status_str"] == "success"


@pytest.mark.parametrize("path", ["/interrupt", "/api/jobs/it/cancel"])
def test_a_frozen_worker_holds_no_request(path, scenario, asking):
    """Its socket is full of a prompt that it does not read; that is cancelled nonetheless."""
    large = asking.prompt()
    large["2"]["inputs"]["padding"] = "x" * (1 << 19)

    async def steps(client):
        workers = client.app[SERVICES].workers
        await asking.ended(client, await asking.put(client))
        os.kill(workers.pid, signal.SIGSTOP)
        await client.post("/prompt", json={"prompt": large, "prompt_id": "it"})
        while workers.current is None:
            await asyncio.sleep(0.01)
        answers = [
            await client.post(path, json={"prompt_id": "it"}),
            await client.post("/free", json={"free_memory": True}),
        ]
        entry = await asking.ended(client, "it")
        job = await (await client.get("/api/jobs/it")).json()
        after = await asking.ended(client, await asking.put(client))
        return [each.status for each in answers], entry, job["status"], after

    statuses, entry, status, after = scenario(steps)
    assert statuses == [200, 200]
    assert (entry["status"]["messages"][-1][0], status) == ("execution_interrupted", "cancelled")
    assert after["status"]["status_str"] == "success"
