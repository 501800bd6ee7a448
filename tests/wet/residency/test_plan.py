"""The decisions of residency, as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.residency.plan import Placement, plan, resident_beside_slots, streamed_blocks

UNET, CLIP, VAE = 100, 20, 10


@pytest.mark.parametrize(
    ("sizes", "budget", "in_use", "expected"),
    [
        ({}, 100, [], Placement({}, ())),
        ({"unet": UNET}, 100, ["unet"], Placement({"unet": UNET}, ())),
        # everything fits: nothing is evicted
        (
            {"clip": CLIP, "vae": VAE, "unet": UNET},
            130,
            ["unet"],
            Placement({"unet": UNET, "clip": CLIP, "vae": VAE}, ()),
        ),
        # the least recently used is evicted first
        (
            {"clip": CLIP, "vae": VAE, "unet": UNET},
            115,
            ["unet"],
            Placement({"unet": UNET, "vae": VAE}, ("clip",)),
        ),
        # a small one that still fits stays although a more recent one was evicted
        (
            {"vae": VAE, "clip": CLIP, "unet": UNET},
            115,
            ["unet"],
            Placement({"unet": UNET, "vae": VAE}, ("clip",)),
        ),
        # too big alone: streamed, and everything else is evicted
        (
            {"clip": CLIP, "unet": UNET},
            60,
            ["unet"],
            Placement({"unet": 60}, ("clip",)),
        ),
        # together too big: the largest is streamed
        (
            {"control": 40, "unet": UNET},
            120,
            ["unet", "control"],
            Placement({"control": 40, "unet": 80}, ()),
        ),
        # no memory at all: everything in use is streamed
        ({"unet": UNET}, -5, ["unet"], Placement({"unet": 0}, ())),
    ],
)
def test_places_what_fits(sizes, budget, in_use, expected):
    assert plan(sizes, budget, in_use) == expected


@given(
    sizes=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 100)),
    budget=st.integers(-10, 300),
    data=st.data(),
)
def test_never_exceeds_the_budget_and_forgets_nothing(sizes, budget, data):
    in_use = data.draw(st.lists(st.sampled_from(sorted(sizes)), unique=True)) if sizes else []
    placement = plan(sizes, budget, in_use)
    assert sum(placement.resident.values()) <= max(budget, 0)
    assert set(placement.resident) | set(placement.evicted) == set(sizes)
    assert not set(placement.resident) & set(placement.evicted)
    assert set(in_use) <= set(placement.resident)


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(0, 1000))
def test_what_stays_beside_a_stream_fits(sizes, resident):
    streamed = streamed_blocks(sizes, resident)
    assert sum(size for i, size in enumerate(sizes) if i not in streamed) <= resident


def test_streamed_blocks_are_spread_evenly():
    assert streamed_blocks([10] * 8, 40) == {0, 2, 4, 6}
    assert streamed_blocks([10] * 9, 60) == {0, 3, 6}
    assert streamed_blocks([10] * 4, 40) == frozenset()
    assert streamed_blocks([10] * 4, 0) == {0, 1, 2, 3}


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(0, 1000), st.integers(1, 3)
)
def test_slots_and_what_stays_fit_together(sizes, allowed, slots):
    found = resident_beside_slots(sizes, allowed, slots)
    if found is None:
        assert slots * max(sizes) > allowed
        return
    streamed, slot_bytes = found
    stays = sum(size for i, size in enumerate(sizes) if i not in streamed)
    assert stays + slots * slot_bytes <= allowed
    assert all(sizes[i] <= slot_bytes for i in streamed)
