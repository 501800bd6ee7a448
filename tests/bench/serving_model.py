"""The server with a real model: python tests/bench/serving_model.py

From the start of the process to the bundled model's first picture, and how fast `/queue` answers
while the worker samples. The machine should be otherwise idle.
"""

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
from serving import ROOT, quantile, start

WORKFLOW = ROOT / "web" / "workflows" / "text_to_image.json"
PAUSE = 0.02


async def prompt_of_workflow(session, address):
    """The bundled workflow in API form, as the server itself converts it."""
    document = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    async with session.post(f"{address}calotype/check", json=document) as answer:
        return (await answer.json())["prompt"]


async def finished(session, address, prompt_id):
    while True:
        async with session.get(f"{address}history/{prompt_id}") as answer:
            if prompt_id in await answer.json():
                return
        await asyncio.sleep(PAUSE)


async def post(session, address, prompt):
    async with session.post(f"{address}prompt", json={"prompt": prompt}) as answer:
        return (await answer.json())["prompt_id"]


async def measure(address, began):
    async with aiohttp.ClientSession() as session:
        prompt = await prompt_of_workflow(session, address)
        await finished(session, address, await post(session, address, prompt))
        print(f"process start to the first picture   {time.perf_counter() - began:6.2f} s")
        sampler = next(node for node in prompt.values() if node["class_type"] == "KSampler")
        sampler["inputs"] |= {"steps": 10_000, "seed": 1}
        running = await post(session, address, prompt)
        await asyncio.sleep(1)
        waits = []
        while len(waits) < 400:
            asked = time.perf_counter()
            async with session.get(f"{address}queue") as answer:
                found = await answer.json()
            waits.append(1000 * (time.perf_counter() - asked))
            await asyncio.sleep(PAUSE)
        assert [entry[1] for entry in found["queue_running"]] == [running], "it no longer samples"
        print(
            f"/queue while sampling   median {statistics.median(waits):.2f} ms, "
            f"p99 {quantile(waits, 0.99):.2f} ms, most {max(waits):.2f} ms"
        )
        asked = time.perf_counter()
        async with session.post(f"{address}interrupt") as answer:
            await answer.read()
        await finished(session, address, running)
        print(f"interrupt to its end    {1000 * (time.perf_counter() - asked):.0f} ms")


def main():
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process, address, _ = start(Path(folder) / "user")
        try:
            asyncio.run(measure(address, began))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


if __name__ == "__main__":
    main()
