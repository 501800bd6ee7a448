"""A server in this process, without a worker: it accepts and answers, and runs nothing."""

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from engine.server.app import build_app


def tiny(color=0, **changes):
    """A prompt that any worker runs in no time."""
    inputs = {"width": 16, "height": 16, "batch_size": 1, "color": color, **changes}
    return {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }


@pytest.fixture
def serving(settings):
    """Runs a scenario, an async function that is given a client, against a server."""

    def run(scenario, **options):
        async def whole():
            app = build_app(settings, **{"worker": None, **options})
            async with TestClient(TestServer(app)) as client:
                return await asyncio.wait_for(scenario(client), 60)

        return asyncio.run(whole())

    return run
