"""Reading prompts in API format: links, literals, and malformed inputs."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PromptError
from engine.graph.prompt import (
    MAX_DEPTH,
    BadLink,
    Link,
    Prompt,
    PromptNode,
    parse,
    parse_expansion,
    to_api,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=20,
)
KEYS = st.sampled_from(["class_type", "inputs", "_meta", "title", "1", "__value__", "x"])
NODES = st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=3), max_size=4)


def one(**inputs):
    return parse({"1": {"class_type": "A", "inputs": inputs}}).nodes["1"].inputs


def test_links_and_literals():
    inputs = one(a=["5:3", 0], b="text", c=2**64 - 1, d={"__value__": [1, 2]}, e=None, f=["5", 1.0])
    assert inputs == {
        "a": Link("5:3", 0),
        "b": "text",
        "c": 2**64 - 1,
        "d": [1, 2],
        "e": None,
        "f": Link("5", 1),
    }


@pytest.mark.parametrize(
    "value", [[], ["5"], ["5", 0, 0], [5, 0], ["5", "0"], ["5", -1], ["5", True], ["5", 0.5]]
)
def test_a_list_that_is_no_link_is_kept_as_received(value):
    assert one(a=value)["a"] == BadLink(value)


@pytest.mark.parametrize(
    ("raw", "kind", "details"),
    [
        (None, "no_prompt", ""),
        ([], "invalid_prompt", ""),
        ("text", "invalid_prompt", ""),
        ({"1": 5}, "invalid_prompt", "Node ID '#1'"),
        ({"1": {}}, "invalid_prompt", "Node ID '#1'"),
        ({"1": {"class_type": 3}}, "invalid_prompt", "Node ID '#1'"),
        ({"1": {"class_type": "A", "inputs": []}}, "invalid_prompt", "Node ID '#1'"),
        ({"1": {"class_type": "A", "inputs": {2: 3}}}, "invalid_prompt", "Node ID '#1'"),
        ({2: {"class_type": "A"}}, "invalid_prompt", "Node ID '#2'"),
        ({"1": {"class_type": "A", "inputs": {"x": math.nan}}}, "invalid_prompt", "#1', x"),
        ({"1": {"class_type": "A", "inputs": {"x": {"y": [-math.inf]}}}}, "invalid_prompt", "x"),
        ({"1": {"class_type": "A", "inputs": {"x": {"y": object()}}}}, "invalid_prompt", "x"),
    ],
)
def test_what_is_no_prompt_is_refused(raw, kind, details):
    with pytest.raises(PromptError) as caught:
        parse(raw)
    assert caught.value.kind == kind
    assert details in caught.value.details


def test_depth_is_bounded():
    def nested(levels):
        return {"__value__": json.loads("[" * (levels - 1) + "]" * (levels - 1))}

    assert one(x=nested(MAX_DEPTH))["x"] is not None
    with pytest.raises(PromptError, match="nested deeper"):
        one(x=nested(MAX_DEPTH + 1))


def test_inputs_may_be_missing_and_titles_are_kept():
    prompt = parse({"1": {"class_type": "A", "_meta": {"title": "mine"}}, "2": {"class_type": "B"}})
    assert prompt.nodes["1"] == PromptNode("A", {}, "mine")
    assert prompt.nodes["2"].title is None


def test_an_expansion_may_hold_objects():
    thing = object()
    nodes = parse_expansion({"7.0.0.1": {"class_type": "A", "inputs": {"x": thing, "y": ["1", 0]}}})
    assert nodes["7.0.0.1"].inputs == {"x": thing, "y": Link("1", 0)}


def test_extended_leaves_the_original_alone_and_refuses_taken_ids():
    prompt = parse({"1": {"class_type": "A"}})
    larger = prompt.extended({"2": PromptNode("B", {})})
    assert list(prompt.nodes) == ["1"]
    assert list(larger.nodes) == ["1", "2"]
    with pytest.raises(PromptError, match="exist already"):
        larger.extended({"2": PromptNode("B", {})})


@given(NODES | JSON | st.dictionaries(st.text(max_size=3), NODES, max_size=3))
def test_any_json_parses_or_is_refused(raw):
    try:
        prompt = parse(raw)
    except PromptError:
        return
    assert isinstance(prompt, Prompt)
    assert parse(json.loads(json.dumps(to_api(prompt)))) == prompt
