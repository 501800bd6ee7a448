"""A worker may crash, hang or send nonsense: its job fails with the reason, the next one runs.

The worker here is `fake_worker.py`, which loads no torch; a picture's colour tells it what to do.
"""

import asyncio
import os
import sys

import pytest

from engine.errors import StoreError
from engine.server.app import SERVICES
from engine.store.queue import Queue, Recorded

DIES, CRASHES, BABBLES, HANGS, LOOKS = 1, 2, 3, 4, 5
STOP_SECONDS = 0.3


def prompt(color=0):
    inputs = {"width": 16, "height": 16, "batch_size": 1, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }


async def put(client, color=0, **more):
    answer = await client.post("/prompt", json={"prompt": prompt(color), **more})
    assert answer.status == 200
    return (await answer.json())["prompt_id"]


async def ended(client, name):
    while True:
        found = await (await client.get(f"/history/{name}")).json()
        if found:
            return found[name]
        await asyncio.sleep(0.02)


async def running(client, name):
    """Wait until its node runs."""
    workers = client.app[SERVICES].workers
    while workers.current is None or workers.current.entry.id != name or not workers.current.node:
        await asyncio.sleep(0.01)


def error_of(entry):
    kind, data = entry["status"]["messages"][-1]
    assert kind == "execution_error"
    return data


@pytest.mark.parametrize(
    ("color", "reason"),
    [
        (DIES, "exit code 7"),
        (CRASHES, "signal 11 (SIGSEGV)"),
        (BABBLES, "broke the protocol"),
    ],
)
def test_a_job_whose_worker_is_lost_fails_and_the_next_one_runs(color, reason, scenario, tmp_path):
    async def steps(client):
        lost = await put(client, color)
        after = await put(client)
        first = await ended(client, lost)
        return lost, first, await ended(client, after)

    lost, first, second = scenario(steps)
    error = error_of(first)
    assert reason in error["exception_message"]
    assert (error["node_id"], error["node_type"]) == ("1", "EmptyImage")
    assert error["exception_type"] == "WorkerDied"
    assert first["status"]["status_str"] == "error"
    assert second["status"]["status_str"] == "success"
    assert second["outputs"] == {"1": {"text": ["done"]}}
    seen = (tmp_path / "seen").read_text().split()
    assert seen.count(lost) == 1, "a job whose worker died is not tried again"


def test_a_stop_that_is_not_acknowledged_ends_the_worker_and_cancels_the_job(scenario):
    async def steps(client):
        hung = await put(client, HANGS)
        after = await put(client)
        await running(client, hung)
        pid = client.app[SERVICES].workers.pid
        await client.post("/interrupt", json={"prompt_id": hung})
        first = await ended(client, hung)
        job = await (await client.get(f"/api/jobs/{hung}")).json()
        log = "".join(each.m for each in client.app[SERVICES].logs.entries)
        return first, await ended(client, after), pid, job["status"], log

    first, second, pid, status, log = scenario(steps)
    kind, data = first["status"]["messages"][-1]
    assert (kind, data["node_id"], status) == ("execution_interrupted", "1", "cancelled")
    assert "not acknowledged" in log
    assert second["status"]["status_str"] == "success"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_node_that_acknowledged_a_stop_gets_time_to_end(scenario):
    async def steps(client):
        name = await put(client, LOOKS)
        await running(client, name)
        await client.post("/interrupt")
        found = await ended(client, name)
        return found, client.app[SERVICES].workers.supervisor.restarts

    found, restarts = scenario(steps)
    assert found["status"]["messages"][-1][0] == "execution_interrupted"
    assert restarts == 0


def test_a_client_that_comes_back_learns_what_runs(scenario):
    async def steps(client):
        name = await put(client, LOOKS, client_id="me")
        await running(client, name)
        socket = await client.ws_connect("/ws?clientId=me")
        told = [await socket.receive_json(timeout=10) for _ in range(3)]
        other = await client.ws_connect("/ws?clientId=other")
        await other.receive_json(timeout=10)
        await client.post("/interrupt")
        ending = (await other.receive_json(timeout=10))["type"]
        await socket.close()
        await other.close()
        return name, told, ending

    name, told, ending = scenario(steps)
    assert [each["type"] for each in told] == ["status", "executing", "progress_state"]
    assert told[1]["data"] == {"node": "1"}
    assert told[2]["data"]["nodes"]["1"]["state"] == "running"
    assert told[2]["data"]["prompt_id"] == name
    assert ending == "status", "what belongs to one client is not told to another"


def test_a_stop_for_another_prompt_stops_nothing(scenario):
    async def steps(client):
        name = await put(client, LOOKS)
        await running(client, name)
        await client.post("/interrupt", json={"prompt_id": "another"})
        await asyncio.sleep(2 * STOP_SECONDS)
        still = (await (await client.get("/queue")).json())["queue_running"][0][1] == name
        await client.post(f"/api/jobs/{name}/cancel")
        await ended(client, name)
        job = await (await client.get(f"/api/jobs/{name}")).json()
        return still, job["status"]

    assert scenario(steps) == (True, "cancelled")


def test_prompts_run_by_number_and_one_at_a_time(scenario, tmp_path):
    async def steps(client):
        first = await put(client, LOOKS)
        await running(client, first)
        names = [await put(client, prompt_id=name) for name in ("a", "b")]
        names.append(await put(client, prompt_id="front", front=True))
        await client.post("/interrupt")
        for name in names:
            await ended(client, name)

    scenario(steps)
    assert (tmp_path / "seen").read_text().split()[1:] == ["front", "a", "b"]


def test_a_worker_that_cannot_load_leaves_the_queue_as_it_is(scenario, tmp_path):
    (tmp_path / "broken").touch()

    async def steps(client):
        name = await put(client)
        logs = client.app[SERVICES].logs
        while not any("before it was ready" in each.m for each in logs.entries):
            await asyncio.sleep(0.05)
        waiting = (await (await client.get("/queue")).json())["queue_pending"]
        (tmp_path / "broken").unlink()
        return name, waiting, await ended(client, name), "".join(each.m for each in logs.entries)

    name, waiting, entry, log = scenario(steps)
    assert waiting[0][1] == name
    assert entry["status"]["status_str"] == "success"
    assert "this worker cannot load" in log
    assert "fake worker is here" in log


def test_memory_is_given_back_and_devices_are_told(scenario):
    async def steps(client):
        await ended(client, await put(client))
        await client.post("/free", json={"unload_models": True})
        while True:
            stats = await (await client.get("/system_stats")).json()
            if stats["devices"][0]["vram_free"] == 2:
                return stats
            await asyncio.sleep(0.02)

    stats = scenario(steps)
    assert stats["system"]["worker"]["note"] == "fake"
    assert stats["system"]["worker"]["cache_budget"] > 0
    assert stats["devices"][0]["calotype_vram_budget"] == 0


def test_two_hundred_prompts_all_end_once(scenario, tmp_path):
    async def steps(client):
        names = await asyncio.gather(*(put(client) for _ in range(200)))
        for name in names:
            await ended(client, name)
        history = await (await client.get("/history")).json()
        last = await (await client.get("/history?max_items=3")).json()
        return names, history, last

    names, history, last = scenario(steps)
    assert set(history) == set(names)
    assert list(last) == list(history)[-3:]
    assert sorted((tmp_path / "seen").read_text().split()) == sorted(names)


def test_while_the_disk_is_full_nothing_is_lost(scenario, monkeypatch):
    """The store fails for a while: clients are notified, finished jobs are recorded afterwards."""
    real, refused = Queue.record, []
    full = StoreError("the database cannot be written: the disk is full")

    async def record(queue, began, ends):
        if ends and len(refused) < 2:
            refused.append(ends[0].id)
            return Recorded(frozenset(), frozenset(), None, full)
        return await real(queue, began, ends)

    async def refuse(*_, **__):
        raise full

    monkeypatch.setattr(Queue, "record", record)

    async def steps(client):
        first, second = await put(client), await put(client)
        while not refused:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        held = (await (await client.get("/calotype/queue")).json())["held"]
        ends = [await ended(client, name) for name in (first, second)]
        with monkeypatch.context() as patched:
            patched.setattr(Queue, "put", refuse)
            answer = await client.post("/prompt", json={"prompt": prompt()})
            told = answer.status, await answer.text()
        return first, ends, told, held, (await (await client.get("/prompt")).json())

    first, ends, told, held, count = scenario(steps)
    assert refused[0] == first
    assert [each["status"]["status_str"] for each in ends] == ["success", "success"]
    assert told[0] == 503
    assert "the disk is full" in held
    assert count["exec_info"]["queue_remaining"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends when it reads the end")
def test_a_worker_ends_with_the_server(scenario):
    async def steps(client):
        name = await put(client, HANGS)
        await running(client, name)
        return client.app[SERVICES].workers.pid

    pid = scenario(steps)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def plan(client, color=0):
    """Which nodes would run, and the whole plan."""
    answer = await (await client.post("/calotype/check", json=prompt(color))).json()
    found = answer["plan"]
    return [each for each, node in found["nodes"].items() if node["state"] == "run"], found


def test_a_plan_tells_what_is_kept_and_what_it_will_cost(scenario):
    async def steps(client):
        before, nothing = await plan(client)
        await ended(client, await put(client))
        after, kept = await plan(client)
        changed, known = await plan(client, color=9)
        return before, nothing, after, kept, changed, known

    before, nothing, after, kept, changed, known = scenario(steps)
    assert before == changed == ["1", "2"]
    assert (nothing["seconds"], nothing["memory"], nothing["unknown"]) == (None, None, 2)
    assert (after, kept["run"], kept["cached"]) == ([], 0, 2)
    assert (known["seconds"], known["memory"], known["unknown"]) == (0.5, 1 << 20, 1)


def test_results_that_were_given_back_will_be_made_again(scenario):
    async def steps(client):
        await ended(client, await put(client))
        await client.post("/free", json={"free_memory": True})
        while not (found := (await plan(client))[0]):
            await asyncio.sleep(0.01)
        return found

    assert scenario(steps) == ["1", "2"]


def test_a_worker_that_died_has_kept_nothing_but_its_costs_are_known(scenario):
    async def steps(client):
        await ended(client, await put(client))
        await ended(client, await put(client, DIES))
        return await plan(client)

    running, found = scenario(steps)
    assert running == ["1", "2"]
    assert found["seconds"] == 0.5


def test_a_plan_for_one_output_leaves_the_others_out(scenario):
    two = {**prompt(), "3": {**prompt()["2"]}}

    async def steps(client):
        answer = await client.post("/calotype/check?target=3", json=two)
        return (await answer.json())["plan"]["nodes"]

    found = scenario(steps)
    assert {each: node["state"] for each, node in found.items()} == {
        "1": "run",
        "2": "unneeded",
        "3": "run",
    }


def test_a_prompt_whose_size_cannot_be_reckoned_with_runs(scenario):
    """`scale_by` of 1e200, linked, so its bounds are not checked: only the forecast read it."""
    nodes = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    nodes["1"]["inputs"] |= {"color": 0, "scale_by": 1e200, "steps": 10**300}

    async def steps(client):
        checked = await client.post("/calotype/check", json=nodes)
        pid = client.app[SERVICES].workers.pid
        posted = await (await client.post("/prompt", json={"prompt": nodes})).json()
        entry = await ended(client, posted["prompt_id"])
        return checked.status, entry["status"], pid == client.app[SERVICES].workers.pid

    status, told, same = scenario(steps)
    assert status == 200
    assert told["status_str"] == "success"
    assert same


def test_history_says_which_outputs_were_not_run(scenario, settings):
    nodes = prompt()
    nodes["3"] = {"class_type": "LoadImage", "inputs": {"image": "gone.png"}}
    nodes["4"] = {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}}

    async def steps(client):
        answer = await client.post("/prompt", json={"prompt": nodes})
        posted = await answer.json()
        entry = await ended(client, posted["prompt_id"])
        return answer.status, posted["node_errors"], entry

    status, errors, entry = scenario(steps)
    assert status == 200
    (problem,) = errors["3"]["errors"]
    assert problem["type"] == "custom_validation_failed"
    assert "gone.png" in problem["details"]
    assert errors["3"]["dependent_outputs"] == ["4"]
    assert entry["status"]["node_errors"] == errors
    assert entry["prompt"][4] == ["2"]
