"""A worker runs jobs, caches results, and recovers when memory runs out."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from engine.errors import SettingsError
from engine.execute.cache import Cache
from engine.execute.executor import Job
from engine.graph.prompt import parse
from engine.inference.values import CfgGuider
from engine.machine import Amount
from engine.nodekit.contract import node
from engine.nodekit.registry import Registry
from engine.residency import manager
from engine.residency.handles import LazyWeights
from engine.settings import Settings
from engine.wire.messages import Failed, Running, Succeeded
from engine.worker.loop import Worker
from engine.worker.memory import FreedPages, MemoryRetry, kept_pages, measure, requested_bytes
from engine.worker.service import Service


@pytest.fixture
def worker(settings: Settings) -> Worker:
    return Worker(replace(settings, dtype="fp32"))


def with_node(worker: Worker, function) -> Worker:
    worker.registry = Registry([function])
    worker.catalog = worker.registry.catalog()
    return worker


def run(worker: Worker, prompt: dict):
    report = worker.check(parse(prompt))
    assert report.error is None, report.to_json()
    events = []
    result = worker.run(Job("p", report.outputs), report.prompt, events.append)
    return result, events


def test_a_second_run_of_the_same_graph_runs_nothing(worker: Worker):
    prompt = {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
        },
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    first, _ = run(worker, prompt)
    again, events = run(worker, prompt)
    assert isinstance(again.end, Succeeded)
    assert first.executed == ("1", "2")
    assert again.executed == ()
    assert [event for event in events if isinstance(event, Running)] == []
    assert again.shown == first.shown


def test_a_node_that_ran_out_of_memory_runs_once_more(worker: Worker):
    calls = []

    @node("Greedy", category="test", output=True)
    def greedy() -> None:
        """Lacks memory once."""
        calls.append(manager.current())
        if len(calls) == 1:
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")

    result, _ = run(with_node(worker, greedy), {"1": {"class_type": "Greedy", "inputs": {}}})
    assert isinstance(result.end, Succeeded)
    assert len(calls) == 2


def test_an_error_says_how_much_memory_was_missing(worker: Worker):
    @node("Greedy", category="test", output=True)
    def greedy() -> None:
        """Lacks memory always."""
        raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")

    result, events = run(with_node(worker, greedy), {"1": {"class_type": "Greedy", "inputs": {}}})
    assert isinstance(result.end, Failed)
    assert "asked for 2.1 GB more" in result.end.message
    assert events[-1] == result.end


def test_another_error_is_neither_repeated_nor_reworded(worker: Worker):
    calls = []

    @node("Wrong", category="test", output=True)
    def wrong() -> None:
        """Fails."""
        calls.append(1)
        raise ValueError("a plain mistake")

    result, _ = run(with_node(worker, wrong), {"1": {"class_type": "Wrong", "inputs": {}}})
    assert isinstance(result.end, Failed)
    assert result.end.message == "a plain mistake"
    assert calls == [1]


def test_a_node_s_own_check_is_part_of_validation(worker: Worker):
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "../../etc/passwd"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    report = worker.check(parse(prompt))
    assert report.error is not None
    assert set(report.node_errors) == {"1"}


def test_rescue_frees_results_and_leaves_other_errors_alone():
    cache = Cache(1000)
    retry = MemoryRetry(
        manager.DeviceResidency(torch.device("cpu"), torch.float32, budget=10), cache
    )
    assert not retry(ValueError("memory is not what this is about"))
    assert retry.explain(ValueError("memory is not what this is about")) is None
    assert retry(MemoryError())
    assert "asked for more memory" in retry.explain(MemoryError())


def test_an_error_after_a_shortage_that_speaks_of_memory_keeps_its_words(worker: Worker):
    calls = []

    @node("Greedy", category="test", output=True)
    def greedy() -> None:
        """Lacks memory once, then fails for another reason."""
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
        raise ValueError("the character's memory is empty")

    result, _ = run(with_node(worker, greedy), {"1": {"class_type": "Greedy", "inputs": {}}})
    assert calls == [1, 1]
    assert isinstance(result.end, Failed)
    assert result.end.message == "the character's memory is empty"
    assert result.end.error_type == "ValueError"


def test_an_error_that_only_sounds_like_a_shortage_is_not_repeated(worker: Worker):
    calls = []

    @node("Wrong", category="test", output=True)
    def wrong() -> None:
        """Fails."""
        calls.append(1)
        raise RuntimeError("not enough memory slots in this character, out of memory cards")

    result, _ = run(with_node(worker, wrong), {"1": {"class_type": "Wrong", "inputs": {}}})
    assert calls == [1]
    assert result.end.message.startswith("not enough memory slots")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("CUDA out of memory. Tried to allocate 20.00 MiB.", 20 << 20),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes.", 4096),
        ("cublas_status_alloc_failed", None),
    ],
)
def test_the_bytes_are_read_off_the_error(text: str, wanted: int | None):
    assert requested_bytes(RuntimeError(text)) == wanted


def size(value) -> int:
    return sum(measure([value]).values())


def test_a_tensor_weighs_its_bytes_wherever_it_lies():
    tensor = torch.zeros(100, 100)
    assert size(tensor) == 40_000
    assert 40_000 <= size({"samples": tensor}) < 41_000
    other = torch.zeros(100, 100)
    assert 80_000 <= size([[tensor, {"pooled_output": other}]]) < 82_000


def test_a_view_weighs_what_it_keeps_and_shares_it():
    batch = torch.zeros(10, 1000)
    assert size(batch[3]) == 40_000
    assert size(torch.zeros(1).expand(1000, 1000)) == 4
    assert measure([batch[3], batch[4]]) == measure([batch])


def test_tensors_inside_values_of_ours_are_found():
    positive = [[torch.zeros(100, 100), {}]]
    assert size(CfgGuider(None, positive, positive, 7.0)) >= 40_000
    weights = LazyWeights("w", 1 << 40, lambda: torch.nn.Linear(1000, 1000))
    assert weights.module is not None
    assert size(weights) == 0


class Process:
    """A process whose memory use the test sets."""

    def __init__(self, resident: int, accounted: int) -> None:
        self.resident, self.accounted = resident, accounted
        self.stuck = 0
        self.returns = 0

    def give_back(self) -> None:
        self.returns += 1
        self.resident = min(self.resident, 300 + self.stuck + self.accounted)

    def pages(self) -> FreedPages:
        return FreedPages(
            lambda: self.accounted,
            100,
            resident=lambda: self.resident,
            give_back=self.give_back,
        )


def test_freed_pages_stay_up_to_an_allowance_and_are_returned_beyond_it():
    process = Process(resident=300, accounted=0)
    pages = process.pages()
    process.accounted, process.resident = 1000, 1400
    pages.trim()
    assert process.returns == 0
    process.resident = 1500
    pages.trim()
    assert (process.returns, process.resident) == (1, 1300)


def test_what_cannot_be_returned_is_not_looked_for_again():
    process = Process(resident=300, accounted=0)
    pages = process.pages()
    process.stuck, process.resident = 500, 900
    pages.trim()
    before = process.returns
    pages.trim()
    pages.trim()
    assert process.returns == before
    process.resident += 101
    pages.trim()
    assert process.returns > before


def test_the_worker_s_results_and_free_pages_fit_the_budget_together(settings: Settings):
    worker = Worker(replace(settings, dtype="fp32", cache_bytes=1 << 30))
    assert worker.cache.budget + kept_pages(1 << 30) == 1 << 30
    assert Worker(replace(settings, dtype="fp32", cache_bytes=0)).cache.budget == 0


def test_what_the_user_gave_of_the_device_s_memory_reaches_the_residency(settings: Settings):
    chosen = replace(settings, device="cpu", dtype="fp32", vram=Amount(10**8))
    worker = Worker(replace(chosen, resident=Amount(share=0.25)))
    assert worker.memory_budget == worker._residency.budget == 10**8
    assert worker._residency._resident == 25 * 10**6
    assert "at most 0.1 GB" in worker.note
    assert "streamed beyond" in worker.note
    sent = []
    Service(chosen, sent.append).ready()
    assert [each.budget for each in sent[-1].devices] == [10**8]
    with pytest.raises(SettingsError, match="--reserve-vram leaves nothing"):
        Worker(replace(chosen, reserve_vram=Amount(10**15)))


def test_freeing_results_returns_their_pages(worker: Worker):
    returns = []
    worker._pages._release = lambda: returns.append(1)
    worker.free(weights=False, results=True)
    assert returns


HUGE = """
import sys
from dataclasses import replace
from pathlib import Path
from engine.execute.executor import Job
from engine.graph.prompt import parse
from engine.machine import available_memory
from engine.settings import Settings
from engine.worker.loop import Worker

user = Path(sys.argv[1])
worker = Worker(Settings(user_directory=user, output_directory=user / "output",
    input_directory=user / "input", dtype="fp32", cache_bytes=1 << 30))
side = 8192
rows = int(available_memory() * 1.1 / (side * side * 12)) + 1
def picture(side, batch):
    return {
        "1": {"class_type": "EmptyImage",
            "inputs": {"width": side, "height": side, "batch_size": batch, "color": 1}},
        "2": {"class_type": "GetImageSize", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 2]}},
    }
for size in ((side, rows), (64, 1)):
    end = worker.run(Job("p", ("3",)), parse(picture(*size)), lambda event: None).end
    print(type(end).__name__, getattr(end, "message", ""), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux grants memory that it has not")
def test_a_size_beyond_the_machine_s_memory_is_an_error_and_not_the_worker_s_end(tmp_path):
    """In a separate process, because the limit stays in effect."""
    done = subprocess.run(
        [sys.executable, "-c", HUGE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("Failed out of memory: this node asked for"), done.stderr
    assert second.startswith("Succeeded")
    assert done.returncode == 0
