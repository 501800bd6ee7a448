"""A manager of downloads in a temporary folder, and the server that it downloads from."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from engine.downloads import transfer
from engine.downloads.asking import Patience
from engine.downloads.manager import Downloads
from engine.downloads.targets import plan_target
from engine.files import Files

sys.path.insert(0, str(Path(__file__).parent))
import file_server

QUICK = Patience(connect=5.0, read=0.25, tries=3, pause=0.01, longest=0.02)


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    server = file_server.FileServer(tmp_path_factory.mktemp("server")).start()
    yield server
    server.stop()


@pytest.fixture
def server(started, monkeypatch):
    started.files, started.ways = {}, {}
    started.asked.clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(started.certificate))
    return started


@pytest.fixture(autouse=True)
def _enough_space(monkeypatch):
    """The disk of a test machine may have little room: tests of that say how much there is."""
    monkeypatch.setattr(transfer, "RESERVE", 1 << 20)


async def end_connections():
    """End TLS connections whose farewell the server has not answered: the loop ends after this."""
    for transport in list(asyncio.get_running_loop()._transports.values()):
        transport.abort()
    await asyncio.sleep(0.01)


class Scene:
    """A manager and what it reported."""

    def __init__(self, settings, server, downloads):
        self.settings, self.server, self.downloads = settings, server, downloads
        self.seen = []

    def target(self, name, kind="checkpoints"):
        return plan_target(kind, name, Files(self.settings), self.settings)

    def allow(self, *, name="127.0.0.1", private=True):
        self.downloads.hosts.allow(f"{name}:{self.server.port}", private=private)

    async def add(self, path="/model.safetensors", *, name=None, kind="checkpoints", **more):
        target = self.target(name or path.rpartition("/")[2], kind)
        return await self.downloads.add(self.server.url(path), target, **more)

    async def until(self, found, *states):
        while (now := self.downloads.find(found.id)).state not in states:
            await asyncio.sleep(0.01)
        return now

    async def get(self, path="/model.safetensors", **more):
        """Download, and how that ended."""
        found = await self.add(path, **more)
        return await self.until(found, "done", "failed", "asks", "paused")


@pytest.fixture
def scene(settings, server, tmp_path):
    """Runs an async function that gets a `Scene`; afterwards the manager is stopped."""

    def run(steps, *, patience=QUICK, folder=tmp_path / "user" / "downloads"):
        async def whole():
            (tmp_path / "models").mkdir(exist_ok=True)
            reported = []
            downloads = Downloads(
                folder, on_change=lambda *each: reported.append(each), patience=patience
            )
            made = Scene(settings, server, downloads)
            made.seen = reported
            downloads.start()
            try:
                return await asyncio.wait_for(steps(made), 60)
            finally:
                await downloads.stop()
                await end_connections()

        return asyncio.run(whole())

    return run


@pytest.fixture
def disk(monkeypatch):
    """Says how much of the disk is free."""

    def say(free):
        usage = shutil.disk_usage("/")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))

    return say
