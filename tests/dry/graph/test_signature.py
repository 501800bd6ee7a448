"""Signatures: equal for equal computations, different for everything else."""

import math

from hypothesis import given
from hypothesis import strategies as st

from engine.graph.order import order
from engine.graph.prompt import Link, Prompt, PromptNode
from engine.graph.signature import is_repeatable, sign

LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=4)
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def one(inputs, class_type="A", fingerprint=None, node_id="1", known=None, **more):
    prompt = Prompt({node_id: PromptNode(class_type, inputs)})
    return sign(prompt, node_id, fingerprint, known or {}, **more)


def exact(value):
    """A representation of a literal that distinguishes everything that a node can distinguish."""
    if isinstance(value, float):
        return ("float", value.hex())
    if isinstance(value, list):
        return ("list", tuple(exact(each) for each in value))
    if isinstance(value, dict):
        return ("dict", tuple((key, exact(value[key])) for key in sorted(value)))
    return (type(value).__name__, value)


@given(LITERALS, LITERALS)
def test_equal_exactly_when_the_literals_are(a, b):
    assert (one({"x": a}) == one({"x": b})) == (exact(a) == exact(b))
    assert is_repeatable(one({"x": a}))


@given(st.dictionaries(st.text(max_size=2), LITERALS, max_size=3))
def test_the_order_of_inputs_does_not_matter(inputs):
    assert one(inputs) == one(dict(reversed(inputs.items())))


def test_what_counts_and_what_does_not():
    base = one({"x": 1})
    assert one({"x": 1}, node_id="other") == base
    assert one({"x": 1}, class_type="B") != base
    assert one({"x": 1}, fingerprint=[12, 3.5]) != base
    assert one({"x": 1}, output=True) != base
    assert one({"y": 1}) != base
    assert one({}) != base
    assert one({"x": 1}, include_id=True) != one({"x": 1}, include_id=True, node_id="other")
    titled = Prompt({"1": PromptNode("A", {"x": 1}, "my title")})
    assert sign(titled, "1", None, {}) == base


def test_names_and_values_do_not_run_into_each_other():
    assert one({"a": "b", "c": "d"}) != one({"a": "bc", "d": ""})
    assert one({"a": ["1", "2"]}) != one({"a": ["12"]})
    assert one({"a": [["1"], "2"]}) != one({"a": [["1", "2"]]})


def test_sources_count_by_signature_and_slot():
    a, b = one({"x": 1}), one({"x": 2})
    base = one({"in": Link("9", 0)}, known={"9": a})
    assert one({"in": Link("7", 0)}, known={"7": a}) == base
    assert one({"in": Link("9", 1)}, known={"9": a}) != base
    assert one({"in": Link("9", 0)}, known={"9": b}) != base


def test_what_cannot_be_read_equals_nothing_and_neither_does_what_follows():
    endless = []
    endless += [endless, endless]
    for odd in (object(), math.nan, {1, 2}, {1: 2}, endless, [object()]):
        first, second = one({"x": odd}), one({"x": odd})
        assert first != second
        assert not is_repeatable(first)
        follower = one({"in": Link("9", 0)}, known={"9": first})
        assert not is_repeatable(follower)
    assert one({}, fingerprint=math.nan) != one({}, fingerprint=math.nan)


def test_two_graphs_with_other_ids_share_signatures():
    def signatures(names):
        a, b, c = names
        prompt = Prompt(
            {
                c: PromptNode("Join", {"l": Link(a, 0), "r": Link(b, 0), "n": 1}),
                a: PromptNode("Load", {"file": "x"}),
                b: PromptNode("Load", {"file": "y"}),
            }
        )
        known = {}
        for node_id in order(prompt, [c]):
            known[node_id] = sign(prompt, node_id, None, known)
        return [known[a], known[b], known[c]]

    assert signatures("abc") == signatures("xyz")
    assert len(set(signatures("abc"))) == 3
