"""A worker runs jobs, keeps results, and helps itself when memory runs out."""

from dataclasses import replace

import pytest
import torch

from engine.execute.cache import Cache
from engine.execute.executor import Job
from engine.graph.prompt import parse
from engine.nodekit.contract import node
from engine.nodekit.registry import Registry
from engine.residency import manager
from engine.settings import Settings
from engine.wire.messages import Failed, Running, Succeeded
from engine.worker.loop import Worker
from engine.worker.memory import Rescue, asked_for, measure


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
    rescue = Rescue(manager.DeviceResidency(torch.device("cpu"), torch.float32, budget=10), cache)
    assert not rescue(ValueError("memory is not what this is about"))
    assert rescue(MemoryError())
    assert rescue.shortage is not None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("CUDA out of memory. Tried to allocate 20.00 MiB.", 20 << 20),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes.", 4096),
        ("cublas_status_alloc_failed", None),
    ],
)
def test_the_bytes_are_read_off_the_error(text: str, wanted: int | None):
    assert asked_for(RuntimeError(text)) == wanted


def test_a_tensor_weighs_its_bytes_wherever_it_lies():
    tensor = torch.zeros(10, 10)
    assert measure(tensor) == 400
    assert measure({"samples": tensor}) >= 400
    assert measure([[tensor, {"pooled_output": tensor}]]) >= 800
