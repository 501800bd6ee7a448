"""A server in this process, without a worker: it accepts requests and runs nothing."""

import asyncio
import os
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from engine.server.app import SERVICES, build_app
from engine.settings import ROOT

STOP_SECONDS = 0.3


def tiny(color=0, **changes):
    """A prompt that any worker runs at once."""
    inputs = {"width": 16, "height": 16, "batch_size": 1, "color": color, **changes}
    return {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }


@pytest.fixture
def serving(settings):
    """Runs a scenario, an async function that gets a client, against a server."""

    def run(scenario, chosen=None, **options):
        async def whole():
            app = build_app(chosen or settings, **{"worker": None, **options})
            async with TestClient(TestServer(app)) as client:
                return await asyncio.wait_for(scenario(client), 60)

        return asyncio.run(whole())

    return run


@pytest.fixture
def scenario(serving, tmp_path, monkeypatch):
    """Runs a scenario against a server with the fake worker, which loads no torch."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), str(ROOT)]))
    monkeypatch.setenv("STATE", str(tmp_path))

    def run(steps):
        return serving(steps, worker="fake_worker", grace=STOP_SECONDS)

    return run


class Asking:
    """Requests of scenarios to a server. A picture's colour tells the fake worker what to do."""

    @staticmethod
    def prompt(color=0):
        return tiny(color)

    async def put(self, client, color=0, **more):
        answer = await client.post("/prompt", json={"prompt": tiny(color), **more})
        assert answer.status == 200
        return (await answer.json())["prompt_id"]

    async def ended(self, client, name):
        while True:
            found = await (await client.get(f"/history/{name}")).json()
            if found:
                return found[name]
            await asyncio.sleep(0.02)

    async def running(self, client, name):
        """Wait until its node runs."""
        workers = client.app[SERVICES].workers
        while not (job := workers.current) or job.entry.id != name or not job.node:
            await asyncio.sleep(0.01)


@pytest.fixture
def asking():
    return Asking()
