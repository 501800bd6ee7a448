"""The order of nodes, against the obvious recursion."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CircleError, PromptError
from engine.graph.order import order
from engine.graph.prompt import Link, Prompt, PromptNode


def graph(links):
    """A prompt from {id: [source ids]}."""
    return Prompt(
        {
            key: PromptNode("A", {f"in{i}": Link(source, 0) for i, source in enumerate(sources)})
            for key, sources in links.items()
        }
    )


def by_recursion(links, wanted):
    done = []

    def visit(key):
        for source in links[key]:
            if source not in done:
                visit(source)
        if key not in done:
            done.append(key)

    for key in wanted:
        visit(key)
    return done


@st.composite
def acyclic(draw):
    count = draw(st.integers(1, 12))
    links = {
        str(i): [str(j) for j in draw(st.lists(st.integers(0, i - 1), max_size=4))] if i else []
        for i in range(count)
    }
    keys = draw(st.permutations(sorted(links)))
    wanted = draw(st.lists(st.sampled_from(keys), max_size=4))
    return {key: links[key] for key in keys}, wanted


@given(acyclic())
def test_order_equals_the_recursion(case):
    links, wanted = case
    assert order(graph(links), wanted) == by_recursion(links, wanted)


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3), min_size=6
    )
)
def test_any_graph_is_ordered_or_its_circle_is_named(links):
    try:
        done = order(graph(links), sorted(links))
    except CircleError as error:
        path = error.path
        assert path[0] == path[-1]
        assert len(path) > 1
        assert len(set(path)) == len(path) - 1
        assert all(a in links[b] for a, b in itertools.pairwise(path))
    else:
        place = {key: i for i, key in enumerate(done)}
        assert sorted(done) == sorted(links)
        assert all(place[s] < place[key] for key in links for s in links[key])


def test_a_circle_is_named_in_the_direction_of_the_values():
    with pytest.raises(CircleError) as caught:
        order(graph({"out": ["c"], "c": ["b"], "b": ["a"], "a": ["c"]}), ["out"])
    assert caught.value.path == ["c", "a", "b", "c"]
    assert "c -> a -> b -> c" in str(caught.value)


def test_a_node_that_feeds_itself():
    with pytest.raises(CircleError) as caught:
        order(graph({"a": ["a"]}), ["a"])
    assert caught.value.path == ["a", "a"]


def test_only_what_is_needed():
    assert order(graph({"a": [], "b": ["a"], "c": ["a"]}), ["b"]) == ["a", "b"]


def test_links_that_do_not_count_are_not_followed():
    links = graph({"a": ["b"], "b": ["a"], "c": ["a", "b"]})
    assert order(links, ["c"], counts=lambda node, name: node == "c") == ["a", "b", "c"]
    assert order(links, ["c"], counts=lambda node, name: (node, name) == ("c", "in1")) == ["b", "c"]


def test_a_missing_source_is_named():
    with pytest.raises(PromptError, match="input in0 of node a takes its value from node gone"):
        order(graph({"a": ["gone"]}), ["a"])
    with pytest.raises(PromptError, match="node gone was asked for"):
        order(graph({}), ["gone"])


def test_a_chain_of_a_hundred_thousand_nodes():
    count = 100_000
    links = graph({str(i): [str(i - 1)] if i else [] for i in range(count)})
    assert order(links, [str(count - 1)]) == [str(i) for i in range(count)]
