"""Projections in bf16 are packed for oneDNN when that pays, out of memory that is left."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from engine.nets.layers import Linear
from engine.residency import manager
from engine.residency.budget import Memory
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights, PatchedWeights
from engine.residency.manager import DeviceResidency
from engine.residency.packing import CALLS_THAT_PAY

CPU = torch.device("cpu")
WIDTH, LAYERS = 64, 3
ONE = WIDTH * WIDTH * 2
ROOM_TO_PACK = (LAYERS + 1) * ONE
X = torch.linspace(-1, 1, 5 * WIDTH).reshape(5, WIDTH).bfloat16()
pytestmark = pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()),
    reason="no oneDNN for bf16 on this processor",
)


class OtherLinear(Linear):
    """A projection that does something else with its weight."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Module's name for it
        return nn.functional.linear(input.float(), self.weight.float()).to(input.dtype)


class Layers(nn.Module):
    """Projections of ours, one of a subclass, and a parameter that is multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linear(WIDTH, WIDTH) for _ in range(LAYERS))
        self.other = OtherLinear(WIDTH, WIDTH, bias=False)
        self.table = nn.Parameter(torch.ones(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.other(x) @ self.table


@dataclass(frozen=True)
class Added:
    """A patch."""

    amount: float

    def apply(self, weight: Tensor) -> Tensor:
        return weight + self.amount


def weights(name: str = "net", *, packed: bool = True, dtype=torch.bfloat16) -> LazyWeights:
    torch.manual_seed(0)
    net = Layers().to(dtype).requires_grad_(requires_grad=False).eval()
    return LazyWeights(name, 1, lambda: net, wants=Wants(packed=packed))


def packed_of(handle) -> int:
    return sum(layer.weight.is_mkldnn for layer in handle.module.layers)


def run(handle) -> Tensor:
    with torch.inference_mode():
        return handle.module(X)


def residency(budget: int = 10**9, **more) -> DeviceResidency:
    return DeviceResidency(CPU, torch.bfloat16, budget=budget, **more)


def test_packed_projections_are_equal_in_every_value():
    handle = weights()
    plain = run(handle)
    found = residency()
    with found.use(handle, calls=CALLS_THAT_PAY):
        assert packed_of(handle) == LAYERS
        assert not handle.module.table.is_mkldnn
        assert not handle.module.other.weight.is_mkldnn
        assert found.held == LAYERS * ONE
        assert torch.equal(run(handle), plain)
        with torch.enable_grad():  # a pack's gradient through the network
            x = X.clone().requires_grad_()
            handle.module(x).sum().backward()
        assert x.grad is not None
    assert found.release(1) == LAYERS * ONE
    assert packed_of(handle) == 0
    assert torch.equal(run(handle), plain)


def test_few_calls_do_not_pay_but_many_uses_do():
    handle, found = weights(), residency()
    for _ in range(CALLS_THAT_PAY - 1):
        with found.use(handle):
            assert packed_of(handle) == 0
    with found.use(handle):
        assert packed_of(handle) == LAYERS


@pytest.mark.parametrize(
    "refused",
    [
        {"budget": ROOM_TO_PACK - 1},
        {"budget": 10**9, "resident": ROOM_TO_PACK - 1},
    ],
)
def test_without_memory_for_all_none_is_packed(refused):
    handle = weights()
    with residency(**refused).use(handle, calls=99):
        assert packed_of(handle) == 0
    with residency(ROOM_TO_PACK).use(handle, calls=99):
        assert packed_of(handle) == LAYERS


def test_a_machine_short_of_memory_packs_nothing(monkeypatch):
    monkeypatch.setattr(manager, "memory_of", lambda _: Memory(10**9, ROOM_TO_PACK - 1))
    handle = weights()
    with residency().use(handle, calls=99):
        assert packed_of(handle) == 0


def test_what_needs_memory_gets_that_of_packed_copies_first():
    first, second = weights("first"), weights("second")
    found = residency(2 * ROOM_TO_PACK)
    with found.use(first, calls=99):
        pass
    with found.use(second, calls=99):
        assert packed_of(first) == packed_of(second) == LAYERS
        with found.reserve(2 * ROOM_TO_PACK):
            assert packed_of(first) == packed_of(second) == 0
            assert found.held == 0
    with found.use(second, room_for=2 * ROOM_TO_PACK, calls=99):
        assert packed_of(second) == 0
    with found.use(second, room_for=ROOM_TO_PACK, calls=99):
        assert packed_of(second) == LAYERS


def test_what_was_used_longest_ago_is_unpacked_first():
    first, second, third = (weights(name) for name in ("first", "second", "third"))
    found = residency(2 * LAYERS * ONE + ONE)
    for each in (first, second):
        with found.use(each, calls=99):
            pass
    with found.use(third, room_for=2 * ONE):
        assert [packed_of(each) for each in (first, second, third)] == [0, LAYERS, 0]


def test_patched_weights_are_packed_and_plain_ones_come_back():
    handle, found = weights(), residency()
    plain = run(handle)
    changed = PatchedWeights(handle, {"layers.1.weight": (Added(0.5),)})
    with found.use(changed, calls=99):
        assert packed_of(handle) == LAYERS
        assert found.held == LAYERS * ONE
        patched = run(handle)
        assert not torch.equal(patched, plain)
        with found.use(handle):  # a change between two steps packs nothing anew
            assert packed_of(handle) == LAYERS - 1
            assert torch.equal(run(handle), plain)
        assert torch.equal(run(handle), patched)
    with found.use(handle, calls=99):
        assert packed_of(handle) == LAYERS
        assert torch.equal(run(handle), plain)


def test_a_converted_copy_is_packed_in_its_place():
    handle = weights(dtype=torch.float16)
    found = residency()
    with found.use(handle):
        copies = found.held
    with found.use(handle, calls=99):
        assert packed_of(handle) == LAYERS
        assert found.held == copies


@pytest.mark.parametrize("refused", ["dtype", "wants"])
def test_other_weights_stay_plain(refused):
    handle = weights(packed=refused != "wants")
    dtype = torch.float32 if refused == "dtype" else torch.bfloat16
    with DeviceResidency(CPU, dtype, budget=10**9).use(handle, calls=99):
        assert packed_of(handle) == 0
