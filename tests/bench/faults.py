"""The server under load and after kill -9: python tests/bench/faults.py [--queued 10000]

With the fake worker of the tests, so that the figures are the server's own. Nothing is asserted.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests" / "dry" / "server"
SERVER = """
import asyncio, gc, sys
from pathlib import Path
from aiohttp import web
from engine.server.app import build_app
from engine.settings import Settings

user = Path(sys.argv[1])
async def main():
    app = build_app(Settings(user, user / "output", user / "input"), worker=sys.argv[2] or None)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


def start(folder, worker):
    """A server, its address, and the seconds until it printed that."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(FAKE), str(ROOT)]),
        "STATE": str(folder),
    }
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, folder / "user", worker],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=ROOT,
    )
    port = int(process.stdout.readline())
    return process, f"http://127.0.0.1:{port}", time.perf_counter() - began


def end(process):
    process.kill()
    process.wait()
    process.stdout.close()


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def prompt(name, padding=0):
    inputs = {"width": 16, "height": 16, "batch_size": 1, "color": 0}
    images = {"images": ["1", 0], "filename_prefix": "x"}
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": images},
    }
    workflow = {"extra_pnginfo": {"workflow": {"id": "w", "note": "x" * padding}}}
    return {"prompt": graph, "prompt_id": name, "extra_data": workflow}


def memory(process):
    return psutil.Process(process.pid).memory_info().rss >> 20


async def queue_many(folder, count):
    """Durable enqueue of many prompts of 20 kB, kill -9, start again."""
    process, address, _ = start(folder, "")
    before = memory(process)
    waits, sent = [], 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8)) as session:

        async def client():
            nonlocal sent
            while sent < count:
                sent += 1
                body = prompt(f"p{sent}", 20_000)
                began = time.perf_counter()
                async with session.post(f"{address}/prompt", json=body) as answer:
                    await answer.read()
                    assert answer.status == 200
                waits.append(1000 * (time.perf_counter() - began))

        await asyncio.gather(*(client() for _ in range(8)))
        last = waits[-min(1000, count) :]
        print(f"durable enqueue with {count} queued: p99 {quantile(last, 0.99):.1f} ms")
        for path in ("/prompt", "/queue?max_items=64", "/api/jobs?limit=64", "/queue"):
            began = time.perf_counter()
            async with session.get(address + path) as answer:
                size = len(await answer.read())
            taken = 1000 * (time.perf_counter() - began)
            print(f"  GET {path:22} {taken:8.1f} ms {size:12,} bytes")
    print(f"  memory {before} -> {memory(process)} MB")
    end(process)
    process, address, taken = start(folder, "")
    async with aiohttp.ClientSession() as session, session.get(f"{address}/prompt") as answer:
        left = (await answer.json())["exec_info"]["queue_remaining"]
    print(f"kill -9 with {count} queued: {count - left} lost, serving again after {taken:.2f} s")
    end(process)


async def many_clients(folder, count, jobs):
    """Many sockets that all receive every change, while jobs run."""
    process, address, _ = start(folder, "fake_worker")
    before = memory(process)
    heard = [0] * count

    async def hear(socket, number):
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT and '"status"' in message.data:
                heard[number] += 1

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter()
        sockets = await asyncio.gather(*(session.ws_connect(f"{address}/ws") for _ in heard))
        taken = time.perf_counter() - began
        tasks = [asyncio.create_task(hear(each, number)) for number, each in enumerate(sockets)]
        waits = []
        for number in range(jobs):
            began = time.perf_counter()
            async with session.post(f"{address}/prompt", json=prompt(f"j{number}")) as answer:
                await answer.read()
            waits.append(1000 * (time.perf_counter() - began))
        while True:
            async with session.get(f"{address}/prompt") as answer:
                if not json.loads(await answer.read())["exec_info"]["queue_remaining"]:
                    break
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        print(
            f"{count} clients: connected in {taken:.1f} s, +{memory(process) - before} MB; "
            f"{jobs} jobs, POST p99 {quantile(waits, 0.99):.0f} ms, "
            f"status messages heard {min(heard)} to {max(heard)} "
            f"(median {statistics.median(heard):.0f})"
        )
        await asyncio.gather(*(each.close() for each in sockets))
        await asyncio.gather(*tasks)
    end(process)


def worker_of(process):
    """The worker process of a server, or None while there is none."""
    for child in psutil.Process(process.pid).children(recursive=True):
        if "fake_worker" in child.cmdline():
            return child
    return None


async def kill_loop(folder, kills, count):
    """Kill -9 of the worker and of the server in turn while prompts are queued and run."""
    process, address, _ = start(folder, "fake_worker")
    answered, number = set(), 0
    for kill in range(kills):
        async with aiohttp.ClientSession() as session:
            for _ in range(count):
                number += 1
                async with session.post(f"{address}/prompt", json=prompt(f"k{number}")) as answer:
                    answered.add((await answer.json())["prompt_id"])
        if kill % 2:
            end(process)
            process, address, _ = start(folder, "fake_worker")
            continue
        while (worker := worker_of(process)) is None:
            await asyncio.sleep(0.02)
        worker.kill()
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{address}/prompt") as answer:
                if not (await answer.json())["exec_info"]["queue_remaining"]:
                    break
            await asyncio.sleep(0.1)
        async with session.get(f"{address}/history") as answer:
            history = await answer.json()
    failed = sum(each["status"]["status_str"] != "success" for each in history.values())
    print(
        f"{kills} kills -9 of worker and server, {len(answered)} prompts answered: "
        f"{len(answered - history.keys())} lost, {failed} failed with their worker, "
        f"{len(history.keys() - answered)} unknown"
    )
    end(process)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=30)
    flags = parser.parse_args()
    print(f"cores {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(queue_many(Path(folder), flags.queued))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(kill_loop(Path(folder), flags.kills, 20))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(many_clients(Path(folder), flags.clients, 50))


if __name__ == "__main__":
    main()
