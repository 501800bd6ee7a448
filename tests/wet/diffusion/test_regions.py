"""Regions: areas, masks, feathers, counterparts, and which entries share a call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

from engine.diffusion import regions
from engine.diffusion.conditioning import Input, Join
from engine.diffusion.regions import Evaluator, Region


def region(value: float, *, tokens: int = 2, **fields: object) -> Region:
    context = Input(torch.full((1, tokens, 1), value), Join.REPEAT)
    return Region({"context": context}, **fields)  # type: ignore[arg-type]


class Network:
    """Predicts its context's value everywhere, and records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def __call__(
        self, x: torch.Tensor, sigma: torch.Tensor, inputs: Mapping[str, torch.Tensor], *_: object
    ) -> torch.Tensor:
        context = inputs["context"]
        assert len(x) == len(sigma) == len(context)
        self.calls.append((tuple(x.shape), tuple(context.shape)))
        return context.mean(dim=(1, 2)).reshape(-1, 1, 1, 1).expand(x.shape)


SIGMA = torch.tensor([2.0, 2.0])
X = torch.zeros(2, 4, 16, 24)


def run(*lists: list[Region], x: torch.Tensor = X) -> tuple[tuple[torch.Tensor, ...], Network]:
    network = Network()
    made = [[regions.weighted(one, x.shape[2:]) for one in many] for many in lists]
    return Evaluator(network)(x, SIGMA, *made), network


def test_positive_and_negative_share_one_call() -> None:
    (positive, negative), network = run([region(1.0)], [region(-1.0)])
    assert network.calls == [((4, 4, 16, 24), (4, 2, 1))]
    assert (positive == 1).all()
    assert (negative == -1).all()


def test_rows_of_a_batch_keep_their_own_text() -> None:
    own = Region({"context": Input(torch.tensor([[[1.0]], [[2.0]]]))})
    (both,), _ = run([own])
    assert both[:, 0, 0, 0].tolist() == [1, 2]


def test_texts_of_different_length_share_a_call_by_repetition() -> None:
    _, network = run([region(1.0, tokens=4)], [region(2.0, tokens=6)])
    assert network.calls == [((4, 4, 16, 24), (4, 12, 1))]
    _, network = run([region(1.0, tokens=2)], [region(2.0, tokens=10)])
    assert len(network.calls) == 2


def test_short_memory_splits_calls_and_is_remembered() -> None:
    class Small(Network):
        def __call__(
            self,
            x: torch.Tensor,
            sigma: torch.Tensor,
            inputs: Mapping[str, torch.Tensor],
            *_: object,
        ) -> torch.Tensor:
            found = super().__call__(x, sigma, inputs)
            if len(x) > 2:
                raise torch.OutOfMemoryError("too many rows")
            return found

    network = Small()
    evaluator = Evaluator(network)
    entries = [regions.weighted(region(float(value)), X.shape[2:]) for value in range(3)]
    (mean,) = evaluator(X, SIGMA, entries)
    assert (mean == 1).all()
    assert [shape[0] for shape, _ in network.calls] == [6, 2, 2, 2]
    network.calls.clear()
    evaluator(X, SIGMA, entries)
    assert [shape[0] for shape, _ in network.calls] == [2, 2, 2]


def test_memory_too_short_for_one_entry_is_an_error() -> None:
    def fail(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("no row")

    with pytest.raises(torch.OutOfMemoryError):
        Evaluator(fail)(X, SIGMA, [region(1.0), region(2.0)])


def test_two_whole_entries_are_averaged_by_strength() -> None:
    (both,), _ = run([region(1.0, strength=3.0), region(5.0)])
    assert torch.allclose(both, torch.full_like(both, 2.0))


def test_an_area_fades_only_towards_the_picture() -> None:
    weight = regions.weighted(region(1.0, area=(16, 8, 0, 16), strength=0.5), (16, 24)).weight
    assert weight is not None
    assert weight[0, 0, 0].tolist() == [0.25, *([0.5] * 7)]


def test_an_area_in_a_corner_blends_with_the_rest() -> None:
    (both,), network = run([region(1.0), region(3.0, area=(16, 8, 0, 16))])
    assert network.calls[1][0] == (2, 4, 16, 8)
    assert (both[..., :16] == 1).all()
    assert torch.allclose(both[0, 0, 0, 16], torch.tensor((1 + 3 * 0.5) / 1.5))
    assert torch.allclose(both[..., 17:], torch.tensor(2.0))


def test_a_mask_decides_alone_and_leaves_the_rest_empty() -> None:
    mask = torch.zeros(1, 16, 24)
    mask[:, :4] = 1
    (both,), _ = run([region(3.0, mask=mask)])
    assert (both[..., :4, :] == 3).all()
    assert (both[..., 4:, :] == 0).all()


def test_entries_rule_for_a_while() -> None:
    early, late = region(1.0, start=math.inf, end=3.0), region(5.0, start=3.0, end=0.0)
    (both,), network = run([early, late])
    assert (both == 5).all()
    assert len(network.calls) == 1
    (none,), network = run([early])
    assert (none == 0).all()
    assert not network.calls


def test_inputs_are_stacked_once_for_a_run() -> None:
    network = Network()
    evaluator = Evaluator(network)
    entries = [region(1.0), region(2.0)]
    evaluator(X, SIGMA, entries)
    kept = next(iter(evaluator._stacked.values()))["context"]
    evaluator(X, SIGMA, entries)
    assert next(iter(evaluator._stacked.values()))["context"] is kept


@pytest.mark.parametrize(
    ("given", "cells"),
    [
        (None, None),
        ((8, 8, 4, 4), (8, 8, 4, 4)),
        ((64, 64, 4, 20), (12, 4, 4, 20)),
        (("percentage", 0.5, 1.0, 0.5, 0.0), (8, 24, 8, 0)),
        (("percentage", 0.0, 0.0, 0.0, 0.0), (1, 1, 0, 0)),
    ],
)
def test_areas_in_cells(given: tuple[object, ...] | None, cells: object) -> None:
    assert regions.in_cells(given, (16, 24)) == cells  # type: ignore[arg-type]


def test_bounds_of_a_mask() -> None:
    mask = torch.zeros(1, 32, 32)
    assert regions.bounds_of(mask) == (8, 8, 0, 0)
    mask[0, 5:17, 20:22] = 0.5
    assert regions.bounds_of(mask) == (12, 8, 5, 20)


def test_masks_are_fitted_bilinearly_and_to_the_rows() -> None:
    mask = torch.zeros(8, 8)
    mask[:, 4:] = 1
    assert regions.fitted_mask(mask, (2, 4), 3).tolist() == [[[0, 0, 1, 1]] * 2]
    assert regions.fitted_mask(mask[None, None], (8, 8), 3).shape == (1, 8, 8)
    two = torch.stack([mask, 1 - mask])
    assert torch.equal(regions.fitted_mask(two, (8, 8), 3), two[[0, 1, 0]])
    assert torch.equal(regions.fitted_mask(two, (8, 8), 1), two[:1])


def test_every_area_finds_a_counterpart() -> None:
    area = (8, 8, 0, 16)
    ours = region(9.0, area=area, strength=0.3, end=2.0)
    whole, wide = region(0.0), region(1.0, area=(16, 12, 0, 12))
    found = regions.mirrored([ours], [whole, wide])
    assert [one.area for one in found] == [None, wide.area, area]
    assert found[2].inputs is wide.inputs
    assert (found[2].strength, found[2].end) == (0.3, 2.0)
    assert regions.mirrored([ours], found) == found
    elsewhere = replace(whole, area=(8, 8, 8, 0))
    assert regions.mirrored([ours], [elsewhere]) == [elsewhere]
