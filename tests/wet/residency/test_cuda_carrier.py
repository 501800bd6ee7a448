"""The CUDA carrier on a simulated device: streams and events are logged, memory is the host's.

What it must get right is order: a copy into a slot waits for the last use of that slot, computing
waits for the copy. tests/gpu checks the same on a real device, by comparing numbers.
"""

import gc
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from engine.residency.carriers import ALIGNMENT, CudaCarrier
from engine.residency.stream import Lodging


class Log:
    """What a device would have been told, in order; and its host side."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, int]] = []
        self.events = 0
        self.locked: set[int] = set()
        self.compute = self.stream("compute")
        self.now = self.compute

    def stream(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(
            name=name,
            wait_event=lambda event: self.told.append((name, "wait", event.number)),
            wait_stream=lambda other: self.told.append((name, f"wait for {other.name}", -1)),
        )

    def event(self) -> SimpleNamespace:
        self.events += 1
        number = self.events
        return SimpleNamespace(
            number=number,
            record=lambda stream: self.told.append((stream.name, "record", number)),
        )

    @contextmanager
    def inside(self, stream):
        before, self.now = self.now, stream
        yield
        self.now = before

    def register(self, address, size, flags):
        assert size > 0
        self.locked.add(address)
        return 0


@pytest.fixture
def log(monkeypatch):
    log = Log()
    runtime = SimpleNamespace(cudaHostRegister=log.register, cudaHostUnregister=log.locked.discard)
    simulated = {
        "Stream": lambda device: log.stream("copy"),
        "Event": log.event,
        "current_stream": lambda device: log.compute,
        "stream": log.inside,
        "cudart": lambda: runtime,
        "synchronize": lambda device: log.told.append(("host", "synchronize", -1)),
    }
    for name, stand_in in simulated.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return log


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(64, 64) for _ in range(6))).half().requires_grad_(False)


CPU = torch.device("cpu")


def test_blocks_arrive_as_they_lie_in_the_file_but_in_the_device_s_dtype(log, net):
    x = torch.randn(3, 64)
    expected = torch.nn.Sequential(*net).float()(x)
    net = net.half()
    lodging = Lodging(net, CudaCarrier(CPU, torch.float32), block_limit=20_000)
    lodging.place(int(lodging.size * 0.6))
    assert lodging.streams
    for _ in range(3):
        assert torch.equal(net(x), expected)
    lodging.clear()
    assert all(parameter.dtype == torch.float16 for parameter in net.parameters())


def test_copies_and_computing_wait_for_each_other(log, net):
    carrier = CudaCarrier(CPU, torch.float16)
    blocks = [tuple(layer.parameters()) for layer in net]
    size = sum(map(carrier.bytes_of, blocks[0]))
    lane = carrier.open_lane(blocks, 2, size)
    assert log.told == [("copy", "wait for compute", -1)]
    log.told.clear()

    first, second = lane.send(0), lane.send(1)
    assert lane.send(2) is None
    assert log.told == [("copy", "record", 1), ("copy", "record", 2)]
    log.told.clear()

    first.arrive()
    assert log.told == [("compute", "wait", 1)]
    first.leave()
    third = lane.send(2)
    assert log.told[1:] == [("compute", "record", 3), ("copy", "wait", 3), ("copy", "record", 4)]
    log.told.clear()

    for cargo, layer in ((second, net[1]), (third, net[2])):
        weight, bias = cargo.arrive()
        assert torch.equal(weight, layer.weight)
        assert torch.equal(bias, layer.bias)
        assert weight.data_ptr() % 2 == bias.data_ptr() % 2 == 0
        assert (bias.data_ptr() - weight.data_ptr()) % ALIGNMENT == 0
    assert log.told == [("compute", "wait", 2), ("compute", "wait", 4)]


def test_locked_pages_are_unlocked_after_the_last_copy(log, net):
    carrier = CudaCarrier(CPU, torch.float16)
    lane = carrier.open_lane([tuple(layer.parameters()) for layer in net], 1, 20_000)
    assert len(log.locked) == len(net)
    del lane
    gc.collect()
    assert not log.locked
    assert log.told[-1] == ("host", "synchronize", -1)


def test_memory_that_cannot_be_locked_serves_as_well(log, net):
    torch.cuda.cudart().cudaHostRegister = lambda *_: 1
    carrier = CudaCarrier(CPU, torch.float16)
    lane = carrier.open_lane([tuple(net[0].parameters())], 1, 20_000)
    weight, _ = lane.send(0).arrive()
    assert torch.equal(weight, net[0].weight)


def test_bytes_are_counted_as_the_device_rounds_them():
    carrier = CudaCarrier(CPU, torch.float16)
    assert carrier.bytes_of(torch.empty(1)) == ALIGNMENT
    assert carrier.bytes_of(torch.empty(256)) == ALIGNMENT
    assert carrier.bytes_of(torch.empty(257)) == 2 * ALIGNMENT
    assert carrier.bytes_of(torch.empty(100, dtype=torch.int64)) == 2 * ALIGNMENT
    assert carrier.bring(torch.ones(2, dtype=torch.int64)).dtype == torch.int64
