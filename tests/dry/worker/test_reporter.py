"""Progress is throttled to ten reports a second; all other events are reported."""

import pytest

from engine.errors import WireError
from engine.wire.messages import (
    Finished,
    Interrupted,
    NodeOutput,
    NodeRef,
    Preview,
    Progress,
    Running,
)
from engine.worker.reporter import Reporter

PLACE = NodeRef("1", "1", None, "1")
OTHER = NodeRef("2", "2", None, "2")


def report(events, *, seconds_apart=0.0, **options):
    sent, now = [], [0.0]
    reporter = Reporter(lambda event, **_: sent.append(event), clock=lambda: now[0], **options)
    for event in events:
        reporter(event)
        now[0] += seconds_apart
    return sent


def test_a_thousand_steps_in_a_second_are_told_eleven_times():
    steps = [Progress("p", PLACE, step, 1000) for step in range(1, 1001)]
    sent = report(steps, seconds_apart=0.001)
    assert 10 <= len(sent) <= 12
    assert sent[0] == steps[0]
    assert sent[-1] == steps[-1]


def test_each_node_has_its_own_ten():
    sent = report([Progress("p", PLACE, 1, 9), Progress("p", OTHER, 1, 9)])
    assert len(sent) == 2


def test_a_preview_goes_with_its_progress():
    events = [
        Preview("p", PLACE, b"a"),
        Progress("p", PLACE, 1, 9),
        Preview("p", PLACE, b"b"),
        Progress("p", PLACE, 2, 9),
    ]
    assert report(events) == events[:2]


def test_the_last_step_of_a_node_that_ends_early_is_reported():
    steps = [Progress("p", PLACE, step, 10) for step in range(1, 8)]
    other = [Progress("p", OTHER, step, 10) for step in range(1, 4)]
    preview = Preview("p", PLACE, b"last")
    end = Finished("p", PLACE)
    sent = report([*other, *steps[:-1], preview, steps[-1], end])
    assert sent == [other[0], steps[0], preview, steps[-1], end]


@pytest.mark.parametrize("place", [PLACE, None])
def test_the_last_step_before_a_stop_is_reported(place):
    steps = [Progress("p", PLACE, step, 10) for step in range(1, 8)]
    stop = Interrupted("p", place, "X", (), 0.0)
    assert report([*steps, stop]) == [steps[0], steps[-1], stop]


def test_a_last_step_that_was_reported_is_not_reported_again():
    steps = [Progress("p", PLACE, step, 3) for step in range(1, 4)]
    end = Finished("p", PLACE)
    assert report([*steps, end]) == [steps[0], steps[-1], end]


def test_a_prompt_may_ask_for_every_step():
    steps = [Progress("p", PLACE, step, 1000) for step in range(1, 1001)]
    assert report(steps, all_progress=True) == steps


def test_a_node_that_runs_again_starts_anew():
    events = [Progress("p", PLACE, 1, 9), Finished("p", PLACE), Progress("p", PLACE, 1, 9)]
    assert report(events) == events


def test_other_events_pass():
    events = [Running("p", PLACE), Running("p", OTHER), Running("p", PLACE)]
    assert report(events) == events


def test_what_the_wire_cannot_carry_is_said_in_words():
    sent = []

    def send(event, **_):
        if event.shown == {"text": [2**70, 5]}:
            raise WireError("too large a number")
        sent.append(event)

    Reporter(send)(NodeOutput("p", PLACE, {"text": [2**70, 5]}))
    assert sent == [NodeOutput("p", PLACE, {"text": [str(2**70), 5]})]
