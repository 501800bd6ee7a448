"""Starts with many packs against starts without: python tests/bench/packs.py [--packs 30]

Copies of one small pack (10 nodes, a route, a folder of browser files) are generated. Measured on
the second start, when the catalog of the last one is known: until the page and `/object_info`
answer, and until the worker has loaded. Medians of alternating rounds.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODES = 10
SOURCE = """
from aiohttp import web
from server import PromptServer

WEB_DIRECTORY = "./js"


@PromptServer.instance.routes.get("/bench/NUMBER")
async def answer(request):
    return web.json_response({})


class Node:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "bench/NUMBER"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""}), "count": ("INT", {"min": 0})}}

    def run(self, text, count):
        return (text * count,)


NODE_CLASS_MAPPINGS = {
    f"BenchNUMBER_{each}": type(f"Node{each}", (Node,), {}) for each in range(NODES)
}
"""


def write_packs(folder, count):
    for number in range(count):
        pack = folder / f"bench_{number:02}"
        (pack / "js").mkdir(parents=True)
        (pack / "js" / "extension.js").write_text("export {};\n", encoding="utf-8")
        source = SOURCE.replace("NUMBER", str(number)).replace("NODES", str(NODES))
        (pack / "__init__.py").write_text(source, encoding="utf-8")


def get(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read()


def start(user, packs):
    """Seconds until the page, `/object_info` and the worker answer, nodes known, each pack's."""
    began = time.perf_counter()
    command = [sys.executable, "main.py", "--no-browser", "--port", "0", "--user-directory", user]
    server = subprocess.Popen(
        [*command, "--custom-nodes-directory", packs],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        address = re.search(r"http\S+", server.stdout.readline().decode())[0]
        get(address)
        page = time.perf_counter() - began
        known = len(json.loads(get(f"{address}object_info")))
        info = time.perf_counter() - began
        while not json.loads(get(f"{address}system_stats"))["system"]["worker"]["ready"]:
            time.sleep(0.05)
        worker = time.perf_counter() - began
        time.sleep(0.5)  # the catalog is stored a moment after it came
        found = json.loads(get(f"{address}calotype/packs"))
        return page, info, worker, known, {each["name"]: each["seconds"] for each in found}
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packs", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        write_packs(base / "many", flags.packs)
        (base / "none").mkdir()
        kinds = ("none", "many")
        for kind in kinds:
            start(base / f"user_{kind}", base / kind)
        rounds = {kind: [] for kind in kinds}
        for _ in range(flags.rounds):
            for kind in kinds:
                rounds[kind].append(start(base / f"user_{kind}", base / kind))
    none, many = rounds["none"], rounds["many"]
    print(f"{flags.packs} packs, {many[0][3] - none[0][3]} nodes of theirs known at once")
    for place, what in enumerate(("page", "/object_info", "worker")):
        without, with_packs = (
            statistics.median(each[place] for each in found) for found in (none, many)
        )
        print(f"{what:13} {without:6.2f} s  {with_packs:6.2f} s  {with_packs / without:.2f}")
    seconds = {name: statistics.median(each[4][name] for each in many) for name in many[0][4]}
    print(f"all packs {sum(seconds.values()):.2f} s, by pack:")
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"  {name} {spent * 1000:.0f} ms")


if __name__ == "__main__":
    main()
