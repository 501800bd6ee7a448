"""A lost worker is always replaced, and no prompt is lost or stays running."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from engine.forecast.forecast import Forecast
from engine.server import disk_space, supervisor, worker_process, workers
from engine.server.app import SERVICES
from engine.server.logs import LogBook
from engine.server.running import RunningJob

STARTS_OTHERS, FULL, LAST_WORDS = 6, 7, 8


@pytest.fixture
def impatient(monkeypatch):
    """Pauses between attempts are short."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE", 0.1)


@pytest.mark.parametrize(
    "error",
    [
        OSError(24, "Too many open files"),
        BlockingIOError(11, "Resource temporarily unavailable"),
        RuntimeError("can't start new thread"),
    ],
)
def test_a_worker_that_cannot_be_started_is_tried_again(
    error, scenario, asking, impatient, monkeypatch
):
    real, attempts = worker_process.start_child, []

    async def refused(*given, **more):
        attempts.append(1)
        if len(attempts) <= 3:
            raise error
        return await real(*given, **more)

    monkeypatch.setattr(worker_process, "start_child", refused)

    async def steps(client):
        name = await asking.put(client)
        held = None
        while len(attempts) < 3:
            held = (await (await client.get("/calotype/queue")).json())["held"] or held
            await asyncio.sleep(0.01)
        entry = await asking.ended(client, name)
        after = (await (await client.get("/calotype/queue")).json())["held"]
        return held, entry["status"]["status_str"], after

    held, status, after = scenario(steps)
    assert "could not be started" in held
    assert str(error) in held
    assert (status, after) == ("success", None)


def test_an_error_while_a_prompt_runs_ends_that_prompt_and_nothing_else(
    scenario, asking, monkeypatch
):
    real, hurt = RunningJob.handle, []

    def handle(job, event):
        if not hurt:
            hurt.append(job.entry.id)
            raise RuntimeError("nobody foresaw this")
        return real(job, event)

    monkeypatch.setattr(RunningJob, "handle", handle)

    async def steps(client):
        first, second = await asking.put(client), await asking.put(client)
        ends = [await asking.ended(client, each) for each in (first, second)]
        return ends, json.loads(await (await client.get("/queue")).text())

    (first, second), queue = scenario(steps)
    assert second["status"]["status_str"] == "success"
    assert first["status"]["status_str"] in {"error", "success"}
    assert queue == {"queue_running": [], "queue_pending": []}


def test_a_forecast_that_fails_harms_no_run(scenario, asking, monkeypatch):
    async def begin(*_):
        raise OverflowError("cannot convert float infinity to integer")

    def observe(*_):
        raise ValueError("no")

    monkeypatch.setattr(Forecast, "begin", begin)
    monkeypatch.setattr(Forecast, "observe", observe)

    async def steps(client):
        ends = [await asking.ended(client, await asking.put(client)) for _ in range(2)]
        return ends, client.app[SERVICES].workers.supervisor.restarts

    ends, restarts = scenario(steps)
    assert [each["status"]["status_str"] for each in ends] == ["success", "success"]
    assert restarts == 0


def test_a_log_that_cannot_be_written_stops_no_worker(scenario, asking, monkeypatch):
    def write(*_):
        raise BrokenPipeError("nobody reads")

    monkeypatch.setattr(LogBook, "write", write)

    async def steps(client):
        names = [await asking.put(client) for _ in range(3)]
        return [await asking.ended(client, each) for each in names]

    assert {each["status"]["status_str"] for each in scenario(steps)} == {"success"}


def test_a_prompt_that_a_dying_worker_never_began_runs_in_the_next(scenario, asking):
    """It was sent but not read, so the prompt has not failed."""

    async def steps(client):
        services = client.app[SERVICES]
        await asking.ended(client, await asking.put(client))
        pid = services.workers.pid
        os.kill(pid, signal.SIGSTOP)
        name = await asking.put(client)
        while services.workers.current is None:
            await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        entry = await asking.ended(client, name)
        return entry["status"]["status_str"], services.workers.supervisor.restarts

    assert scenario(steps) == ("success", 1)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are those of POSIX")
@pytest.mark.parametrize("way", ["stop", "crash", "server ends"])
def test_what_a_worker_started_ends_with_it(way, scenario, asking, tmp_path: Path):
    async def steps(client):
        name = await asking.put(client, STARTS_OTHERS)
        await asking.running(client, name)
        while not (tmp_path / "started").exists():
            await asyncio.sleep(0.01)
        if way == "stop":
            await client.post("/interrupt")
            await asking.ended(client, name)
        elif way == "crash":
            os.kill(client.app[SERVICES].workers.pid, signal.SIGKILL)
            await asking.ended(client, name)
        return [int(each) for each in (tmp_path / "started").read_text().split()]

    pids = scenario(steps)
    assert len(pids) == 2
    if way == "crash":
        # A process that left its session and lost its parent cannot be found any more.
        os.kill(pids.pop(), signal.SIGKILL)
    _, alive = psutil.wait_procs(
        [psutil.Process(each) for each in pids if psutil.pid_exists(each)], timeout=10
    )
    assert alive == []


def test_the_last_words_of_a_worker_are_in_the_log(scenario, asking):
    async def steps(client):
        entry = await asking.ended(client, await asking.put(client, LAST_WORDS))
        await asking.ended(client, await asking.put(client))
        log = "".join(each.m for each in client.app[SERVICES].logs.entries)
        return entry["status"]["status_str"], log

    status, log = scenario(steps)
    assert status == "error"
    assert "and these are the last words" in log
    assert "ß" * 20_000 in log.replace("\n", "")


def test_a_full_disk_pauses_the_queue_until_there_is_room(scenario, asking, tmp_path, monkeypatch):
    space = []
    monkeypatch.setattr(workers, "DISK_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(disk_space, "has_space", lambda folder, size: bool(space))

    async def steps(client):
        names = [await asking.put(client, FULL, prompt_id=each) for each in "abc"]
        held = None
        while held is None:
            held = (await (await client.get("/calotype/queue")).json())["held"]
        while True:
            queue = await (await client.get("/queue")).json()
            if not queue["queue_running"]:
                break
        history = await (await client.get("/history")).json()
        (tmp_path / "room").touch()
        space.append(True)
        ends = [await asking.ended(client, each) for each in names]
        after = (await (await client.get("/calotype/queue")).json())["held"]
        return held, [item[1] for item in queue["queue_pending"]], history, ends, after

    held, pending, history, ends, after = scenario(steps)
    assert "disk is full" in held
    assert "/full/folder" in held
    assert (pending, history) == (["a", "b", "c"], {})
    assert [each["status"]["status_str"] for each in ends] == ["success"] * 3
    assert after is None
    seen = (tmp_path / "seen").read_text().split()
    assert seen == ["a", "a", "b", "c"], "the order stays, and only one prompt met the full disk"


def test_what_never_fits_is_tried_more_and_more_rarely(tmp_path, monkeypatch):
    looks, free, said = [], [500 << 20], []
    monkeypatch.setattr(disk_space, "free_bytes", lambda folders: looks.append(1) or free[0])
    monkeypatch.setattr(disk_space, "has_space", lambda folder, size: True)
    log = SimpleNamespace(write=said.append)

    async def scenario():
        guard = disk_space.DiskSpaceGuard(
            [tmp_path], log, on_change=lambda: None, check_seconds=0.0
        )

        async def held():
            """One more attempt fails; counts the checks until the next one."""
            looks.clear()
            guard.hold("")
            while guard.reason is not None:
                await asyncio.sleep(0)
            return len(looks) - 1

        found = [await held() for _ in range(6)]
        free[0] += 100 << 20
        found.append(await held())
        found.append(await held())
        task = asyncio.ensure_future(held())
        while len(looks) < 2:  # it waits
            await asyncio.sleep(0)
        free[0] += 100 << 20
        sooner = await task
        guard.confirm()
        return found, sooner, await held()

    found, sooner, after = asyncio.run(scenario())
    assert found == [1, 2, 4, 8, 12, 12, 1, 2]
    assert sooner < 4
    assert after == 1
    assert any("2 tries in a row have failed while 500 MB were free" in line for line in said)
    assert "6 tries" in "".join(said)


def test_a_full_disk_does_not_bring_back_what_was_cancelled(scenario, asking, monkeypatch):
    monkeypatch.setattr(disk_space, "has_space", lambda folder, size: False)

    async def steps(client):
        await asking.put(client, FULL, prompt_id="a")
        while (await (await client.get("/calotype/queue")).json())["held"] is None:
            await asyncio.sleep(0.01)
        await client.post("/api/jobs/a/cancel")
        while (await (await client.get("/prompt")).json())["exec_info"]["queue_remaining"]:
            await asyncio.sleep(0.01)
        return (await client.get("/api/jobs/a")).status

    assert scenario(steps) == 404


def test_room_is_found_out_by_writing(tmp_path: Path):
    assert disk_space.has_space(tmp_path, 3 << 20)
    assert not disk_space.has_space(tmp_path / "none", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_prompt_that_is_damaged_on_disk_fails_alone(scenario, asking, tmp_path, settings):
    async def first(client):
        await client.post("/calotype/queue/pause", json={"paused": True})
        for name in "abc":
            await asking.put(client, prompt_id=name)

    async def second(client):
        ends = {each: await asking.ended(client, each) for each in "abc"}
        jobs = await (await client.get("/api/jobs?sort_order=asc")).json()
        one = await (await client.get("/api/jobs/b")).json()
        return ends, [each["status"] for each in jobs["jobs"]], one, (await client.get("/queue"))

    scenario(first)
    path = settings.user_directory / "calotype.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE prompts SET prompt = substr(prompt, 1, 5) || char(1) WHERE id = 'b'")
    connection.execute("UPDATE switches SET is_on = 0")
    connection.close()
    ends, statuses, one, queue = scenario(second)
    assert statuses == ["completed", "failed", "completed"]
    assert one["status"] == "failed"
    assert "workflow" not in one
    kind, data = ends["b"]["status"]["messages"][-1]
    assert (kind, data["exception_type"]) == ("execution_error", "DamagedPrompt")
    assert "damaged" in data["exception_message"]
    assert queue.status == 200
    assert (tmp_path / "seen").read_text().split() == ["a", "c"]


@pytest.mark.parametrize("depth", [63, 190, 400, 940, 990, 5000])
def test_what_is_accepted_can_be_read_again(depth, scenario, asking):
    """Data that is nested too deeply is refused on arrival, not when it should run."""
    nested = "[" * depth + "]" * depth
    body = {"prompt": asking.prompt(), "prompt_id": "it", "extra_data": {"deep": "DEEP"}}

    async def steps(client):
        answer = await client.post("/prompt", data=json.dumps(body).replace('"DEEP"', nested))
        if answer.status != 200:
            return answer.status, (await answer.json())["error"]["message"]
        entry = await asking.ended(client, "it")
        job = await client.get("/api/jobs/it")
        return entry["status"]["status_str"], job.status

    found = scenario(steps)
    assert found == ("success", 200) if depth <= 190 else found[0] == 400
    if depth > 190:
        assert "nested" in found[1]


def test_a_cancelled_server_start_leaves_no_process(tmp_path: Path):
    """A channel that cannot be opened ends the process that was started for it."""
    code = (
        "import asyncio, engine.wire.channel as channel\n"
        "async def refuse(*_, **__): raise OSError(24, 'Too many open files')\n"
        "async def main():\n"
        "    channel.asyncio.open_connection = refuse\n"
        "    try: await channel.start_child('http.server', [], None)\n"
        "    except OSError as error: print(error)\n"
        "    import psutil; print(len(psutil.Process().children()))\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[-2] == "0"
