"""Nodes that expand to a graph, including loops."""

from typing import Annotated, Any, NamedTuple

from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Socket
from engine.nodekit.node import Expansion
from engine.wire import messages


@node("Add", category="test")
def add(*, a: int, b: int) -> int:
    """Add."""
    return a + b


@node("Show", category="test", output=True)
def show(*, value: Annotated[Any, Socket("*")], ctx: Context) -> None:
    """Show."""
    ctx.show(values=[value])


class Two(NamedTuple):
    total: int
    given: int


@node("Twice", category="test")
def twice(*, value: int) -> Two:
    """Twice the value, by a graph, and the value as it is."""
    graph = {"sum": {"class_type": "Add", "inputs": {"a": value, "b": value}}}
    return Expansion(graph, (["sum", 0], value))


@node("CountDown", category="test")
def count_down(*, left: int, total: int = 0) -> int:
    """A loop: adds up what is left, by expanding to itself until nothing is."""
    if left == 0:
        return total
    return Expansion(
        {
            "body": {"class_type": "Add", "inputs": {"a": total, "b": left}},
            "next": {"class_type": "CountDown", "inputs": {"left": left - 1, "total": ["body", 0]}},
        },
        (["next", 0],),
    )


@node("ShowInside", category="test")
def show_inside(*, value: int) -> int:
    """Show something on the way."""
    return Expansion({"s": {"class_type": "Show", "inputs": {"value": value}}}, (value,))


@node("Several", category="test")
def several(*, count: int) -> list[int]:
    """0, 1, 2 ..."""
    return list(range(count))


NODES = (add, show, twice, count_down, show_inside, several)


def run(engine, graph, result=("x", 0)):
    small = engine(*NODES)
    done = small.run({**graph, "out": ("Show", {"value": list(result)})})
    return small, done


def test_outputs_come_from_the_graph_or_are_literals(engine):
    for slot, expected in ((0, 14), (1, 7)):
        _, done = run(engine, {"x": ("Twice", {"value": 7})}, ("x", slot))
        assert done.shown["out"] == {"values": [expected]}


def test_new_nodes_are_named_after_their_parent_and_shown_at_it(engine):
    small, _ = run(engine, {"x": ("Twice", {"value": 7})})
    places = {event.node.id: event.node for event in small.of(messages.Running)}
    assert places["x.0.0.sum"] == messages.NodeRef("x.0.0.sum", "x", "x", "x")


def test_ids_that_carry_the_parent_s_name_already_stay(engine):
    @node("Builder", category="test")
    def builder() -> int:
        """What a graph builder makes."""
        return Expansion(
            {"x.0.3.1": {"class_type": "Add", "inputs": {"a": 1, "b": 2}}}, (["x.0.3.1", 0],)
        )

    small = engine(builder, *NODES)
    small.run({"x": ("Builder", {}), "out": ("Show", {"value": ["x", 0]})})
    assert "x.0.3.1" in small.called()


def test_a_loop_goes_round_many_times_without_names_growing(engine):
    small, done = run(engine, {"x": ("CountDown", {"left": 400})})
    assert isinstance(done.end, messages.Succeeded)
    assert done.shown["out"] == {"values": [400 * 401 // 2]}
    assert len(set(small.called())) == len(small.called()) == 802
    assert max(map(len, small.called())) == len("x.0.399.next")


def test_an_expanded_node_is_known_afterwards(engine):
    small, _ = run(engine, {"x": ("CountDown", {"left": 5})})
    small.run({"x": ("CountDown", {"left": 5}), "out": ("Show", {"value": ["x", 0]})})
    assert small.called() == []


def test_output_nodes_inside_an_expansion_are_run(engine):
    _, done = run(engine, {"x": ("ShowInside", {"value": 3})})
    assert done.shown == {"x.0.0.s": {"values": [3]}, "out": {"values": [3]}}


def test_each_element_of_a_list_expands_by_itself(engine):
    graph = {"many": ("Several", {"count": 3}), "x": ("Twice", {"value": ["many", 0]})}
    small, done = run(engine, graph)
    assert done.shown["out"] == {"values": [0, 2, 4]}
    assert {"x.0.0.sum", "x.1.0.sum", "x.2.0.sum"} <= set(small.called())


def test_an_expansion_may_link_to_the_graph_around_it(engine):
    @node("AddToOne", category="test")
    def add_to_one(*, value: int) -> int:
        """Add what node `one` gives, whatever that is."""
        graph = {"s": {"class_type": "Add", "inputs": {"a": value, "b": ["one", 0]}}}
        return Expansion(graph, (["s", 0],))

    small = engine(add_to_one, *NODES)
    done = small.run(
        {
            "one": ("Add", {"a": 0, "b": 1}),
            "x": ("AddToOne", {"value": 41}),
            "out": ("Show", {"value": ["x", 0]}),
        }
    )
    assert done.shown["out"] == {"values": [42]}


def test_an_error_inside_names_the_inner_node_and_where_it_is_shown(engine):
    @node("Breaks", category="test")
    def breaks() -> int:
        """Expand to what cannot be added."""
        return Expansion({"s": {"class_type": "Add", "inputs": {"a": 1, "b": "b"}}}, (["s", 0],))

    small = engine(breaks, *NODES)
    end = small.run({"x": ("Breaks", {}), "out": ("Show", {"value": ["x", 0]})}).end
    assert isinstance(end, messages.Failed)
    assert (end.node.id, end.node.display_id) == ("x.0.0.s", "x")


def test_an_expansion_that_leads_nowhere_is_an_error_of_the_node(engine):
    @node("Lost", category="test")
    def lost() -> int:
        """Link to nothing."""
        return Expansion({}, (["gone", 0],))

    end = engine(lost, show).run({"x": ("Lost", {}), "out": ("Show", {"value": ["x", 0]})}).end
    assert isinstance(end, messages.Failed)
    assert end.node.id == "x"


def test_an_expansion_that_needs_its_own_node_is_an_error_not_a_standstill(engine):
    @node("Selfish", category="test")
    def selfish() -> int:
        """Need itself."""
        return Expansion(
            {"s": {"class_type": "Add", "inputs": {"a": ["x", 0], "b": 1}}}, (["s", 0],)
        )

    end = (
        engine(selfish, *NODES)
        .run({"x": ("Selfish", {}), "out": ("Show", {"value": ["x", 0]})})
        .end
    )
    assert isinstance(end, messages.Failed)
    assert "wait for each other" in end.message
