"""The executor against a reference evaluator of ten lines, over random graphs.

The graphs hold lists, lazy inputs, expansions, coroutines, blocks, nodes that fail and nodes in
which the user stops the run; each is run four times with one cache: stopped somewhere, unchanged,
again, and changed. With a small budget, results are evicted during the run.
"""

import asyncio
from typing import Annotated

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import Stopped
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Options
from engine.nodekit.node import Blocked, Expansion
from engine.wire import messages

LAZY = Options(lazy=True)
MOST_BYTES = 1 << 20
"""The most bytes of all results of a graph."""


class Failure(Exception):  # noqa: N818 - it is one
    """What a failing node raises, in the engine and in the reference."""


@node("Add", category="test")
def add(*, a: int, b: int) -> int:
    """Add."""
    return a + b


@node("AddLater", category="test")
async def add_later(*, a: int, b: int) -> int:
    """Add, after a while."""
    await asyncio.sleep(0)
    return a + b


@node("AddByGraph", category="test")
def add_by_graph(*, a: int, b: int) -> int:
    """Add, by a graph of two nodes."""
    graph = {
        "sum": {"class_type": "Add", "inputs": {"a": a, "b": b}},
        "same": {"class_type": "AddLater", "inputs": {"a": ["sum", 0], "b": 0}},
    }
    return Expansion(graph, (["same", 0],))


@node("Several", category="test")
def several(*, a: int) -> list[int]:
    """None, one or two values."""
    return [a + i for i in range(a % 3)]


@node("Sum", category="test", input_is_list=True)
def total(*, a: list[int], b: list[int]) -> int:
    """All of both lists."""
    return sum(a) + sum(b)


@node("Pick", category="test")
def pick(
    *, which: int, a: Annotated[int | None, LAZY] = None, b: Annotated[int | None, LAZY] = None
) -> int:
    """One of two, of which only those asked for are evaluated."""
    return b if which % 2 else a


@pick.needs
def _(which):
    return ["b" if which % 2 else "a"]


@node("Gate", category="test")
def gate(*, a: int) -> int:
    """Let through what is not divisible by three."""
    return a if a % 3 else Blocked()


@node("Fail", category="test")
def fail(*, a: int) -> int:
    """Fail at multiples of seven."""
    if a % 7 == 0:
        raise Failure
    return a


@node("Stop", category="test")
def stop(*, a: int) -> int:
    """The user presses stop at multiples of eleven."""
    if a % 11 == 0:
        raise Stopped
    return a


@node("Show", category="test", output=True)
def show(*, a: int, ctx: Context) -> None:
    """Show."""
    ctx.show(values=[a])


NODES = (add, add_later, add_by_graph, several, total, pick, gate, fail, stop, show)
INPUTS = {each.class_type: [i.name for i in each.schema.inputs] for each in NODES}
PLAIN = {
    "Add": lambda a, b: a + b,
    "AddLater": lambda a, b: a + b,
    "AddByGraph": lambda a, b: a + b,
    "Sum": lambda a, b: sum(a) + sum(b),
    "Pick": lambda which, a, b: b if which % 2 else a,
    "Gate": lambda a: a if a % 3 else Blocked(),
    "Several": several,
    "Fail": fail,
    "Stop": stop,
    "Show": lambda a: a,
}


def evaluate(graph, key, done):
    """The values of a node's only output: the reference."""
    if key not in done:
        kind, inputs = graph[key]
        sources = {name: value for name, value in inputs.items() if isinstance(value, list)}
        given = {name: [value] for name, value in inputs.items() if name not in sources}
        for name in [name for name in inputs if kind != "Pick" or name == "which"]:
            if name in sources:
                given[name] = evaluate(graph, sources[name][0], done)
        if kind == "Pick":
            asked = {"ab"[each % 2] for each in given["which"] if each != Blocked()}
            for name in sources.keys() - {"which"}:
                given[name] = evaluate(graph, sources[name][0], done) if name in asked else [None]
        done[key] = call(kind, given)
    return done[key]


def call(kind, given):
    if kind == "Sum":
        stuck = any(value == Blocked() for values in given.values() for value in values)
        return [Blocked() if stuck else PLAIN[kind](**given)]
    longest = max(map(len, given.values())) if all(given.values()) else 0
    values = []
    for i in range(longest):
        chosen = {name: each[min(i, len(each) - 1)] for name, each in given.items()}
        value = Blocked() if Blocked() in chosen.values() else PLAIN[kind](**chosen)
        values += value if isinstance(value, list) else [value]
    return values


@st.composite
def graphs(draw):
    graph = {}
    count = draw(st.integers(2, 12))
    kinds = st.sampled_from([each.class_type for each in NODES if each is not show])
    for index in range(count):
        graph[str(index)] = (kind := draw(kinds), draw(given_to(kind, index)))
    for index in range(draw(st.integers(1, 3))):
        source = count - 1 if index == 0 else draw(st.integers(0, count - 1))
        graph[f"out{index}"] = ("Show", {"a": [str(source), 0]})
    return graph


def given_to(kind, index):
    """Inputs for the node of that index: mostly links, mostly to nodes just before it."""
    constant, values = st.integers(1, 9), {}
    near = st.integers(max(0, index - 3), index - 1) if index else st.nothing()
    far = st.integers(0, index - 1) if index else st.nothing()
    for name in INPUTS[kind]:
        values[name] = st.one_of(
            *(each.map(lambda i: [str(i), 0]) for each in (near, near, far)), constant
        )
    return st.fixed_dictionaries(values)


def compare(small, graph):
    result = small.run(graph)
    assert len({*small.called()}) == len(small.called()), "a node was called twice"
    wanted = [key for key in graph if key.startswith("out")]
    raised, shown, done = set(), {}, {}
    for key in wanted:
        try:
            values = [value for value in evaluate(graph, key, done) if value != Blocked()]
        except Failure:
            raised.add(messages.Failed)
        except Stopped:
            raised.add(messages.Interrupted)
        else:
            shown |= {key: {"values": values}} if values else {}
    assert type(result.end) in (raised or {messages.Succeeded}), result.end
    if raised:
        assert result.shown.items() <= shown.items()
    else:
        assert result.shown == shown
    if isinstance(result.end, messages.Failed):
        assert result.end.error_type.endswith("Failure")
    return result


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(graph=graphs(), data=st.data(), budget=st.sampled_from([0, 150, 1 << 30]))
def test_random_graphs_come_to_what_the_reference_says(engine, graph, data, budget):
    small = engine(*NODES, budget=budget)
    begun = data.draw(st.integers(0, 12))
    stopped = small.run(graph, stopped=lambda: len(small.of(messages.Running)) > begun)
    assert isinstance(stopped.end, messages.Ended)
    first = compare(small, graph)
    again = compare(small, graph)
    if isinstance(first.end, messages.Succeeded) and budget > MOST_BYTES:
        assert again.executed == ()
    key = data.draw(st.sampled_from([key for key in graph if not key.startswith("out")]))
    kind, _ = graph[key]
    compare(small, {**graph, key: (kind, data.draw(given_to(kind, int(key))))})
