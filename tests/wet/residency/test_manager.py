"""Weights are loaded, streamed and evicted; the results do not depend on where they are."""

import gc
from math import prod

import pytest
import torch
from torch import nn

from engine.errors import OutOfMemoryError, Stopped
from engine.residency.blocks import split
from engine.residency.carriers import HostCarrier, Wants
from engine.residency.handles import LazyWeights
from engine.residency.loaded import LoadedWeights
from engine.residency.manager import DeviceResidency, current, install, installed

from .small_net import CPU, Block, CountingCarrier, Net, X, expected, half_net, lazy


def test_a_half_file_computes_in_float_and_comes_back():
    net = half_net()
    originals = dict(net.named_parameters())
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    weights = lazy(net)
    with torch.inference_mode(), residency.use(weights):
        assert all(p.dtype == torch.float32 for p in net.parameters())
        assert torch.equal(net.run(X), expected(X))
    held = residency.held
    assert held == sum(4 * p.numel() for p in net.parameters()) + 4
    assert residency.release(1) == held
    assert residency.held == 0
    assert all(parameter is originals[name] for name, parameter in net.named_parameters())


def test_weights_of_the_right_dtype_are_not_copied():
    net = half_net()
    residency = DeviceResidency(CPU, torch.float16, budget=0)
    with residency.use(lazy(net)):
        assert residency.held == 0
        assert net.first.weight.dtype == torch.float16


def test_nothing_is_loaded_before_it_is_used():
    calls: list[int] = []

    def load() -> Net:
        calls.append(1)
        return half_net()

    weights = LazyWeights("net", 0, load)
    assert not weights.is_loaded
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    for _ in range(2):
        with residency.use(weights):
            pass
    assert weights.is_loaded
    assert calls == [1]


@pytest.mark.parametrize("share", [0.9, 0.6, 0.45])
def test_streaming_computes_the_same_within_the_budget(share):
    net = half_net()
    carrier = CountingCarrier(torch.float32)
    loaded = LoadedWeights(lazy(net), carrier, block_limit=2500)
    budget = int(loaded.size * share)
    loaded.place(budget)
    assert loaded.streams
    assert loaded.held <= budget
    with torch.inference_mode():
        for _ in range(3):
            assert torch.equal(net.run(X), expected(X))
    slots_bytes = loaded.held - sum(
        4 * t.numel() for t in (*net.parameters(), net.scale) if t.dtype == torch.float32
    )
    assert carrier.slot_peak <= slots_bytes
    # after the first pass every block is prefetched while the one before it computes
    assert carrier.slot_peak > slots_bytes // 2
    loaded.clear()
    assert all(p.dtype == torch.float16 for p in net.parameters())
    assert carrier.slot_use == 0


def test_a_stop_in_the_middle_of_a_block_leaves_everything_usable():
    net = half_net()
    loaded = LoadedWeights(lazy(net), CountingCarrier(torch.float32), block_limit=2500)
    loaded.place(int(loaded.size * 0.5))

    class StopError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StopError

    hook = net.blocks[3].norm.register_forward_hook(stop)
    with torch.inference_mode():
        with pytest.raises(StopError):
            net.run(X)
        hook.remove()
        assert torch.equal(net.run(X), expected(X))


@pytest.mark.parametrize("streams", [False, True])
def test_a_stop_while_weights_come_leaves_nothing_behind(streams):
    """It may come between any two tensors, and those already loaded are released."""
    net = half_net()
    carrier = CountingCarrier(torch.float32)
    size = sum(p.numel() * 4 for p in net.parameters())
    residency = DeviceResidency(
        CPU,
        torch.float32,
        budget=int(size * 0.7) if streams else 2 * size,
        block_limit=2500,
        carriers=lambda _: carrier,
    )
    handle = lazy(net)
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Stopped

    with pytest.raises(Stopped), residency.use(handle, checkpoint=stop):
        pytest.fail("the weights came in spite of the stop")
    assert asked == 3
    assert residency.held == 0
    assert all(p.dtype == torch.float16 for p in net.parameters())
    with torch.inference_mode(), residency.use(handle, checkpoint=lambda: None):
        assert torch.equal(net.run(X), expected(X))


def test_more_memory_ends_the_streaming():
    net = half_net()
    loaded = LoadedWeights(lazy(net), HostCarrier(torch.float32), block_limit=2500)
    loaded.place(int(loaded.size * 0.5))
    assert loaded.streams
    loaded.place(loaded.size)
    assert not loaded.streams
    assert loaded.held == loaded.size
    assert torch.equal(net.run(X), expected(X))


def test_too_little_for_one_block_is_an_error_with_numbers():
    net = half_net()
    residency = DeviceResidency(CPU, torch.float32, budget=1000)
    with pytest.raises(OutOfMemoryError, match=r"need [\d,]+ bytes .* 1,000 are left"):
        residency.use(lazy(net)).__enter__()
    assert all(p.dtype == torch.float16 for p in net.parameters())


def test_what_was_used_longest_ago_makes_room():
    size = 4 * sum(p.numel() for p in half_net().parameters()) + 4
    residency = DeviceResidency(CPU, torch.float32, budget=2 * size)
    a, b, c = (lazy(half_net(), name) for name in "abc")
    for weights in (a, b, a, c):
        with residency.use(weights):
            pass
    dtypes = [weights.module.first.weight.dtype for weights in (a, b, c)]
    assert dtypes == [torch.float32, torch.float16, torch.float32]
    with residency.use(c, room_for=size):
        assert a.module.first.weight.dtype == torch.float16


def test_what_is_in_use_is_not_released():
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    a, b = lazy(half_net(), "a"), lazy(half_net(), "b")
    with residency.use(b):
        pass
    with residency.use(a):
        freed = residency.release(10**9)
        assert freed == residency.held
        assert a.module.first.weight.dtype == torch.float32
    assert residency.release(10**9) == freed


def test_weights_that_nobody_holds_leave():
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    weights = lazy(half_net())
    with residency.use(weights):
        assert residency.held
    del weights
    gc.collect()
    assert residency.held == 0


def test_the_weights_say_in_which_form_they_are_wanted():
    net = nn.Sequential(nn.Conv2d(4, 8, 3))
    residency = DeviceResidency(CPU, torch.bfloat16, budget=10**9)
    plain = lazy(net, wants=Wants(channels_last=True))
    with residency.use(plain):
        assert net[0].weight.is_contiguous(memory_format=torch.channels_last)
        assert net[0].weight.dtype == torch.bfloat16
    other = nn.Linear(4, 4)
    with residency.use(lazy(other, wants=Wants(dtype=torch.float32))):
        assert other.weight.dtype == torch.float32


def test_pages_of_the_file_are_given_back_as_it_is_converted():
    forgotten: list[int] = []
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    with residency.use(lazy(half_net(), forget=lambda: forgotten.append(1))):
        assert forgotten


def test_blocks_hold_every_tensor_once():
    net = half_net()
    blocks = split(net, {}, lambda source: prod(source.shape) * 4, 2500)
    held = [id(named.placeholder) for block in blocks for named in block.tensors]
    assert len(held) == len(set(held))
    assert set(held) == {id(t) for t in (*net.parameters(), *net.buffers())}
    # the shared weight and the root's buffer wait for no call; a list is never called
    assert {type(block.module) for block in blocks} == {type(None), nn.Linear, Block}


def test_the_residency_is_replaced_in_a_with():
    first = DeviceResidency(CPU, torch.float32, budget=1)
    second = DeviceResidency(CPU, torch.float32, budget=2)
    with installed(first) as inside:
        assert current() is inside is first
        with installed(second):
            assert current() is second
        assert current() is first
        install(second)
        assert current() is second
    with pytest.raises(RuntimeError, match="no residency is installed"):
        current()
