"""The nodes between Start Loop and End Loop, found in the running graph, and their copies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.errors import NodeError
from engine.nodekit.context import LiveGraph

START, END = "StartLoop", "EndLoop"
Nodes = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A loop, as API form has it.

    Attributes:
        start_id: of Start Loop.
        start: its inputs.
        body: the nodes that depend on it and that End Loop depends on, by id.
        output, following: what End Loop hands on, and back to Start Loop: a link, or a literal.
        terminations: what runs in every iteration.
    """

    start_id: str
    start: dict[str, Any]
    body: Nodes
    output: Any
    following: Any
    terminations: list[Any]

    def text(self) -> str:
        """It as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, read: Mapping[str, Any]) -> Plan:
        """The inverse of `text`, from parsed JSON."""
        return cls(**read)


def found_body(graph: LiveGraph, end: str) -> Plan:
    """The loop that ends at a node.

    Raises:
        NodeError: no Start Loop belongs to it, or it is not clear which.
    """
    sources = _sources(graph, end)
    start = _start_of(graph, end, sources)
    inside = _dependants(start, sources)
    own = graph.get_node(end)["inputs"]
    body = {
        name: {"class_type": found["class_type"], "inputs": dict(found["inputs"])}
        for name in sources
        if name in inside and name not in (start, end)
        for found in [graph.get_node(name)]
    }
    return Plan(
        start_id=start,
        start=dict(graph.get_node(start)["inputs"]),
        body=body,
        output=own.get("output_value"),
        following=own.get("next_iteration_value"),
        terminations=[each for name, each in own.items() if name.startswith("terminations.")],
    )


def copies(plan: Plan, indices: Sequence[int]) -> tuple[Nodes, list[Any], list[Any]]:
    """The nodes of all iterations but the first, whose nodes are the loop's own.

    Returns:
        the nodes, the output of each iteration, and what else has to run.
    """
    made: Nodes = {}
    outputs, terminations = [plan.output], list(plan.terminations)
    before = plan.following
    for place, index in enumerate(indices[1:], start=1):
        names = {name: f"iteration{place}.{name}" for name in (*plan.body, plan.start_id)}
        given = {"index": index, "place": place, "count": len(indices), "value": before}
        if "mode.list" in plan.start:
            given["list"] = plan.start["mode.list"]
        made[names[plan.start_id]] = {
            "class_type": "LoopIteration",
            "inputs": {name: each for name, each in given.items() if each is not None},
            "override_display_id": plan.start_id,
        }
        for name, found in plan.body.items():
            made[names[name]] = {
                "class_type": found["class_type"],
                "inputs": {key: _moved(each, names) for key, each in found["inputs"].items()},
                "override_display_id": name,
            }
        outputs.append(_moved(plan.output, names))
        terminations += [_moved(each, names) for each in plan.terminations]
        before = _moved(plan.following, names)
    return made, [each for each in outputs if each is not None], terminations


def _moved(value: Any, names: Mapping[str, str]) -> Any:
    if _is_link(value) and value[0] in names:
        return [names[value[0]], value[1]]
    return value


def _is_link(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )


def _links(graph: LiveGraph, name: str) -> Iterator[str]:
    for value in graph.get_node(name)["inputs"].values():
        if _is_link(value):
            yield value[0]


def _sources(graph: LiveGraph, end: str) -> dict[str, list[str]]:
    """All nodes that a node depends on, itself included, each with those it is linked to."""
    found: dict[str, list[str]] = {}
    waiting = [end]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = list(_links(graph, name))
            waiting += found[name]
    return found


def _dependants(start: str, sources: Mapping[str, Sequence[str]]) -> set[str]:
    """The nodes among these that depend on one, itself included."""
    users: dict[str, list[str]] = {}
    for name, linked in sources.items():
        for each in linked:
            users.setdefault(each, []).append(name)
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += users.get(name, ())
    return found


def _start_of(graph: LiveGraph, end: str, sources: Mapping[str, Sequence[str]]) -> str:
    """The Start Loop of an End Loop: of those that no loop inside or before ends, the innermost."""
    classes = {name: graph.get_node(name)["class_type"] for name in sources}
    ended = {
        _start_of(graph, name, _sources(graph, name))
        for name, kind in classes.items()
        if kind == END and name != end
    }
    open_ones = [name for name, kind in classes.items() if kind == START and name not in ended]
    if not open_ones:
        raise NodeError(
            "End Loop has no Start Loop: nothing that is connected to it depends on one; connect "
            "the nodes between to an output of Start Loop"
        )
    innermost = [
        name
        for name in open_ones
        if all(other == name or other in _sources(graph, name) for other in open_ones)
    ]
    if len(innermost) != 1:
        raise NodeError(
            f"End Loop depends on {len(open_ones)} loops that have not ended, and which one is "
            "inside the other is not known; connect iteration_index of the outer Start Loop to "
            "parent_iteration of the inner one"
        )
    return innermost[0]
