"""Servers and clients for tests with real processes."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections import deque
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil

from engine.settings import ROOT


class Served:
    """One running server."""

    def __init__(self, process, user: Path, log: Path, address: str):
        self.process = process
        self.user = user
        self.log = log
        self.address = address

    @property
    def port(self):
        return int(re.search(r":(\d+)/", self.address)[1])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def start(user: Path, *arguments, wait=True):
    log = user.parent / f"{user.name}.log"
    stream = log.open("ab")
    command = [sys.executable, "main.py", "--no-browser", "--port", "0", "--user-directory", user]
    process = subprocess.Popen(
        [*command, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=stream,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    stream.close()
    line = process.stdout.readline().decode() if wait else ""
    found = re.search(r"http\S+", line)
    if wait and found is None:
        process.kill()
        raise AssertionError(f"no address: {line!r} {log.read_text()[-2000:]}")
    return Served(process, user, log, found[0] if found else "")


def tiny(color=0, prefix="x"):
    inputs = {"width": 16, "height": 16, "batch_size": 1, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": prefix},
        },
    }


def endless(steps=10_000, seed=1):
    """A prompt that samples for minutes."""
    text = {"clip": ["1", 1], "text": "a"}
    return {
        "1": {
            "class_type": "CheckpointLoaderSimple",
            "inputs": {"ckpt_name": "small.safetensors"},
        },
        "2": {"class_type": "CLIPTextEncode", "inputs": text},
        "3": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1},
        },
        "4": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["1", 0],
                "positive": ["2", 0],
                "negative": ["2", 0],
                "latent_image": ["3", 0],
                "seed": seed,
                "steps": steps,
                "cfg": 1.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        },
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}},
    }


def logged(served, text, *, seconds=30):
    """Wait until the log has a text: it is written a moment after what it tells of."""
    deadline = time.monotonic() + seconds
    while text not in (log := served.log.read_text()):
        assert time.monotonic() < deadline, f"no {text!r} in {log[-2000:]}"
        time.sleep(0.02)


class Browser:
    """A client with a socket: queues prompts and receives their events."""

    def __init__(self, served, session, socket):
        self.address = served.address
        self.session = session
        self.socket = socket
        self.heard = []
        self._unheard = deque()

    async def queue(self, prompt, **more):
        body = {"prompt": prompt, "client_id": "me", **more}
        async with self.session.post(f"{self.address}prompt", json=body) as answer:
            found = await answer.json()
            assert answer.status == 200, found
            return found["prompt_id"]

    async def get(self, path):
        async with self.session.get(self.address + path) as answer:
            return await answer.json()

    async def post(self, path, **body):
        async with self.session.post(self.address + path, json=body) as answer:
            return answer.status

    async def hear(self, wanted, *, seconds=90, **fields):
        """Wait for a message of that type, with those fields."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"no {wanted} {fields} in {[each[0] for each in self.heard][-40:]}"
            message = await self._next(left)
            assert message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}, message
            if message.type is aiohttp.WSMsgType.BINARY:
                self.heard.append(("binary", message.data))
                continue
            found = message.json()
            self.heard.append((found["type"], found["data"]))
            data = found["data"]
            if found["type"] == wanted and all(
                data.get(key) == value for key, value in fields.items()
            ):
                return data

    async def _next(self, seconds):
        if self._unheard:
            return self._unheard.popleft()
        return await self.socket.receive(timeout=seconds)

    async def ended(self, prompt_id):
        await self.hear("executing", node=None, prompt_id=prompt_id)
        return (await self.get(f"history/{prompt_id}"))[prompt_id]

    async def worker_ready(self, seconds=90):
        deadline = time.monotonic() + seconds
        while not (await self.get("system_stats"))["system"]["worker"]["ready"]:
            assert time.monotonic() < deadline, "the worker never became ready"
            # Read meanwhile: the server closes a socket that does not answer its pings.
            with suppress(TimeoutError):
                self._unheard.append(await self.socket.receive(timeout=0.1))


async def browse(served):
    session = aiohttp.ClientSession()
    socket = await session.ws_connect(f"{served.address}ws?clientId=me", max_msg_size=0)
    await socket.send_json({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
    return Browser(served, session, socket)


def with_browser(served, scenario):
    """Run a scenario, an async function that gets a browser."""

    async def whole():
        browser = await browse(served)
        try:
            return await scenario(browser)
        finally:
            await browser.socket.close()
            await browser.session.close()

    return asyncio.run(whole())


def children(process):
    return [
        each
        for each in psutil.Process(process.pid).children(recursive=True)
        if "engine.worker" in each.cmdline()
    ]


def ask(served, method, path, **options):
    """A request: its status, its headers, its body."""

    async def send():
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, served.address + path.lstrip("/"), allow_redirects=False, **options
            ) as answer,
        ):
            return answer.status, answer.headers, await answer.read()

    return asyncio.run(send())


def get_json(served, path, **options):
    status, _, body = ask(served, "GET", path, **options)
    assert status == 200, body
    return json.loads(body)


def picture(color=0):
    return {
        "class_type": "EmptyImage",
        "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": color},
    }


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def wheel(path, version):
    """A package `apart_thing` that knows its version."""
    info = f"apart_thing-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("apart_thing.py", f"VERSION = {version!r}\n")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: apart-thing\nVersion: {version}\n"
        )
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


def packs_command(base, *arguments):
    folders = ("--user-directory", base / "user", "--custom-nodes-directory", base / "custom_nodes")
    return subprocess.run(
        [sys.executable, "main.py", "packs", *map(str, (*arguments, *folders))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PIP_NO_INDEX": "1"},
    )
