"""Blocked values: nodes that depend on them are skipped, and the others run."""

from typing import Annotated, Any

from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Socket
from engine.nodekit.node import Blocked
from engine.wire import messages


@node("Gate", category="test")
def gate(*, value: int, why: str = "") -> int:
    """Let even numbers through."""
    return value if value % 2 == 0 else Blocked(why or None)


@node("Several", category="test")
def several(*, count: int) -> list[int]:
    """0, 1, 2 ..."""
    return list(range(count))


@node("All", category="test", input_is_list=True)
def everything(*, values: list[int]) -> int:
    """The sum."""
    return sum(values)


@node("Show", category="test", output=True)
def show(*, value: Annotated[Any, Socket("*")], ctx: Context) -> None:
    """Show."""
    ctx.show(values=[value])


NODES = (gate, several, everything, show)


def test_a_silent_block_skips_what_follows_without_a_word(engine):
    small = engine(*NODES)
    result = small.run({"g": ("Gate", {"value": 1}), "out": ("Show", {"value": ["g", 0]})})
    assert isinstance(result.end, messages.Succeeded)
    assert result.shown == {}
    assert small.of(messages.Blocked) == []


def test_a_block_with_a_message_is_reported_once_where_it_first_arrives(engine):
    small = engine(*NODES)
    result = small.run(
        {
            "g": ("Gate", {"value": 1, "why": "odd"}),
            "next": ("Gate", {"value": ["g", 0]}),
            "out": ("Show", {"value": ["next", 0]}),
        }
    )
    assert isinstance(result.end, messages.Succeeded)
    [block] = small.of(messages.Blocked)
    assert (block.node.id, block.class_type, block.message) == ("next", "Gate", "odd")


def test_only_the_blocked_elements_of_a_list_are_skipped(engine):
    result = engine(*NODES).run(
        {
            "many": ("Several", {"count": 5}),
            "g": ("Gate", {"value": ["many", 0]}),
            "out": ("Show", {"value": ["g", 0]}),
        }
    )
    assert result.shown == {"out": {"values": [0, 2, 4]}}


def test_one_blocked_element_blocks_a_node_that_takes_lists(engine):
    result = engine(*NODES).run(
        {
            "many": ("Several", {"count": 5}),
            "g": ("Gate", {"value": ["many", 0]}),
            "sum": ("All", {"values": ["g", 0]}),
            "out": ("Show", {"value": ["sum", 0]}),
        }
    )
    assert result.shown == {}


def test_other_branches_go_on(engine):
    result = engine(*NODES).run(
        {
            "g": ("Gate", {"value": 1}),
            "bad": ("Show", {"value": ["g", 0]}),
            "good": ("Show", {"value": 5}),
        }
    )
    assert result.shown == {"good": {"values": [5]}}
