"""Costs are estimated from past costs, and not guessed where there are none."""

import pytest

from engine.forecast.costs import Cost, Costs
from engine.forecast.work import Work
from engine.store.costs import CostRow

SMALL = Work("KSampler", "sd15", 64 * 64, 10)
GIB = 1 << 30


def taught(*runs):
    costs = Costs()
    costs.learn(SMALL, 30.0, GIB)  # with loading
    for work, seconds in runs:
        costs.learn(work, seconds, GIB)
    return costs


def of(pixels, steps):
    return Work("KSampler", "sd15", pixels, steps)


def test_nothing_is_said_of_work_that_never_ran():
    assert Costs().of(SMALL) == Cost(None, None)
    assert taught((SMALL, 2.0)).of(Work("KSampler", "sdxl", 64 * 64, 10)) == Cost(None, None)
    assert taught((SMALL, 2.0)).of(Work("VAEDecode", "sd15", 64 * 64, 1)) == Cost(None, None)


def test_the_same_work_costs_what_it_cost_of_late():
    costs = taught(*((SMALL, each) for each in (9.0, 9.0, 2.0, 2.1, 50.0, 2.2, 2.0)))
    assert costs.of(SMALL).seconds == 2.1


def test_loading_counts_again_in_a_new_process():
    costs = taught((SMALL, 2.0))
    assert costs.of(SMALL).seconds == 2.0
    costs.decay()
    assert costs.of(SMALL).seconds == 30.0


def test_one_run_with_loading_is_all_that_is_known_after_the_first():
    assert taught().of(SMALL).seconds == 30.0


@pytest.mark.parametrize(
    ("work", "seconds"),
    [
        (of(64 * 64, 20), 4.0),
        (of(64 * 64, 5), 1.0),
        (of(128 * 128, 10), 8.0),
    ],
)
def test_other_sizes_cost_in_proportion(work, seconds):
    assert taught((SMALL, 2.0)).of(work).seconds == pytest.approx(seconds)


def test_between_two_sizes_the_cost_lies_between():
    costs = taught((SMALL, 2.0), (of(64 * 64, 30), 10.0))
    assert costs.of(of(64 * 64, 20)).seconds == pytest.approx(6.0)


def test_memory_of_another_size_is_not_guessed():
    costs = taught((SMALL, 2.0))
    assert costs.of(of(64 * 64, 99)).memory == GIB
    assert costs.of(of(64 * 80, 10)).memory == GIB
    assert costs.of(of(640 * 640, 10)).memory is None


def test_what_was_learnt_is_known_from_its_rows():
    costs = Costs([CostRow("KSampler", "sd15", 64 * 64, 10, True, (3.0,), 7)])
    assert costs.of(SMALL) == Cost(3.0, 7)
