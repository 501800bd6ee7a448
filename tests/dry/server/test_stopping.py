"""A stop is never lost, whenever it comes, and waits for no worker."""

import asyncio
import os
import signal

import pytest

from engine.server.app import SERVICES
from engine.store.queue import Queue

LOOKS = 5


@pytest.fixture
def slow_record(monkeypatch):
    """The store takes its time to note that a prompt began; set while it does."""
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


def test_what_is_handed_out_is_not_deleted_from_the_queue(scenario, slow_record, asking):
    """As with what runs: `POST /queue` leaves it alone, and it ends in history."""

    async def steps(client):
        await asking.put(client, prompt_id="it")
        await slow_record.wait()
        await client.post("/queue", json={"clear": True, "delete": ["it"]})
        return await asking.ended(client, "it")

    assert scenario(steps)["status"]["status_str"] == "success"


@pytest.mark.parametrize("path", ["/interrupt", "/api/jobs/it/cancel"])
def test_a_frozen_worker_holds_no_request(path, scenario, asking):
    """Its socket is full of a prompt that it does not read; that is cancelled all the same."""
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
