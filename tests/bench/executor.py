"""Overhead of the executor: chains and trees of trivial nodes, cold and cached.

Baseline: the same functions on the same values, called in a plain Python loop, in the same run.
Overhead is the engine's time minus the loop's, per node, in CPU time of this process, so that other
work on the machine counts less; wall time is also printed.

    python tests/bench/executor.py [--sizes 100,1000,10000] [--rounds 7]
"""

import argparse
import gc
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.execute.cache import Cache
from engine.execute.executor import Job, execute
from engine.files import Files
from engine.graph.prompt import Link, Prompt, PromptNode
from engine.nodekit.contract import node
from engine.nodekit.registry import Registry
from engine.settings import Settings
from engine.wire.messages import Succeeded

COLD_TARGET, KNOWN_TARGET = 50.0, 20.0
"""Microseconds of overhead per node that are acceptable."""
Times = tuple[float, float]
"""CPU seconds and wall seconds."""


@node("Add", category="bench")
def add(*, a: int, b: int) -> int:
    """Add."""
    return a + b


@node("Keep", category="bench", output=True)
def keep(*, value: int) -> None:
    """An output node, so that the graph runs."""


def chain(size: int) -> Prompt:
    """Each node adds to the one before."""
    nodes = {
        str(i): PromptNode("Add", {"a": Link(str(i - 1), 0) if i else 1, "b": i})
        for i in range(size)
    }
    return with_output(nodes, str(size - 1))


def tree(size: int) -> Prompt:
    """Each node adds two others; leaves add constants."""
    nodes: dict[str, PromptNode] = {}
    for i in range(size):
        left, right = 2 * i + 1, 2 * i + 2
        inputs = {
            "a": Link(str(left), 0) if left < size else i,
            "b": Link(str(right), 0) if right < size else -i,
        }
        nodes[str(i)] = PromptNode("Add", inputs)
    return with_output(nodes, "0")


def with_output(nodes: dict[str, PromptNode], last: str) -> Prompt:
    return Prompt({**nodes, "out": PromptNode("Keep", {"value": Link(last, 0)})})


def timed(work: Callable[[], object]) -> Times:
    gc.collect()
    cpu, wall = process_time(), perf_counter()
    work()
    return process_time() - cpu, perf_counter() - wall


def loop(size: int) -> None:
    """The baseline: only the work of the nodes of a chain."""
    value = 1
    for i in range(size):
        value = add(a=value, b=i)
    keep(value=value)


class Bench:
    """Runs prompts, and measures how long they take."""

    def __init__(self, folder: Path) -> None:
        self._registry = Registry([add, keep])
        self._files = Files(Settings(user_directory=folder))

    def run(self, prompt: Prompt, cache: Cache) -> None:
        job = Job("bench", ["out"])
        done = execute(job, prompt, self._registry, cache, lambda _: None, files=self._files)
        if not isinstance(done.end, Succeeded):
            raise SystemExit(f"the run failed: {done.end}")

    def round(self, prompt: Prompt, size: int) -> tuple[Times, Times, Times]:
        """Baseline, cold and cached, one after the other."""
        cache = Cache(1 << 30)
        baseline = timed(lambda: loop(size))
        cold = timed(lambda: self.run(prompt, cache))
        known = timed(lambda: self.run(prompt, cache))
        return baseline, cold, known

    def row(self, prompt: Prompt, size: int, rounds: int) -> list[tuple[float, float]]:
        """Medians of CPU and wall microseconds per node: baseline, cold, cached."""
        taken = [self.round(prompt, size) for _ in range(rounds)]
        return [
            (
                statistics.median(each[kind][0] for each in taken) / size * 1e6,
                statistics.median(each[kind][1] for each in taken) / size * 1e6,
            )
            for kind in range(3)
        ]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="100,1000,10000")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, {chosen.rounds} rounds, medians"
    )
    print("microseconds per node (CPU; wall in brackets), overhead = engine - plain loop")
    header = f"{'graph':>6} {'nodes':>7} {'plain loop':>14} {'cold':>16} {'known':>16}"
    print(f"{header} {'overhead cold':>14} {'overhead known':>15} {'whole re-run':>13}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for name, make in (("chain", chain), ("tree", tree)):
            for size in map(int, chosen.sizes.split(",")):
                baseline, cold, known = bench.row(make(size), size, chosen.rounds)
                cells = [f"{cpu:.2f} ({wall:.2f})" for cpu, wall in (baseline, cold, known)]
                over_cold, over_known = cold[0] - baseline[0], known[0] - baseline[0]
                print(
                    f"{name:>6} {size:>7} {cells[0]:>14} {cells[1]:>16} {cells[2]:>16}"
                    f" {over_cold:>9.1f} {over_cold / COLD_TARGET:>4.0%}"
                    f" {over_known:>10.1f} {over_known / KNOWN_TARGET:>4.0%}"
                    f" {known[0] * size / 1e3:>10.2f} ms"
                )
        rerun = bench.row(chain(6), 7, chosen.rounds)[2][0] * 7 / 1e3
        print(f"re-run of a graph of 7 known nodes: {rerun:.2f} ms")
    print(f"percentages: of the targets, {COLD_TARGET:.0f} and {KNOWN_TARGET:.0f} microseconds")


if __name__ == "__main__":
    main()
