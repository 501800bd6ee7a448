"""A run releases values that no node needs any more; what was shown outlives them."""

import gc
import weakref
from typing import Annotated

import pytest

from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Options, Socket
from engine.nodekit.node import Expansion
from engine.wire import messages

BYTES = 1000
KEPT = 5
LARGE = Socket("LARGE")


class Large:
    """A value of a thousand bytes, according to the cache."""

    nbytes = BYTES


@pytest.fixture
def large():
    """Nodes that make and take large values, and the number of live values as each begins."""
    alive: weakref.WeakSet[Large] = weakref.WeakSet()
    seen: list[int] = []

    def make_one() -> Large:
        seen.append(len(alive))
        value = Large()
        alive.add(value)
        return value

    @node("Make", category="test")
    def make(*, number: int) -> Annotated[Large, LARGE]:
        """Make one."""
        return make_one()

    @node("Change", category="test")
    def change(
        *, value: Annotated[Large, LARGE], other: Annotated[Large | None, LARGE] = None
    ) -> Annotated[Large, LARGE]:
        """Make one of another."""
        return make_one()

    @node("Pick", category="test")
    def pick(
        *,
        first: bool,
        a: Annotated[Large | None, LARGE, Options(lazy=True)] = None,
        b: Annotated[Large | None, LARGE, Options(lazy=True)] = None,
    ) -> Annotated[Large, LARGE]:
        """One of two."""
        return a if first else b

    @pick.needs
    def _(first):
        return ["a" if first else "b"]

    @node("Save", category="test", output=True)
    def save(*, value: Annotated[Large, LARGE], ctx: Context) -> Annotated[Large, LARGE]:
        """Show a new number, and pass the value on."""
        ctx.show(values=[ctx.node_id])
        return value

    gc.disable()
    yield (make, change, pick, save), alive, seen
    gc.enable()


def chain(length):
    graph = {"0": ("Make", {"number": 0})}
    for number in range(1, length):
        graph[str(number)] = ("Change", {"value": [str(number - 1), 0]})
    graph["out"] = ("Save", {"value": [str(length - 1), 0]})
    return graph


def test_a_long_run_keeps_what_the_budget_allows_and_the_step_needs(engine, large):
    nodes, alive, seen = large
    small = engine(*nodes, budget=KEPT * BYTES + 500)
    assert isinstance(small.run(chain(50)).end, messages.Succeeded)
    # In addition to the budget: the input of the node, which the cache may also hold.
    assert max(seen) <= KEPT + 1
    assert len(alive) <= KEPT
    assert small.cache.size <= small.cache.budget


def test_values_that_are_needed_later_stay_and_the_run_ends_well(engine, large):
    nodes, _, seen = large
    small = engine(*nodes, budget=BYTES + 500)
    graph = {str(number): ("Make", {"number": number}) for number in range(8)}
    graph["sum0"] = ("Change", {"value": ["0", 0], "other": ["1", 0]})
    for number in range(2, 8):
        before = f"sum{number - 2}"
        graph[f"sum{number - 1}"] = ("Change", {"value": [before, 0], "other": [str(number), 0]})
    graph["out"] = ("Save", {"value": ["sum6", 0]})
    result = small.run(graph)
    assert isinstance(result.end, messages.Succeeded)
    assert len({*small.called()}) == len(small.called()) == len(graph)
    assert max(seen) <= 8 + 1


def test_a_branch_that_is_not_chosen_holds_nothing(engine, large):
    nodes, _, seen = large
    small = engine(*nodes, budget=0)
    graph = chain(10)
    graph["never"] = ("Change", {"value": ["1", 0]})  # in the branch that is not evaluated
    graph["pick"] = ("Pick", {"first": True, "a": ["2", 0], "b": ["never", 0]})
    graph["3"] = ("Change", {"value": ["pick", 0]})
    assert isinstance(small.run(graph).end, messages.Succeeded)
    assert "never" not in small.called()
    assert seen[-1] <= 1, "what only that branch would take is released with it"


def test_a_node_that_sees_the_graph_may_link_to_what_has_been_taken(engine, large):
    nodes, _, _ = large

    @node("Again", category="test", hidden=["DYNPROMPT"])
    def again(*, value: Annotated[Large, LARGE], ctx: Context) -> Annotated[Large, LARGE]:
        """Take the first value once more."""
        return Expansion(
            {"new": {"class_type": "Change", "inputs": {"value": ["0", 0]}}}, (["new", 0],)
        )

    small = engine(*nodes, again, budget=0)
    graph = chain(5)
    graph["again"] = ("Again", {"value": ["4", 0]})
    graph["out"] = ("Save", {"value": ["again", 0]})
    assert isinstance(small.run(graph).end, messages.Succeeded)
    assert small.called().count("0") == 1


def test_an_output_whose_values_were_evicted_is_not_made_again(engine, large):
    nodes, alive, _ = large
    small = engine(*nodes, budget=0)
    first = small.run(chain(3))
    assert len(alive) == 0
    again = small.run(chain(3))
    assert (small.called(), again.shown) == ([], first.shown)
    assert small.of(messages.Cached)[0].nodes == ("out",)
    assert small.of(messages.NodeOutput)[0].shown == {"values": ["out"]}


def test_it_is_made_again_where_another_node_takes_its_values(engine, large):
    nodes, _, _ = large
    small = engine(*nodes, budget=0)
    small.run(chain(3))
    longer = {**chain(3), "more": ("Change", {"value": ["out", 0]})}
    longer["end"] = ("Save", {"value": ["more", 0]})
    result = small.run(longer)
    assert isinstance(result.end, messages.Succeeded)
    assert "out" in small.called()
    assert small.of(messages.Cached)[0].nodes == ()


def test_what_is_freed_by_the_user_has_no_record_either(engine, large):
    nodes, _, _ = large
    small = engine(*nodes, budget=0)
    small.run(chain(2))
    small.cache.clear()
    small.run(chain(2))
    assert small.called() == ["0", "1", "out"]


def test_changes_count_what_is_left_as_a_record_as_kept(engine, large):
    nodes, _, _ = large
    small = engine(*nodes, budget=0)
    small.run(chain(2))
    added, dropped = small.cache.changes()
    assert (len(added), len(dropped)) == (1, 0)
    small.cache.clear()
    assert small.cache.changes() == (set(), added)
