"""Patches apply on loading and reload only changed tensors; compact forms stay compact."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights, PatchedWeights
from engine.residency.manager import DeviceResidency
from engine.weights.state_dict import Entry

from .small_net import CPU, CountingCarrier, Net, X, expected, half_net, lazy


@dataclass(frozen=True)
class Add:
    """A patch that adds a number, so that equal numbers are equal patches."""

    amount: float

    def apply(self, weight: Tensor) -> Tensor:
        assert weight.dtype == torch.float32
        return weight + self.amount


def patched_net(**amounts: float) -> Net:
    net = half_net().float()
    with torch.no_grad():
        for name, amount in amounts.items():
            net.get_parameter(name.replace("__", ".")).add_(amount)
    return net


NAMES = ("blocks.0.inside.0.weight", "blocks.3.norm.bias", "first.weight")


def some_patches(amount: float) -> dict[str, tuple[Add, ...]]:
    return {name: (Add(amount),) for name in NAMES}


def with_patches(amount: float) -> Net:
    return patched_net(**{name.replace(".", "__"): amount for name in NAMES})


@pytest.mark.parametrize("share", [2.0, 0.6])
def test_patches_apply_where_the_tensors_arrive_and_leave_the_base_alone(share):
    base = lazy(half_net())
    size = 4 * sum(p.numel() for p in half_net().parameters()) + 4
    residency = DeviceResidency(
        CPU,
        torch.float32,
        budget=int(size * share) + 3 * 16 * 16 * 4,  # a patch is computed beside the weight
        block_limit=2500,
        carriers=lambda _: CountingCarrier(torch.float32),
    )
    changed = PatchedWeights(base, some_patches(0.25))
    with torch.inference_mode():
        with residency.use(changed):
            assert torch.equal(changed.module.run(X), with_patches(0.25).run(X))
        with residency.use(base):
            assert torch.equal(base.module.run(X), expected(X))
        with residency.use(changed):
            assert torch.equal(changed.module.run(X), with_patches(0.25).run(X))
    residency.release(10**9)
    assert all(p.dtype == torch.float16 for p in base.module.parameters())


def test_other_patches_bring_only_the_tensors_they_touch():
    base, carrier = lazy(half_net()), CountingCarrier(torch.float32)
    residency = DeviceResidency(CPU, torch.float32, budget=10**9, carriers=lambda _: carrier)
    with residency.use(base):
        pass
    whole, carrier.brought = carrier.brought, 0
    held = residency.held
    with residency.use(PatchedWeights(base, some_patches(0.25))):
        assert residency.held == held
    touched = sum(base.module.get_parameter(name).numel() for name in NAMES)
    assert carrier.brought == touched < whole
    carrier.brought = 0
    with residency.use(PatchedWeights(base, some_patches(0.25))):
        pass
    assert carrier.brought == 0
    one_more = PatchedWeights(base, some_patches(0.25) | {NAMES[1]: (Add(0.5),)})
    with residency.use(one_more):
        assert carrier.brought == base.module.get_parameter(NAMES[1]).numel()


def test_the_inner_patches_count_and_the_outer_ones_come_back():
    base = lazy(half_net())
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    outer, inner = (PatchedWeights(base, some_patches(amount)) for amount in (0.25, 0.5))
    with torch.inference_mode(), residency.use(outer):
        with residency.use(inner):
            assert torch.equal(base.module.run(X), with_patches(0.5).run(X))
        assert torch.equal(base.module.run(X), with_patches(0.25).run(X))


def test_patches_add_up_in_their_order():
    once = PatchedWeights(lazy(half_net()), {"first.weight": (Add(1.0),)})
    twice = PatchedWeights(once, {"first.weight": (Add(2.0),), "last.bias": (Add(3.0),)})
    assert twice.patches == {"first.weight": (Add(1.0), Add(2.0)), "last.bias": (Add(3.0),)}
    assert twice.base is once.base


class Halved:
    """A compact form: the file holds bytes, whose half is the value."""

    name = "halved"

    def unpack(self, parts, dtype):
        return (parts[0].float() / 2).to(dtype)


@pytest.mark.parametrize("share", [2.0, 0.5])
def test_compact_tensors_stay_compact_on_the_device(share):
    torch.manual_seed(0)
    numbers = {f"{i}.weight": torch.randint(-9, 9, (64, 64), dtype=torch.int8) for i in range(6)}
    plain = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(6))).requires_grad_(False)
    plain.load_state_dict({name: value.float() / 2 for name, value in numbers.items()})
    with torch.device("meta"):
        net = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(6)))
    sources = {
        name: Entry.packed(
            Halved(), [Entry((64, 64), torch.int8, lambda v=value: v)], (64, 64), torch.bfloat16
        )
        for name, value in numbers.items()
    }
    carrier = CountingCarrier(torch.float32)
    weights = LazyWeights("compact", 6 * 4096, lambda: net, sources=sources)
    one = 64 * 64 * 4
    budget = int(6 * 4096 * share) + 2 * one + (2 * one if share < 1 else 0)
    residency = DeviceResidency(
        CPU, torch.float32, budget=budget, block_limit=one, carriers=lambda _: carrier
    )
    x = torch.randn(3, 64)
    with torch.inference_mode():
        with residency.use(weights):
            # six matrices of bytes, and one unpacked, in float32 first, for the layer in its call
            assert residency.held <= budget
            if share > 1:
                assert residency.held == 6 * 4096 + 2 * one
            for _ in range(2):
                assert torch.equal(net(x), plain(x))
            assert all(p.is_meta for p in net.parameters())
        residency.budget += 4 * one  # a patch is computed beside the weight
        changed = PatchedWeights(weights, {"2.weight": (Add(0.5),)})
        with residency.use(changed):
            plain[2].weight += 0.5
            assert torch.equal(net(x), plain(x))


def test_a_network_says_which_dtypes_it_can_bear():
    residency = DeviceResidency(CPU, torch.float16, budget=10**9)
    assert residency.dtype_of(lazy(nn.Linear(4, 4))) == torch.float16
    careful = Wants(dtypes=(torch.bfloat16, torch.float32))
    assert residency.dtype_of(lazy(nn.Linear(4, 4), wants=careful)) == torch.bfloat16
    assert residency.dtype_of(lazy(nn.Linear(4, 4), wants=Wants(dtype=torch.float32))) == (
        torch.float32
    )


def test_reserved_bytes_are_not_planned_with():
    size = 4 * sum(p.numel() for p in half_net().parameters()) + 4
    residency = DeviceResidency(CPU, torch.float32, budget=2 * size)
    a, b = lazy(half_net(), "a"), lazy(half_net(), "b")
    for weights in (a, b):
        with residency.use(weights):
            pass
    assert residency.held == 2 * size
    with residency.reserve(size), residency.use(b):
        assert residency.held == size
    with residency.use(a), residency.use(b):
        assert residency.held == 2 * size
