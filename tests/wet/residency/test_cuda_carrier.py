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

from engine.residency.carriers import Item
from engine.residency.cuda import ALIGNMENT, CudaCarrier
from engine.residency.handles import LazyWeights
from engine.residency.loaded import LoadedWeights
from engine.residency.sources import TensorSource


class Log:
    """The commands to a device, and the host's actions, in order."""

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
            synchronize=lambda: self.told.append(("host", "wait", number)),
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


def lazy(module: nn.Module) -> LazyWeights:
    return LazyWeights("net", 0, lambda: module)


def items(layer: nn.Module) -> list[Item]:
    return [Item(TensorSource(tensor)) for tensor in layer.parameters()]


def test_blocks_arrive_as_they_lie_in_the_file_but_in_the_device_s_dtype(log, net):
    x = torch.randn(3, 64)
    expected = torch.nn.Sequential(*net).float()(x)
    net = net.half()
    loaded = LoadedWeights(lazy(net), CudaCarrier(CPU, torch.float32), block_limit=20_000)
    loaded.place(int(loaded.size * 0.6))
    assert loaded.streams
    for _ in range(3):
        assert torch.equal(net(x), expected)
    loaded.clear()
    assert all(parameter.dtype == torch.float16 for parameter in net.parameters())


def test_copies_and_computing_wait_for_each_other(log, net):
    carrier = CudaCarrier(CPU, torch.float16)
    blocks = [items(layer) for layer in net]
    size = carrier.slot_bytes([item.source for item in blocks[0]])
    loader = carrier.open_loader(blocks, 2, size)
    assert log.told == [("copy", "wait for compute", -1)]
    log.told.clear()

    first, second = loader.request(0), loader.request(1)
    assert loader.request(2) is None
    assert log.told == [("copy", "record", 1), ("copy", "record", 2)]
    log.told.clear()

    first.wait()
    assert log.told == [("compute", "wait", 1)]
    first.release()
    third = loader.request(2)
    assert log.told[1:] == [
        ("compute", "record", 3),
        ("host", "wait", 1),  # the page-locked buffer was read by the first copy
        ("copy", "wait", 3),
        ("copy", "record", 4),
    ]
    log.told.clear()

    for transfer, layer in ((second, net[1]), (third, net[2])):
        weight, bias = transfer.wait()
        assert torch.equal(weight, layer.weight)
        assert torch.equal(bias, layer.bias)
        assert weight.data_ptr() % 2 == bias.data_ptr() % 2 == 0
        assert (bias.data_ptr() - weight.data_ptr()) % ALIGNMENT == 0
    assert log.told == [("compute", "wait", 2), ("compute", "wait", 4)]


def test_locked_pages_are_unlocked_after_the_last_copy(log, net):
    carrier = CudaCarrier(CPU, torch.float16)
    loader = carrier.open_loader([items(layer) for layer in net], 1, 20_000)
    assert len(log.locked) == 1  # a ring of as many buffers as slots, not one per streamed block
    del loader
    gc.collect()
    assert not log.locked
    assert log.told[-1] == ("host", "synchronize", -1)


def test_memory_that_cannot_be_locked_serves_as_well(log, net):
    torch.cuda.cudart().cudaHostRegister = lambda *_: 1
    carrier = CudaCarrier(CPU, torch.float16)
    loader = carrier.open_loader([items(net[0])], 1, 20_000)
    weight, _ = loader.request(0).wait()
    assert torch.equal(weight, net[0].weight)


def test_bytes_are_counted_as_the_device_rounds_them():
    carrier = CudaCarrier(CPU, torch.float16)

    def bytes_of(tensor: torch.Tensor) -> int:
        return carrier.ready_bytes(TensorSource(tensor), patched=False)

    assert bytes_of(torch.empty(1)) == ALIGNMENT
    assert bytes_of(torch.empty(256)) == ALIGNMENT
    assert bytes_of(torch.empty(257)) == 2 * ALIGNMENT
    assert bytes_of(torch.empty(100, dtype=torch.int64)) == 2 * ALIGNMENT
    assert carrier.bring(TensorSource(torch.ones(2, dtype=torch.int64))).dtype == torch.int64
