"""The server's figures: python tests/bench/serving.py [--prompts 200] [--against FOLDER]

Ratios against a named baseline of the same run where there is one; medians. The machine should be
otherwise idle. Times of the CPU are those of the server's and the worker's process alone, per
prompt: they differ less on a busy machine. With `--against`, a checkout of another version is
measured in turns with this one, and the ratios of both are printed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import aiohttp
import psutil
from light_client import prompts_per_second, seconds_of_prompts

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}
SEVEN = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255},
    },
    "2": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 65280},
    },
    "3": {
        "class_type": "ImageBlend",
        "inputs": {
            "image1": ["1", 0],
            "image2": ["2", 0],
            "blend_factor": 0.5,
            "blend_mode": "normal",
        },
    },
    "4": {"class_type": "ImageInvert", "inputs": {"image": ["3", 0]}},
    "5": {
        "class_type": "ImageScaleBy",
        "inputs": {"image": ["4", 0], "upscale_method": "bilinear", "scale_by": 2.0},
    },
    "6": {
        "class_type": "ImageBlur",
        "inputs": {"image": ["5", 0], "blur_radius": 2, "sigma": 1.0},
    },
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "seven"}},
}
"""A graph with as many nodes as text to image, without the time of a network."""


def cpu_seconds(pid):
    """CPU time of the threads of a process; to the nanosecond on Linux where available."""
    tasks = Path(f"/proc/{pid}/task")
    try:
        return (
            sum(int((each / "schedstat").read_text().split()[0]) for each in tasks.iterdir()) / 1e9
        )
    except (OSError, ValueError, IndexError):
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system


class Cpu:
    """Milliseconds of the CPU that the server and its worker take, per prompt."""

    def __init__(self, process):
        workers = psutil.Process(process.pid).children()
        [worker] = [each for each in workers if "engine.worker" in each.cmdline()]
        self._pids = process.pid, worker.pid
        self._before = self._now()

    def per_prompt(self, count):
        before, self._before = self._before, self._now()
        return [1000 * (b - a) / count for a, b in zip(before, self._before, strict=True)]

    def _now(self):
        return [cpu_seconds(pid) for pid in self._pids]


def as_text(cpu):
    return f"CPU {cpu[0]:.2f} ms server, {cpu[1]:.2f} ms worker"


def seconds_of(command, *, times=5):
    """The median time of a program that ends by itself."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def start(user, root=ROOT):
    """A server, and the seconds from its start to its address and to its first answer."""
    import urllib.request

    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "main.py", "--no-browser", "--port", "0", "--user-directory", user],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    address = re.search(r"http\S+", process.stdout.readline().decode())[0]
    with urllib.request.urlopen(address, timeout=30) as answer:
        answer.read()
    return process, address, time.perf_counter() - began


def prompts(offset, count):
    """Prompts of which none is like another."""
    return [prompt(offset + number) for number in range(count)]


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def prompt(color):
    found = json.loads(json.dumps(TINY))
    found["1"]["inputs"]["color"] = color
    return found


async def wait_ready(session, address):
    while True:
        async with session.get(f"{address}system_stats") as answer:
            if (await answer.json())["system"]["worker"]["ready"]:
                return
        await asyncio.sleep(0.1)


async def latencies(session, url, times, headers=None):
    found = []
    for _ in range(times):
        began = time.perf_counter()
        async with session.get(url, headers=headers, auto_decompress=False) as answer:
            await answer.read()
        found.append(1000 * (time.perf_counter() - began))
    return found


async def listen(socket):
    async for _ in socket:
        pass


async def measure(address, process, count, folder):
    connector = aiohttp.TCPConnector(limit=32)
    async with aiohttp.ClientSession(connector=connector) as session:
        idle = psutil.Process(process.pid).memory_info().rss >> 20
        await wait_ready(session, address)
        found = await latencies(session, f"{address}object_info", 50)
        async with session.get(f"{address}object_info", auto_decompress=False) as answer:
            size = len(await answer.read())
        print(f"/object_info            median {statistics.median(found):6.2f} ms, {size} bytes")
        cpu = Cpu(process)
        for name, graph in (("the same prompt again", TINY), ("seven nodes again", SEVEN)):
            seconds_of_prompts(address, graph, 1)
            again, bare, taken = await in_rounds(address, graph, cpu, folder)
            print(
                f"{name:23} median {1000 * statistics.median(again):6.2f} ms, "
                f"tenth {1000 * quantile(again, 0.1):.2f} ms (post to the end of the run), "
                f"{statistics.median(again) / statistics.median(bare):.2f} of a bare server's "
                f"{1000 * statistics.median(bare):.2f} ms, {as_text(taken)}"
            )
        cpu.per_prompt(1)
        without = prompts_per_second(address, prompts(1_000, count))
        taken = as_text(cpu.per_prompt(count))
        async with bare_server(folder) as bare_address:
            bare = await asyncio.to_thread(prompts_per_second, bare_address, prompts(1_000, count))
        socket = await session.ws_connect(f"{address}ws?clientId=bench", max_msg_size=0)
        task = asyncio.create_task(listen(socket))
        sent = prompts(100_000, count)
        with_client = await asyncio.to_thread(prompts_per_second, address, sent, client="bench")
        await socket.close()
        await task
        print(
            f"{count} tiny prompts        {without:6.0f} a second, {without / bare:.2f} of the "
            f"bare server's {bare:.0f}, {taken}"
        )
        print(f"  with a listener       {with_client:6.0f} a second")
        memory = psutil.Process(process.pid).memory_info().rss >> 20
        print(
            f"memory of the server    {idle} MB idle, {memory} MB after {2 * count + 202} prompts"
        )
        await durable(session, address, process)


async def in_rounds(address, graph, cpu, folder, rounds=5, count=20):
    """Seconds of the same prompt again, ours and those of a bare server in turns; our CPU."""
    ours, bare, taken = [], [], []
    for _ in range(rounds):
        async with bare_server(folder) as bare_address:
            bare += seconds_of_prompts(bare_address, TINY, count + 1)[1:]
        cpu.per_prompt(1)
        ours += seconds_of_prompts(address, graph, count)
        taken.append(cpu.per_prompt(count))
    return ours, bare, [statistics.median(each) for each in zip(*taken, strict=True)]


@contextlib.asynccontextmanager
async def bare_server(folder):
    """A process of `bare_server.py` with a database of its own; gives its address."""
    script = str(ROOT / "tests/bench/bare_server.py")
    database = str(Path(folder) / f"bare_{uuid.uuid4().hex}.db")
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, database, stdout=subprocess.PIPE
    )
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def durable(session, address, process):
    """Enqueue to a paused queue, so that nothing else runs; then request the queue."""
    waits = []
    async with session.post(f"{address}calotype/queue/pause", json={"paused": True}) as answer:
        assert answer.status == 200
    cpu = Cpu(process)
    for number in range(500):
        began = time.perf_counter()
        body = {"prompt": prompt(500_000 + number), "number": 10_000}
        async with session.post(f"{address}prompt", json=body) as answer:
            await answer.read()
        waits.append(1000 * (time.perf_counter() - began))
    print(
        f"durable enqueue         median {statistics.median(waits):6.2f} ms, "
        f"p99 {quantile(waits, 0.99):.2f} ms, {as_text(cpu.per_prompt(500))}"
    )
    async with session.post(f"{address}calotype/queue/pause", json={"paused": False}) as answer:
        assert answer.status == 200
    async with session.get(f"{address}queue") as answer:
        pending = len((await answer.json())["queue_pending"])
    found = await latencies(session, f"{address}queue", 200)
    print(
        f"/queue, {pending} pending, while running: median {statistics.median(found):6.2f} ms, "
        f"p99 {quantile(found, 0.99):.2f} ms, most {max(found):.2f} ms"
    )


async def in_turns(folder, other, rounds=15, count=20):
    """Two versions with the same prompts, in turns: CPU, time to the end, prompts per second."""
    found = {"again": [], "tiny": []}
    waits, rates = ([], []), ([], [])
    started = [start(Path(folder) / str(n), root) for n, root in enumerate((ROOT, other))]
    try:
        async with aiohttp.ClientSession() as session:
            for _, address, _ in started:
                await wait_ready(session, address)
        sides = [(address, Cpu(process)) for process, address, _ in started]
        for turn in range(rounds):
            taken = {name: [] for name in found}
            for side, (address, cpu) in enumerate(sides):
                seconds_of_prompts(address, SEVEN, 1)
                cpu.per_prompt(1)
                waits[side].extend(seconds_of_prompts(address, SEVEN, count))
                taken["again"].append(cpu.per_prompt(count))
                sent = prompts(10_000 * (turn + 1), 10 * count)
                rates[side].append(prompts_per_second(address, sent))
                taken["tiny"].append(cpu.per_prompt(10 * count))
            for name, pair in taken.items():
                found[name].append(pair)
    finally:
        for process, _, _ in started:
            process.kill()
            process.wait()
            process.stdout.close()
    for name, pairs in found.items():
        for side, who in enumerate(("server", "worker")):
            ours = statistics.median(pair[0][side] for pair in pairs)
            ratio = statistics.median(pair[0][side] / pair[1][side] for pair in pairs)
            print(f"{name:6} {who}  {ours:5.2f} ms of the CPU per prompt, {ratio:.2f} of {other}")
    again = [1000 * statistics.median(each) for each in waits]
    tiny = [statistics.median(each) for each in rates]
    print(
        f"seven nodes again   {again[0]:5.2f} ms (post to the end of the run), "
        f"{again[0] / again[1]:.2f} of {again[1]:.2f} ms\n"
        f"{10 * count} tiny prompts    {tiny[0]:5.0f} a second, "
        f"{tiny[0] / tiny[1]:.2f} of {tiny[1]:.0f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turns")
    given = parser.parse_args()
    count = given.prompts
    if given.against is not None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(in_turns(folder, given.against.resolve()))
        return
    bare = seconds_of([sys.executable, "-c", "import aiohttp"])
    with tempfile.TemporaryDirectory() as folder:
        starts = []
        for number in range(5):
            process, _, taken = start(Path(folder) / f"start{number}")
            starts.append(taken)
            process.kill()
            process.wait()
            process.stdout.close()
        first = statistics.median(starts)
        print(f"cores {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
        print(f"import aiohttp          {bare:6.2f} s (baseline)")
        print(f"first HTTP answer       {first:6.2f} s, {first / bare:.1f} times the baseline")
        process, address, _ = start(Path(folder) / "user")
        try:
            asyncio.run(measure(address, process, count, folder))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


if __name__ == "__main__":
    main()
