"""The server is killed with a thousand prompts queued: none is lost, none ends twice."""

import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from engine.server.recorder import MOST_UNSTORED
from engine.settings import ROOT

SERVER = """
import asyncio, sys
from pathlib import Path
from aiohttp import web
from engine.server.app import build_app
from engine.settings import Settings

user = Path(sys.argv[1])
settings = Settings(user, user / "output", user / "input")

async def main():
    runner = web.AppRunner(build_app(settings, worker=sys.argv[2] or None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def start(tmp_path):
    """Starts a server with the fake worker, or none; returns the process and its address."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(ROOT)]),
        "STATE": str(tmp_path),
    }
    started = []

    def begin(worker):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, tmp_path / "user", worker],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )
        started.append(process)
        return process, f"http://127.0.0.1:{int(process.stdout.readline())}"

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(address, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data), timeout=60) as answer:
        return json.loads(answer.read())


def prompt(name):
    inputs = {"width": 16, "height": 16, "batch_size": 1, "color": 0}
    images = {"images": ["1", 0], "filename_prefix": "x"}
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": images},
    }
    return {"prompt": graph, "prompt_id": name}


def put_all(address, names):
    """Queue prompts from many clients at once; returns the ids that were answered."""
    answered = []

    def put(name):
        with suppress(OSError):  # the server was killed before it answered
            answered.append(ask(f"{address}/prompt", prompt(name))["prompt_id"])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, names))
    return answered


def wait_for_all(address, names):
    deadline = time.monotonic() + 120
    while True:
        history = ask(f"{address}/history")
        if set(names) <= history.keys():
            return history
        assert time.monotonic() < deadline, f"{len(history)} of {len(names)} have ended"
        time.sleep(0.2)


def test_a_thousand_queued_prompts_survive_kill_9(start, tmp_path):
    names = [f"p{number}" for number in range(1000)]
    process, address = start("")
    answered = put_all(address, names)
    process.kill()
    process.wait()
    assert sorted(answered) == sorted(names)

    process, address = start("fake_worker")
    while len(ask(f"{address}/history")) < 100:
        time.sleep(0.05)
    process.kill()
    process.wait()

    _, address = start("fake_worker")
    history = wait_for_all(address, names)
    assert set(history) == set(names)
    assert {entry["status"]["status_str"] for entry in history.values()} == {"success"}
    assert ask(f"{address}/queue") == {"queue_running": [], "queue_pending": []}
    # Only what the worker had, or had ended and was not on disk, when the server was killed.
    seen = (tmp_path / "seen").read_text().split()
    assert set(seen) == set(names)
    assert len(seen) <= len(names) + MOST_UNSTORED


def test_killed_while_accepting_what_was_answered_is_kept(start):
    names = [f"p{number}" for number in range(400)]
    process, address = start("fake_worker")
    with ThreadPoolExecutor(1) as pool:
        putting = pool.submit(put_all, address, names)
        while len(ask(f"{address}/history")) < 20:
            time.sleep(0.01)
        process.kill()
        answered = putting.result()
    process.wait()
    assert len(answered) >= 20
    _, address = start("fake_worker")
    history = wait_for_all(address, answered)
    assert len(history) <= len(answered) + 16, "at most one per client was kept unanswered"


def run_until_killed(process, address, number, seconds):
    """One prompt after another, each at an idle worker; returns the answered and the ended ones."""
    answered, ended = [], {}
    with suppress(OSError, http.client.HTTPException):
        for each in range(10_000):
            name = f"{number}-{each}"
            ask(f"{address}/prompt", prompt(name))
            answered.append(name)
            while not (found := ask(f"{address}/history/{name}")):
                pass
            ended.update(found)
            if each == 0:  # the worker is ready: from here on prompts begin early
                threading.Timer(seconds, process.kill).start()
    process.wait()
    return answered, ended


def test_killed_while_prompts_run_that_are_being_stored(start, tmp_path):
    """Five kills; 40 take the same checks with `KILLS=40`."""
    answered, ended = [], {}
    for number in range(int(os.environ.get("KILLS", "5"))):
        process, address = start("fake_worker")
        seconds = random.Random(number).uniform(0, 0.3)
        names, found = run_until_killed(process, address, number, seconds)
        answered += names
        ended |= found
    _, address = start("fake_worker")
    history = wait_for_all(address, answered)
    assert {name: history[name] for name in ended} == ended, "an end was lost, or came twice"
    assert len(history) <= len(answered) + number + 1, "at most one at each kill was not answered"
    assert {entry["status"]["status_str"] for entry in history.values()} == {"success"}
    seen = (tmp_path / "seen").read_text().split()
    assert [name for name in ended if seen.count(name) != 1] == [], "what has ended ran again"
    assert len(answered) > number + 1
