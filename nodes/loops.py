"""Loops: what is between Start Loop and End Loop is run several times.

End Loop expands to a copy of the nodes between for each iteration but the first, which the nodes
themselves are. Each copy of Start Loop, a `LoopIteration`, has the values of its iteration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from engine.errors import NodeError
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import (
    Autogrow,
    DynamicCombo,
    InOptionalSection,
    ListOutput,
    MatchType,
    Options,
    Range,
    Socket,
)
from engine.nodekit.node import Expansion
from nodes.loop_bodies import END, START, Plan, copies, found_body

MOST_ITERATIONS = 10_000
_WIDEST = 2**64 - 1
Whole = Annotated[int, Range(-_WIDEST, _WIDEST)]


class _Simple(NamedTuple):
    num_iterations: Annotated[int, Range(0, None)] = 4


class _For(NamedTuple):
    start_iteration_index: Whole = 0
    max_iteration: Annotated[int, Range(-_WIDEST, _WIDEST)] = 4
    step: Annotated[int, Range(1, None)] = 1


class _List(NamedTuple):
    list: Annotated[Any, MatchType("item")]


Mode = Annotated[Mapping[str, Any], DynamicCombo({"simple": _Simple, "For": _For, "List": _List})]
Carried = Annotated[Sequence[Any] | None, MatchType("value")]


class Iteration(NamedTuple):
    """What the nodes of a loop get in one iteration."""

    iteration_index: int
    is_first: bool
    is_last: bool
    list_item: Annotated[Any, MatchType("item")]
    current_iteration_value: Annotated[list[Any], MatchType("value"), ListOutput()]


@node(START, category="logic", display="Start Loop", input_is_list=True, experimental=True)
def start_loop(
    mode: Mode,
    cache_iterations: Sequence[bool] = (False,),
    parent_iteration: Annotated[Sequence[int] | None, Options(forceInput=True)] = None,
    initial_iteration_value: Carried = None,
) -> Iteration:
    """Begin a loop: what is between this and End Loop runs once for each iteration.

    `simple` counts from 0, `For` from a start up to and without an end, `List` takes the items of a
    list. `current_iteration_value` is the initial value, then what End Loop got as next one. For a
    loop inside another, connect the outer one's `iteration_index` to `parent_iteration`.
    `cache_iterations` changes nothing: results are kept by what made them.
    """
    del cache_iterations, parent_iteration
    indices = _indices(mode)
    items = _items(mode)
    carried = [None] if initial_iteration_value is None else list(initial_iteration_value)
    if not indices:
        return Iteration(0, True, True, None, carried)
    item = items[0] if items else None
    return Iteration(indices[0], True, len(indices) == 1, item, carried)


@node(
    END,
    category="logic",
    display="End Loop",
    output_names=("outputs",),
    input_is_list=True,
    hidden=("UNIQUE_ID", "DYNPROMPT"),
    experimental=True,
)
def end_loop(
    ctx: Context,
    output_value: Annotated[Sequence[Any] | None, Socket("*"), Options(lazy=True)] = None,
    next_iteration_value: Annotated[Sequence[Any] | None, Socket("*"), Options(lazy=True)] = None,
    accumulate: Annotated[Sequence[bool], InOptionalSection()] = (False,),
    terminations: Annotated[
        Mapping[str, Any] | None, Autogrow("termination", "*", 0, 50), Options(lazy=True)
    ] = None,
) -> Annotated[list[Any], ListOutput()]:
    """End a loop: hand on the value of its last iteration, or with `accumulate` those of all.

    `next_iteration_value` goes back to Start Loop. What is connected to `terminations` runs in
    every iteration, and is not handed on: pictures that are to be saved each time, for example.
    """
    del output_value, next_iteration_value, terminations
    graph = ctx.graph
    if graph is None:
        raise NodeError("End Loop needs the graph around it; run it as part of a workflow")
    plan = found_body(graph, ctx.node_id)
    inputs = {name: plan.start[name] for name in plan.start if name.split(".")[0] == "mode"}
    planned = {**inputs, "plan": plan.text(), "accumulate": bool(accumulate[0])}
    made = {"plan": {"class_type": "LoopIterations", "inputs": planned}}
    return Expansion(made, (["plan", 0],))  # type: ignore[return-value]


@node(
    "LoopIterations",
    category="logic",
    input_is_list=True,
    hidden=("UNIQUE_ID", "DYNPROMPT"),
    internal=True,
)
def loop_iterations(
    mode: Mode, plan: Sequence[str], accumulate: Sequence[bool]
) -> Annotated[list[Any], ListOutput()]:
    """The iterations of a loop whose number is known by now, as copies of its nodes."""
    indices = _indices(mode)
    if not indices:
        return []
    graph, outputs, terminations = copies(Plan.of(json.loads(plan[0])), indices)
    kept = outputs if accumulate[0] else outputs[-1:]
    waits = [*outputs[: -len(kept)], *terminations]
    collected = {f"values.value{number}": each for number, each in enumerate(kept)} | {
        f"waits.value{number}": each for number, each in enumerate(waits)
    }
    graph["collected"] = {"class_type": "LoopValues", "inputs": collected}
    return Expansion(graph, (["collected", 0],))  # type: ignore[return-value]


@loop_iterations.fingerprint
def _() -> float:
    """Never the same: the nodes of the loop are known by what made them, the plan is not."""
    return float("nan")


@node("LoopIteration", category="logic", input_is_list=True, internal=True)
def loop_iteration(
    index: Sequence[int],
    place: Sequence[int],
    count: Sequence[int],
    list: Annotated[Sequence[Any] | None, Socket("*")] = None,  # noqa: A002
    value: Annotated[Sequence[Any] | None, Socket("*")] = None,
) -> Iteration:
    """The values of one iteration, in the place of Start Loop."""
    items = [] if list is None else _flat(list)
    carried = [None] if value is None else [*value]
    at = place[0]
    item = items[at] if at < len(items) else None
    return Iteration(index[0], at == 0, at == count[0] - 1, item, carried)


@node("LoopValues", category="logic", input_is_list=True, internal=True)
def loop_values(
    values: Annotated[Mapping[str, Any] | None, Autogrow("value", "*", 0, 50)] = None,
    waits: Annotated[Mapping[str, Any] | None, Autogrow("value", "*", 0, 50)] = None,
) -> Annotated[list[Any], ListOutput()]:
    """The values of a loop, one after the other, once all of its iterations have run."""
    del waits
    return [item for given in (values or {}).values() for item in given]


def _indices(mode: Mapping[str, Any]) -> Sequence[int]:
    """The index of each iteration.

    Raises:
        NodeError: there are too many, or their step is 0.
    """
    kind = _one(mode["mode"])
    if kind == "List":
        found = range(len(_items(mode)))
    elif kind == "For":
        step = _one(mode["step"])
        if step < 1:
            raise NodeError(f"the step of a loop is {step}; it must be at least 1")
        found = range(_one(mode["start_iteration_index"]), _one(mode["max_iteration"]), step)
    else:
        found = range(max(0, _one(mode["num_iterations"])))
    if len(found) > MOST_ITERATIONS:
        raise NodeError(
            f"the loop has {len(found):,} iterations, at most {MOST_ITERATIONS:,} are run: make it "
            "shorter"
        )
    return found


def _items(mode: Mapping[str, Any]) -> Sequence[Any]:
    return _flat(mode["list"]) if _one(mode["mode"]) == "List" else ()


def _flat(given: Sequence[Any]) -> Sequence[Any]:
    """The items of a list, which comes as several values or as a value that is one."""
    alone = given[0] if len(given) == 1 else None
    return alone if isinstance(alone, list | tuple) else given  # type: ignore[return-value]


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) else value
