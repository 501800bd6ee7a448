"""On a simulated device the budget is never exceeded: weights, slots, patches, activations."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from engine.errors import OutOfMemoryError
from engine.machine import Amount
from engine.residency.budget import Memory, choose_budget
from engine.residency.handles import LazyWeights, PatchedWeights
from engine.residency.plan import plan
from engine.weights.forms import ScaledFloat8
from engine.weights.state_dict import Entry

from .simulated import DEVICE, Meter, simulated
from .test_patched_weights import Add

WIDTH, LAYERS = 256, 8
ONE = WIDTH * WIDTH


def entry(tensor: torch.Tensor) -> Entry:
    return Entry(tuple(tensor.shape), tensor.dtype, lambda: tensor)


def plain() -> Entry:
    return entry(torch.zeros(WIDTH, WIDTH, dtype=torch.float16))


def scaled() -> Entry:
    values = entry(torch.zeros(WIDTH, WIDTH, dtype=torch.float8_e4m3fn))
    return Entry.packed(ScaledFloat8(), [values, entry(torch.ones(()))], (WIDTH,) * 2, torch.half)


def handle(kind=plain, layers: int = LAYERS) -> LazyWeights:
    with torch.device("meta"):
        net = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(layers)))
    sources = {f"{i}.weight": kind() for i in range(layers)}
    return LazyWeights("net", 0, lambda: net, sources=sources)


X = 64 * WIDTH * 2
ROOM = 3 * X
"""Activations: the input of the network, and the input and output of a layer."""


@contextmanager
def metered(limit: int) -> Iterator[Meter]:
    with torch.no_grad(), Meter(limit) as meter:
        yield meter


def run(*handles) -> None:
    x = torch.zeros(64, WIDTH, dtype=torch.half, device=DEVICE)
    for each in handles:
        each.module(x)
        each.module(x)


@pytest.mark.parametrize("kind", [plain, scaled])
@pytest.mark.parametrize("share", [1.5, 0.9, 0.6, 0.4])
@pytest.mark.parametrize("patches", [0, 1, 3])
def test_a_run_stays_within_its_bytes(kind, share, patches):
    weights = handle(kind)
    changed = {f"{i}.weight": (Add(1.0),) for i in range(patches)}
    budget = int(share * LAYERS * ONE * 2) + ROOM + 14 * ONE
    residency = simulated(budget, block_limit=2 * ONE)
    with metered(budget) as meter:
        for each in (weights, PatchedWeights(weights, changed), weights):
            with residency.use(each, room_for=ROOM):
                run(each)
    assert meter.peak <= budget


def test_two_networks_share_one_budget_whatever_was_there_before():
    first, second, small = handle(), handle(), handle(layers=2)
    budget = 10 * ONE * 2 + ROOM
    residency = simulated(budget, block_limit=2 * ONE)
    with metered(budget) as meter:
        for group in ((first,), (second, small), (first, second), (first, second, small), (first,)):
            with residency.use(*group, room_for=ROOM):
                run(*group)
        with residency.use(first, room_for=ROOM), residency.use(small, room_for=ROOM):
            run(first, small)
    assert meter.peak <= budget
    assert meter.peak > budget // 2


def test_what_is_reserved_is_free_even_beside_weights_in_use():
    weights, other = handle(), handle(layers=2)
    budget = 11 * ONE * 2 + ROOM
    residency = simulated(budget, block_limit=2 * ONE)
    with metered(budget) as meter:
        for each in (other, weights):
            with residency.use(each, room_for=ROOM):
                run(each)
        with residency.use(weights, room_for=ROOM), residency.reserve(4 * ONE * 2):
            own = torch.empty(4 * ONE, dtype=torch.half, device=DEVICE)
            run(weights)
            del own
        with (
            residency.use(weights, room_for=ROOM),
            pytest.raises(OutOfMemoryError, match="at the least"),
            residency.reserve(budget),
        ):
            pytest.fail("there is no such room")
    assert meter.peak <= budget


@pytest.mark.parametrize(("kept", "streams"), [(None, False), (4 * ONE * 2, True), (0, True)])
def test_weights_stay_in_no_more_than_they_may(kept, streams):
    weights = handle()
    budget = 40 * ONE * 2
    residency = simulated(budget, block_limit=2 * ONE, resident=kept)
    with metered(budget):
        for _ in range(2):
            with residency.use(weights, room_for=ROOM):
                run(weights)
                # Two blocks in transfer are the minimum for running.
                assert residency.held <= (budget if kept is None else max(kept, 2 * ONE * 2))
    assert (residency.held < LAYERS * ONE * 2) == streams


def test_everything_in_use_has_what_it_needs_to_be_streamed_at_all():
    sizes, least = {"net": 100, "control": 40}, {"net": 20, "control": 10}
    found = plan(sizes, 50, ["net", "control"], least=least).resident
    assert found == {"control": 30, "net": 20}
    found = plan(sizes, 500, ["net", "control"], least=least, kept=0).resident
    assert found == {"control": 10, "net": 20}


GB = 10**9


@pytest.mark.parametrize(
    ("vram", "reserve", "resident", "expected"),
    [
        (None, Amount(), None, (8_500_000_000, None)),
        (Amount(4 * GB), Amount(), None, (4 * GB, None)),
        (Amount(share=0.25), Amount(), None, (6 * GB, None)),
        (Amount(20 * GB), Amount(), None, (10 * GB, None)),
        (Amount(20 * GB), Amount(2 * GB), None, (8 * GB, None)),
        (None, Amount(1 * GB), None, (8_500_000_000, None)),
        (None, Amount(3 * GB), Amount(share=0.25), (7 * GB, 1_750_000_000)),
        (Amount(4 * GB), Amount(), Amount(), (4 * GB, 0)),
    ],
)
def test_a_budget_follows_from_what_was_chosen_and_what_is_free(vram, reserve, resident, expected):
    memory = Memory(total=24 * GB, free=10 * GB)
    found = choose_budget(memory, vram=vram, reserve=reserve, resident=resident)
    assert (found.nbytes, found.resident) == expected
    assert ("asked for" in found.note) == (vram == Amount(20 * GB))
