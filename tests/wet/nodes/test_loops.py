"""Loops, run by the executor: counts, carried values, lists, loops in loops, what runs again."""

from typing import Annotated, Any

import pytest

from engine.nodekit.contract import node
from engine.nodekit.markers import ListOutput, Socket
from engine.wire import messages
from nodes import builtin_registry
from nodes.loops import end_loop, loop_iteration, loop_iterations, loop_values, start_loop
from tests.dry.execute.conftest import engine

__all__ = ["engine"]


@node("Add", category="test")
def add(a: int, b: int) -> int:
    """The sum."""
    return a + b


@node("Pair", category="test", input_is_list=True)
def pair(
    a: Annotated[Any, Socket("*")], b: Annotated[Any, Socket("*")]
) -> Annotated[list[Any], ListOutput()]:
    """Both as a list."""
    return [*a, *b]


@node("Note", category="test", output=True)
def note(value: Annotated[Any, Socket("*")]) -> Annotated[Any, Socket("*")]:
    """Show a value and hand it on."""
    return value


@node("Items", category="test")
def items() -> Annotated[list[int], ListOutput()]:
    """Some numbers, one by one."""
    return [5, 7, 11]


@node("Show", category="test", output=True, input_is_list=True)
def show(value: Annotated[Any, Socket("*")]) -> Annotated[Any, Socket("*")]:
    """What the test reads."""
    SEEN.append(list(value))
    return value


SEEN: list[Any] = []
NODES = (
    *(start_loop, end_loop, loop_iterations, loop_iteration, loop_values),
    *(add, pair, note, items, show),
)


@pytest.fixture
def run(engine):
    small = engine(*NODES)

    def run_graph(graph, show_output=("end", 0)):
        SEEN.clear()
        done = small.run({**graph, "out": ("Show", {"value": list(show_output)})})
        assert isinstance(done.end, messages.Succeeded), done.end
        return SEEN[-1] if SEEN else None

    run_graph.engine = small
    return run_graph


def simple(count):
    return {"mode": "simple", "mode.num_iterations": count, "cache_iterations": False}


@pytest.mark.parametrize("count", [1, 2, 5, 200])
def test_a_value_is_carried_through_all_iterations(run, count):
    graph = {
        "start": ("StartLoop", {**simple(count), "initial_iteration_value": 100}),
        "sum": ("Add", {"a": ["start", 4], "b": ["start", 0]}),
        "end": ("EndLoop", {"next_iteration_value": ["sum", 0], "output_value": ["sum", 0]}),
    }
    assert run(graph) == [100 + sum(range(count))]


def test_all_values_or_the_last_and_flags(run):
    graph = {
        "start": ("StartLoop", {
            "mode": "For", "mode.start_iteration_index": 3,
            "mode.max_iteration": 10, "mode.step": 3,
        }),
        "first": ("Pair", {"a": ["start", 1], "b": ["start", 2]}),
        "both": ("Pair", {"a": ["start", 0], "b": ["first", 0]}),
        "end": ("EndLoop", {"output_value": ["both", 0], "accumulate": True}),
    }  # fmt: skip
    assert run(graph) == [3, True, False, 6, False, False, 9, False, True]
    graph["end"][1]["accumulate"] = False
    assert run(graph) == [9, False, True]


def test_items_of_a_list_and_lists_that_are_carried(run):
    graph = {
        "items": ("Items", {}),
        "start": ("StartLoop", {
            "mode": "List", "mode.list": ["items", 0], "initial_iteration_value": 0,
        }),
        "pair": ("Pair", {"a": ["start", 4], "b": ["start", 3]}),
        "end": ("EndLoop", {"output_value": ["pair", 0], "next_iteration_value": ["pair", 0]}),
    }  # fmt: skip
    assert run(graph) == [0, 5, 7, 11]


def test_no_iteration_runs_nothing_of_the_body(run):
    graph = {
        "start": ("StartLoop", simple(0)),
        "sum": ("Add", {"a": ["start", 0], "b": 1}),
        "end": ("EndLoop", {"output_value": ["sum", 0], "terminations.termination0": ["sum", 0]}),
    }
    run(graph)
    assert "sum" not in run.engine.called()


def test_a_loop_in_a_loop_and_one_after_it(run):
    graph = {
        "start": ("StartLoop", {**simple(3), "initial_iteration_value": 0}),
        "inner": ("StartLoop", {
            **simple(2), "parent_iteration": ["start", 0], "initial_iteration_value": ["start", 4],
        }),
        "sum": ("Add", {"a": ["inner", 4], "b": ["start", 0]}),
        "inner end": ("EndLoop", {"next_iteration_value": ["sum", 0], "output_value": ["sum", 0]}),
        "end": ("EndLoop", {
            "next_iteration_value": ["inner end", 0], "output_value": ["inner end", 0],
        }),
        "next": ("StartLoop", {**simple(4), "initial_iteration_value": ["end", 0]}),
        "one": ("Add", {"a": ["next", 4], "b": 1}),
        "last": ("EndLoop", {"next_iteration_value": ["one", 0], "output_value": ["one", 0]}),
    }  # fmt: skip
    assert run(graph, ("last", 0)) == [2 * (0 + 1 + 2) + 4]


def test_terminations_run_each_time_and_nodes_outside_once(run):
    graph = {
        "outside": ("Add", {"a": 1, "b": 1}),
        "start": ("StartLoop", simple(3)),
        "sum": ("Add", {"a": ["start", 0], "b": ["outside", 0]}),
        "note": ("Note", {"value": ["sum", 0]}),
        "end": (
            "EndLoop",
            {"output_value": ["start", 0], "terminations.termination0": ["note", 0]},
        ),
    }
    assert run(graph) == [2]
    called = run.engine.called()
    assert sum("note" in name for name in called) == 3
    assert sum("outside" in name for name in called) == 1
    # a second run computes nothing of that again; a further iteration only itself
    run(graph)
    assert not any("note" in name or "outside" in name for name in run.engine.called())
    graph["start"][1]["mode.num_iterations"] = 4
    assert run(graph) == [3]
    assert not any("outside" in name for name in run.engine.called())


def test_a_number_of_iterations_that_is_computed(run):
    graph = {
        "count": ("Add", {"a": 2, "b": 2}),
        "start": ("StartLoop", {**simple(1), "mode.num_iterations": ["count", 0]}),
        "end": ("EndLoop", {"output_value": ["start", 0], "accumulate": True}),
    }
    assert run(graph) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ({"sum": ("Add", {"a": 1, "b": 1}), "end": ("EndLoop", {"output_value": ["sum", 0]})},
         "End Loop has no Start Loop"),
        ({"a": ("StartLoop", simple(2)), "b": ("StartLoop", simple(2)),
          "sum": ("Add", {"a": ["a", 0], "b": ["b", 0]}),
          "end": ("EndLoop", {"output_value": ["sum", 0]})}, "parent_iteration of the inner one"),
        ({"a": ("StartLoop", simple(20_000)), "end": ("EndLoop", {"output_value": ["a", 0]})},
         "20,000 iterations, at most 10,000"),
    ],
)  # fmt: skip
def test_loops_that_cannot_run_say_why(engine, graph, said):
    small = engine(*NODES)
    done = small.run({**graph, "out": ("Show", {"value": ["end", 0]})})
    assert isinstance(done.end, messages.Failed)
    assert said in str(done.end)


def test_what_expansions_use_is_in_no_catalog():
    catalog = builtin_registry().catalog()
    assert {"StartLoop", "EndLoop"} <= set(catalog)
    assert not {"LoopIterations", "LoopIteration", "LoopValues"} & set(catalog)
