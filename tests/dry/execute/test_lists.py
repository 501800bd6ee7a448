"""Lists mapped over calls, list outputs, inputs that multiply."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import pytest

from engine.execute.inputs import calls, gather, read_info
from engine.graph.prompt import Link, PromptNode
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, Socket
from engine.wire import messages


@node("Several", category="test")
def several(*, count: int) -> list[int]:
    """0, 1, 2 ..."""
    return list(range(count))


@node("Pair", category="test")
def pair(*, a: int, b: int) -> str:
    """Both, as text."""
    return f"{a}{b}"


@node("Join", category="test", input_is_list=True)
def join(*, parts: list[str], by: Sequence[str] = ("+",)) -> str:
    """All in one."""
    return by[0].join(str(part) for part in parts)


@node("Grow", category="test")
def grow(*, numbers: Annotated[dict[str, int], Autogrow("n", "INT", minimum=1)]) -> int:
    """The sum."""
    return sum(numbers.values())


@node("Show", category="test", output=True)
def show(*, value: Annotated[Any, Socket("*")], ctx: Context) -> None:
    """Show."""
    ctx.show(values=[value])


def shown(engine, graph):
    result = engine(several, pair, join, grow, show).run(
        {**graph, "out": ("Show", {"value": ["x", 0]})}
    )
    assert isinstance(result.end, messages.Succeeded), result.end
    return result.shown.get("out", {}).get("values", [])


def test_a_list_output_calls_what_follows_once_per_element(engine):
    assert shown(engine, {"x": ("Several", {"count": 3})}) == [0, 1, 2]


def test_shorter_lists_repeat_their_last_element(engine):
    graph = {
        "two": ("Several", {"count": 2}),
        "four": ("Several", {"count": 4}),
        "x": ("Pair", {"a": ["two", 0], "b": ["four", 0]}),
    }
    assert shown(engine, graph) == ["00", "11", "12", "13"]


def test_a_node_that_takes_lists_is_called_once(engine):
    graph = {
        "many": ("Several", {"count": 4}),
        "x": ("Join", {"parts": ["many", 0], "by": "-"}),
    }
    assert shown(engine, graph) == ["0-1-2-3"]


def test_a_node_that_empties_its_lists_does_no_harm(engine):
    @node("Empty", category="test", input_is_list=True)
    def empty(*, parts: list[int]) -> int:
        """Take all out."""
        count = len(parts)
        parts.clear()
        return count

    graph = {
        "many": ("Several", {"count": 4}),
        "e": ("Empty", {"parts": ["many", 0]}),
        "both": ("Pair", {"a": ["e", 0], "b": ["many", 0]}),
        "out": ("Show", {"value": ["both", 0]}),
    }
    done = engine(several, empty, pair, show).run(graph)
    assert done.shown["out"] == {"values": ["40", "41", "42", "43"]}


def test_an_empty_list_calls_nothing(engine):
    assert shown(engine, {"x": ("Several", {"count": 0})}) == []


def test_an_empty_list_beside_others_calls_nothing(engine):
    graph = {
        "none": ("Several", {"count": 0}),
        "x": ("Pair", {"a": ["none", 0], "b": 1}),
    }
    assert shown(engine, graph) == []


def test_inputs_that_multiply_come_as_one_dict(engine):
    graph = {
        "two": ("Several", {"count": 2}),
        "x": ("Grow", {"numbers.n0": ["two", 0], "numbers.n1": 10}),
    }
    assert shown(engine, graph) == [10, 11]


def test_no_list_where_one_is_due_is_an_error(engine):
    @node("Wrong", category="test")
    def wrong() -> list[int]:
        """No list."""
        return 5

    graph = {"x": ("Wrong", {}), "out": ("Show", {"value": ["x", 0]})}
    end = engine(wrong, show).run(graph).end
    assert isinstance(end, messages.Failed)
    assert "is a list, but a int was returned" in end.message


def test_too_few_values_are_an_error(engine):
    class Both(NamedTuple):
        a: int
        b: int

    @node("Few", category="test")
    def few() -> Both:
        """One of two."""
        return (1,)

    graph = {"x": ("Few", {}), "out": ("Show", {"value": ["x", 0]})}
    end = engine(few, show).run(graph).end
    assert isinstance(end, messages.Failed)
    assert "has 2 outputs and returned 1 values" in end.message


def test_undeclared_constants_are_left_out_but_links_are_handed_over():
    kind = read_info(pair)
    node_ = PromptNode("Pair", {"a": 1, "odd": 2, "linked": Link("z", 1)})
    gathered = gather(node_, kind, {"z": ([7], [8, 9])})
    assert gathered == {"a": [1], "linked": [8, 9]}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, [{}]),
        ({"a": [1]}, [{"a": 1}]),
        ({"a": [1, 2], "b": [3]}, [{"a": 1, "b": 3}, {"a": 2, "b": 3}]),
        ({"a": [], "b": [3]}, []),
    ],
)
def test_calls(inputs, expected):
    assert list(calls(inputs, read_info(pair))) == expected
