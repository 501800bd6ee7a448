"""What a call of an isolated pack's node costs, against the same call in this process.

A number, and a batch of pictures that the node changes in place: in, and out with a mask. Both in
turns, in the same run; the least of the rounds, since other work on the machine only adds. The
time of the CPU is that of both processes, the median; it differs less on a busy machine.

    python tests/bench/isolated_packs.py [--rounds 30] [--batch 1]
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil
import torch

from engine.compat.isolation.packs import IsolatedPacks
from engine.compat.loading import PackLoader
from engine.files import Files
from engine.nodekit.context import RunningContext
from engine.nodekit.registry import Registry
from engine.packs.environments import environment_of
from engine.packs.found import find_packs
from engine.packs.plan import Plan
from engine.residency.memory import keep_freed_pages
from engine.settings import ROOT, Settings

PACK = ROOT / "tests" / "plugins" / "isolated" / "apart"


def loaded(settings: Settings, *, isolated: bool) -> tuple[Registry, IsolatedPacks | None]:
    """The pack's nodes, called here or in a process of their own."""
    registry, (pack,) = Registry(), find_packs(settings)
    plan = Plan(isolated=frozenset({pack.name} if isolated else ()))
    packs = None
    if isolated:
        environment_of(settings, pack).make()
        packs = IsolatedPacks(
            settings,
            plan,
            lambda _: None,
            ask=lambda *_: None,
            on_folders=lambda: None,
            on_handler=lambda _: None,
        )
    loader = PackLoader(registry, plan, lambda _: None, packs)
    loader.load([pack])
    return registry, packs


def seconds(registry: Registry, class_type: str, inputs: dict, files: Files) -> float:
    """What one call takes."""
    context = RunningContext("1", files)
    began = perf_counter()
    registry[class_type].run(inputs, context)
    return perf_counter() - began


def cpu_ms(pids: tuple[int, ...]) -> float:
    """The time of the CPU that all threads of these processes have taken."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    if tasks:
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6
    return 1e3 * sum(each.user + each.system for each in times)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=1)
    flags = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_pages()  # as a worker does
    with tempfile.TemporaryDirectory(prefix="calotype-bench-") as name:
        folder = Path(name)
        shutil.copytree(PACK, folder / "custom_nodes" / PACK.name)
        settings = Settings(
            user_directory=folder / "user",
            custom_nodes_directories=(folder / "custom_nodes",),
            device="cpu",
        )
        files = Files(settings)
        here, _ = loaded(settings, isolated=False)
        apart, packs = loaded(settings, isolated=True)
        image = torch.rand(flags.batch, 1024, 1024, 3)
        cases = {
            "a number": ("ApartChecked", {"number": 3}),
            f"{flags.batch} x 1024 x 1024 x 3": ("ApartFade", {"image": image, "by": 1.0}),
        }
        pids = (os.getpid(), *(each.pid for each in psutil.Process().children()))
        print(
            f"{'call':<24}{'worker ms':>12}{'isolated ms':>14}{'ratio':>9}{'more ms':>10}"
            f"{'CPU ms':>10}"
        )
        for title, (class_type, inputs) in cases.items():
            found: dict[str, list[float]] = {"here": [], "apart": []}
            cpu: list[float] = []
            for _ in range(flags.rounds):
                found["here"].append(seconds(here, class_type, inputs, files))
                before = cpu_ms(pids)
                found["apart"].append(seconds(apart, class_type, inputs, files))
                cpu.append(cpu_ms(pids) - before)
            one, other = (min(each) * 1e3 for each in found.values())
            print(
                f"{title:<24}{one:>12.3f}{other:>14.3f}{other / one:>9.1f}{other - one:>10.3f}"
                f"{statistics.median(cpu):>10.3f}"
            )
        if packs is not None:
            packs.close()


if __name__ == "__main__":
    main()
