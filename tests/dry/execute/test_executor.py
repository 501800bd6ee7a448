"""Which nodes run, in which order, which are skipped, and what is reported."""

from typing import Annotated

import msgspec
import pytest

from engine.errors import CircleError, PromptError, Stopped
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Options
from engine.wire import messages


@node("Add", category="test")
def add(*, a: int, b: int = 1) -> int:
    """Add."""
    return a + b


@node("Show", category="test", output=True)
def show(*, value: int, ctx: Context) -> None:
    """Show."""
    ctx.show(text=str(value))


@node("Pick", category="test")
def pick(
    *,
    first: bool,
    yes: Annotated[int | None, Options(lazy=True)] = None,
    no: Annotated[int | None, Options(lazy=True)] = None,
) -> int:
    """One of two, of which only one is evaluated."""
    chosen, other = (yes, no) if first else (no, yes)
    assert other is None
    return chosen


@pick.needs
def _(first, yes, no):
    del yes, no
    return ["yes" if first else "no"]


@node("Fail", category="test")
def fail(*, a: int) -> int:
    """Raise."""
    raise ValueError(f"{a} is not to my taste")


CHAIN = {
    "1": ("Add", {"a": 1, "b": 2}),
    "2": ("Add", {"a": ["1", 0], "b": 10}),
    "out": ("Show", {"value": ["2", 0]}),
}


def test_a_chain_is_run_in_order_and_shown(engine):
    small = engine(add, show)
    result = small.run(CHAIN)
    assert isinstance(result.end, messages.Succeeded)
    assert small.called() == ["1", "2", "out"]
    assert result.executed == ("1", "2", "out")
    assert result.shown == {"out": {"text": ["13"]}}


def test_events_come_in_the_order_that_clients_expect(engine):
    small = engine(add, show)
    small.run(CHAIN)
    kinds = [type(event).__name__ for event in small.events]
    assert kinds == [
        "Started",
        "Signatures",
        "Cached",
        *["Running", "Finished"] * 2,
        "Running",
        "NodeOutput",
        "Finished",
        "Succeeded",
    ]


def test_every_event_survives_the_wire(engine):
    small = engine(add, show, fail)
    small.run(CHAIN)
    kept = small.events
    small.run({"1": ("Fail", {"a": 1}), "out": ("Show", {"value": ["1", 0]})})
    for event in kept + small.events:
        packed = msgspec.msgpack.encode(event)
        assert msgspec.msgpack.decode(packed, type=messages.AnyEvent) == event


def test_a_second_run_calls_nothing_and_shows_again(engine):
    small = engine(add, show)
    small.run(CHAIN)
    again = small.run(CHAIN)
    assert small.called() == []
    assert small.of(messages.Cached)[0].nodes == ("1", "2", "out")
    assert again.shown == {"out": {"text": ["13"]}}


def test_ids_and_order_of_inputs_are_not_part_of_what_is_known(engine):
    small = engine(add, show)
    small.run(CHAIN)
    small.run(
        {
            "x": ("Add", {"b": 2, "a": 1}),
            "y": ("Add", {"b": 10, "a": ["x", 0]}),
            "z": ("Show", {"value": ["y", 0]}),
        }
    )
    assert small.called() == []


def test_the_first_output_is_finished_before_the_second_is_begun(engine):
    small = engine(add, show)
    graph = {
        "1": ("Add", {"a": 1}),
        "2": ("Add", {"a": ["1", 0]}),
        "3": ("Add", {"a": 3}),
        "second": ("Show", {"value": ["2", 0]}),
        "third": ("Show", {"value": ["3", 0]}),
        "first": ("Show", {"value": ["1", 0]}),
    }
    for wanted in (["first", "second", "third"], ["third", "first", "second"]):
        done = small.run(graph, *wanted)
        assert list(done.shown) == wanted
    small.cache.clear()
    small.run(graph, "first", "second", "third")
    assert small.called() == ["1", "first", "2", "second", "3", "third"]


def test_a_change_runs_what_depends_on_it_and_nothing_else(engine):
    small = engine(add, show)
    small.run(CHAIN)
    small.run({**CHAIN, "2": ("Add", {"a": ["1", 0], "b": 11})})
    assert small.called() == ["2", "out"]


def test_equal_nodes_of_one_graph_are_called_once(engine):
    small = engine(add, show)
    result = small.run(
        {
            "1": ("Add", {"a": 1}),
            "2": ("Add", {"a": 1}),
            "sum": ("Add", {"a": ["1", 0], "b": ["2", 0]}),
            "out": ("Show", {"value": ["sum", 0]}),
        }
    )
    assert len(small.called()) == 3
    assert result.shown["out"] == {"text": ["4"]}


def test_what_no_output_needs_is_not_run(engine):
    small = engine(add, show)
    small.run({**CHAIN, "alone": ("Add", {"a": 5})})
    assert "alone" not in small.called()


def test_only_wanted_outputs_are_run(engine):
    small = engine(add, show)
    graph = {**CHAIN, "other": ("Show", {"value": ["1", 0]})}
    result = small.run(graph, "other")
    assert small.called() == ["1", "other"]
    assert result.shown == {"other": {"text": ["3"]}}


@pytest.mark.parametrize(("first", "called"), [(True, "1"), (False, "2")])
def test_lazy_inputs_are_evaluated_only_when_asked_for(engine, first, called):
    small = engine(add, show, pick)
    small.run(
        {
            "1": ("Add", {"a": 1}),
            "2": ("Add", {"a": 2}),
            "pick": ("Pick", {"first": first, "yes": ["1", 0], "no": ["2", 0]}),
            "out": ("Show", {"value": ["pick", 0]}),
        }
    )
    assert small.called() == [called, "pick", "out"]


def test_an_error_ends_the_run_and_says_all_about_it(engine):
    small = engine(add, show, fail)
    graph = {
        "1": ("Add", {"a": 1}),
        "bad": ("Fail", {"a": ["1", 0]}),
        "out": ("Show", {"value": ["bad", 0]}),
        "later": ("Show", {"value": ["out2", 0]}),
        "out2": ("Add", {"a": 7}),
    }
    end = small.run(graph, "out", "later").end
    assert isinstance(end, messages.Failed)
    assert (end.node.id, end.class_type) == ("bad", "Fail")
    assert (end.message, end.error_type) == ("2 is not to my taste", "ValueError")
    assert end.inputs == {"a": [2]}
    assert end.executed == ("1",)
    assert "raise ValueError" in end.traceback[-1]
    assert "engine/execute" not in "".join(end.traceback)
    assert small.events[-1] is end
    assert "later" not in small.called()


def test_what_was_done_before_an_error_is_known_afterwards(engine):
    small = engine(add, show, fail)
    small.run({"1": ("Add", {"a": 1}), "bad": ("Fail", {"a": ["1", 0]})}, "bad")
    small.run({"1": ("Add", {"a": 1}), "out": ("Show", {"value": ["1", 0]})})
    assert small.called() == ["out"]


def test_an_unknown_class_is_named(engine):
    end = engine(show).run({"1": ("Nowhere", {}), "out": ("Show", {"value": ["1", 0]})}).end
    assert isinstance(end, messages.Failed)
    assert end.node.id == "1"
    assert "'Nowhere'" in end.message


def test_a_circle_is_refused_before_anything_is_reported(engine):
    small = engine(add, show)
    with pytest.raises(CircleError):
        small.run(
            {
                "1": ("Add", {"a": ["2", 0]}),
                "2": ("Add", {"a": ["1", 0]}),
                "out": ("Show", {"value": ["2", 0]}),
            }
        )
    assert small.events == []


def test_a_link_to_nowhere_is_refused_before_anything_is_reported(engine):
    small = engine(show)
    with pytest.raises(PromptError):
        small.run({"out": ("Show", {"value": ["gone", 0]})})
    assert small.events == []


def test_stop_takes_effect_between_nodes(engine):
    small = engine(add, show)
    end = small.run(CHAIN, stopped=lambda: len(small.of(messages.Finished)) == 1).end
    assert isinstance(end, messages.Interrupted)
    assert (end.node, end.executed) == (None, ("1",))


def test_stop_takes_effect_inside_a_node(engine):
    pressed = []

    @node("Long", category="test")
    def long(*, steps: int, ctx: Context) -> int:
        """Work."""
        for step in range(steps):
            if step == 3:
                pressed.append(step)
            ctx.progress(step, steps)
        return steps

    small = engine(long, show)
    graph = {"1": ("Long", {"steps": 9}), "out": ("Show", {"value": ["1", 0]})}
    end = small.run(graph, stopped=lambda: bool(pressed)).end
    assert isinstance(end, messages.Interrupted)
    assert (end.node.id, end.class_type) == ("1", "Long")
    assert [event.step for event in small.of(messages.Progress)] == [0, 1, 2, 3]


def test_a_preview_follows_its_step(engine):
    @node("Draw", category="test")
    def draw(*, ctx: Context) -> int:
        """Draw."""
        ctx.progress(1, 2, b"jpeg")
        return 1

    small = engine(draw, show)
    small.run({"1": ("Draw", {}), "out": ("Show", {"value": ["1", 0]})})
    kinds = [type(event) for event in small.events]
    assert kinds[4:6] == [messages.Preview, messages.Progress]
    assert small.of(messages.Preview)[0].image == b"jpeg"


def test_a_call_is_made_once_more_when_memory_was_freed(engine):
    tries = []

    @node("Greedy", category="test")
    def greedy() -> int:
        """Fail once."""
        tries.append(1)
        if len(tries) == 1:
            raise MemoryError
        return 5

    small = engine(greedy, show)
    graph = {"1": ("Greedy", {}), "out": ("Show", {"value": ["1", 0]})}
    result = small.run(graph, retry=lambda error: isinstance(error, MemoryError))
    assert result.shown == {"out": {"text": ["5"]}}
    assert len(tries) == 2


def test_a_stop_is_no_error_to_be_retried(engine):
    @node("Stops", category="test")
    def stops() -> int:
        """Stop."""
        raise Stopped

    graph = {"1": ("Stops", {}), "out": ("Show", {"value": ["1", 0]})}
    end = engine(stops, show).run(graph, retry=lambda _: True).end
    assert isinstance(end, messages.Interrupted)


def test_a_node_sees_the_prompt_and_what_was_sent_along(engine):
    seen = {}

    @node("Look", category="test", output=True, hidden=("PROMPT", "EXTRA_PNGINFO", "UNIQUE_ID"))
    def look(*, ctx: Context) -> None:
        """Look."""
        seen.update(prompt=ctx.prompt, workflow=ctx.workflow, extra=ctx.extra, id=ctx.node_id)

    engine(look).run({"7": ("Look", {})}, extra={"workflow": {"nodes": []}, "note": 1})
    assert seen == {
        "prompt": {"7": {"class_type": "Look", "inputs": {}}},
        "workflow": {"nodes": []},
        "extra": {"workflow": {"nodes": []}, "note": 1},
        "id": "7",
    }


def test_a_chain_of_many_nodes_runs(engine):
    count = 3_000
    graph = {str(i): ("Add", {"a": [str(i - 1), 0] if i else 0, "b": 1}) for i in range(count)}
    graph["out"] = ("Show", {"value": [str(count - 1), 0]})
    small = engine(add, show)
    assert small.run(graph).shown == {"out": {"text": [str(count)]}}
    assert small.run(graph).executed == ()
