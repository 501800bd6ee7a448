"""Hooks: the weights of each call, by entry and by step."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from engine.diffusion.parameterization import Prediction, discrete
from engine.diffusion.regions import Evaluator, Region, filled, weighted
from engine.inference.hook_groups import WeightSwitch, clip_times, with_keyframes
from engine.inference.values import ClipHooks, Hook, Keyframe

LEVELS = discrete(Prediction.EPS)
X = torch.zeros(1, 4, 16, 16)


@dataclass(frozen=True)
class Add:
    amount: float

    def apply(self, weight: Tensor) -> Tensor:
        return weight + self.amount


@dataclass(frozen=True)
class AddsStrength:
    """Changes that store their strength in a tensor."""

    name: str = "weight"

    def of_model(self, model, strength):
        return {self.name: (Add(strength),)}

    def of_clip(self, clip, strength):
        return {}


class Log:
    """A residency that records which weights are loaded."""

    def __init__(self):
        self.puts = []

    def use(self, weights, **_):
        log = self

        class Using:
            def __enter__(self):
                log.puts.append(weights.patches["weight"][-1].amount)

            def __exit__(self, *_):
                log.puts.append(None)

        return Using()


class Net:
    patches = {}
    name, size = "net", 1

    @property
    def base(self):
        return self


class Model:
    net = Net()


def strengths(hook: Hook, sigmas: list[float]) -> list[float]:
    switch = WeightSwitch(Model(), LEVELS, Log())
    found = []
    with switch:
        for sigma in sigmas:
            switch.put((hook,), sigma)
            patches = switch._in_place.patches
            found.append(patches["weight"][-1].amount if patches else 0.0)
    return found


def at(*percents: float) -> list[float]:
    return [min(LEVELS.percent_to_sigma(each), LEVELS.sigma_max) for each in percents]


def test_the_last_keyframe_that_began_counts():
    frames = (Keyframe(0.2, 0.0), Keyframe(1.0, 0.5), Keyframe(0.0, 0.8))
    hook = Hook(AddsStrength(), 2.0, 0.0, frames)
    assert strengths(hook, at(0.0, 0.3, 0.5, 0.7, 0.9)) == [0.4, 0.4, 2.0, 2.0, 0.0]


def test_a_keyframe_holds_for_its_steps_at_least():
    frames = (Keyframe(0.1, 0.0), Keyframe(0.2, 0.1), Keyframe(0.3, 0.2), Keyframe(0.4, 0.3, 0))
    hook = Hook(AddsStrength(), 1.0, 0.0, frames)
    assert strengths(hook, at(0.0, 0.5, 0.6, 0.7)) == [0.1, 0.2, 0.3, 0.4]
    loose = Hook(AddsStrength(), 1.0, 0.0, tuple(Keyframe(i / 10, i / 10, 0) for i in range(10)))
    assert strengths(loose, at(0.05, 0.55, 0.95)) == [0.0, 0.5, 0.9]


def test_several_calls_of_a_step_see_one_strength():
    hook = Hook(AddsStrength(), 1.0, 0.0, (Keyframe(0.1, 0.0), Keyframe(0.2, 0.1)))
    one, two = at(0.5, 0.6)
    assert strengths(hook, [one, one, one, two]) == [0.1, 0.1, 0.1, 0.2]


def test_a_keyframe_that_was_over_before_the_run_began_is_skipped():
    frames = (Keyframe(0.1, 0.1), Keyframe(0.2, 0.2), Keyframe(0.3, 0.6))
    hook = Hook(AddsStrength(), 1.0, 0.0, frames)
    assert strengths(hook, at(0.5, 0.7)) == [0.2, 0.3]


def test_weights_change_only_when_another_group_is_asked_for():
    log = Log()
    a, b = (Hook(AddsStrength(), strength, 0.0) for strength in (1.0, 2.0))
    with WeightSwitch(Model(), LEVELS, log) as switch:
        for group in ((), (a,), (a,), (b,), (), ()):
            switch.put(group, 1.0)
    assert log.puts == [1.0, None, 2.0, None]


def test_other_groups_never_share_a_call():
    calls = []

    def call(x, sigma, inputs, entries):
        calls.append([entry.hooks for entry in entries])
        return x

    hook, same = (Hook(AddsStrength(), 1.0, 0.0) for _ in range(2))
    other = Hook(AddsStrength(), 0.5, 0.0)
    regions = [Region({}, hooks=hooks) for hooks in ((hook,), (same,), (), (other,), ())]
    Evaluator(call)(X, torch.ones(1), regions)
    assert calls == [[(hook,), (hook,)], [(), ()], [(other,)]]


def test_what_fills_rules_where_the_others_leave_something():
    mask = torch.zeros(1, 16, 16)
    mask[:, 4:12, 4:12] = 0.75
    ours, rest = (
        weighted(each, (16, 16)) for each in (Region({}, mask=mask), Region({}, fills=True))
    )
    _, filling = filled([ours, rest], X)
    assert torch.equal(filling.weight[:, 0], 1.0 - mask)
    assert len(filled([Region({}), rest], X)) == 1
    [alone] = filled([rest], X)
    assert torch.equal(alone.weight, torch.ones(1, 1, 16, 16))


@pytest.mark.parametrize("scheduled", [False, True])
def test_prompts_are_read_for_every_keyframe_if_scheduled(scheduled):
    group = with_keyframes(
        (Hook(AddsStrength(), 1.0, 1.0), Hook(AddsStrength("b"), 1.0, 1.0)),
        [Keyframe(0.2, 0.0), Keyframe(0.2, 0.3), Keyframe(1.0, 0.5)],
    )
    times = clip_times(ClipHooks(group, scheduled=scheduled))
    if not scheduled:
        assert times == [({}, [0.2, 0.2])]
        return
    assert times == [
        ({"clip_start_percent": 0.0, "clip_end_percent": 0.5}, [0.2, 0.2]),
        ({"clip_start_percent": 0.5, "clip_end_percent": 1.0}, [1.0, 1.0]),
    ]
