"""Old group nodes become the nodes inside; an unreadable part of one affects only itself."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.graph.prompt import to_api
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema
from engine.graph.workflow import convert

CATALOG = {
    each.class_type: each
    for each in [
        NodeSchema(
            "Make", "Make", "", (InputSchema("size", "INT"),), (OutputSchema("IMAGE", "IMAGE"),)
        ),
        NodeSchema(
            "Blur",
            "Blur",
            "",
            (InputSchema("image", "IMAGE"), InputSchema("radius", "INT")),
            (OutputSchema("IMAGE", "IMAGE"),),
        ),
        NodeSchema("Save", "Save", "", (InputSchema("image", "IMAGE"),), (), is_output=True),
    ]
}
IMAGE_OUT = [{"name": "IMAGE", "type": "IMAGE", "links": []}]


def blur(radius):
    inputs = [{"name": "image", "type": "IMAGE", "link": None}]
    return {"type": "Blur", "inputs": inputs, "outputs": IMAGE_OUT, "widgets_values": [radius]}


GROUP = {
    "nodes": [
        {"type": "Make", "inputs": [], "outputs": IMAGE_OUT, "widgets_values": [8]},
        blur(1),
        blur(2),
    ],
    "links": [[0, 0, 1, 0, 0, "IMAGE"], [1, 0, 2, 0, 0, "IMAGE"]],
}


def saved(group):
    instance = {
        "id": 5,
        "type": "workflow>three",
        "inputs": [],
        "outputs": IMAGE_OUT,
        "widgets_values": [16, 3, 4],
    }
    save = {"id": 6, "type": "Save", "inputs": [{"name": "image", "type": "IMAGE", "link": 1}]}
    alone = {"id": 7, "type": "Make", "widgets_values": [9]}
    return {
        "nodes": [instance, save, alone],
        "links": [[1, 5, 0, 6, 0, "IMAGE"]],
        "extra": {"groupNodes": {"three": group}},
    }


def read(group):
    conversion = convert(json.loads(json.dumps(saved(group))), CATALOG)
    prompt = to_api(conversion.prompt)
    return {key: each["inputs"] for key, each in prompt.items()}, conversion.notes


def test_a_group_node_becomes_its_inside():
    found, notes = read(GROUP)
    assert found == {
        "5:0": {"size": 16},
        "5:1": {"image": ["5:0", 0], "radius": 3},
        "5:2": {"image": ["5:1", 0], "radius": 4},
        "6": {"image": ["5:2", 0]},
        "7": {"size": 9},
    }
    assert not notes


def test_an_inner_node_without_a_type_costs_itself_only():
    group = copy.deepcopy(GROUP)
    del group["nodes"][1]["type"]
    found, [note] = read(group)
    assert found == {
        "5:0": {"size": 16},
        "5:2": {"radius": 4},  # its own value, although one before it is unreadable
        "6": {"image": ["5:2", 0]},
        "7": {"size": 9},
    }
    assert "In the subgraph workflow>three: Left out: node number 1" in note


@pytest.mark.parametrize("damage", [None, 5, [], "x"])
def test_an_inner_node_that_is_no_object_costs_itself_only(damage):
    group = copy.deepcopy(GROUP)
    group["nodes"][2] = damage
    found, notes = read(group)
    assert found["5:1"] == {"image": ["5:0", 0], "radius": 3}
    assert found["6"] == {}
    assert "node number 2 of the workflow is no object" in notes[0]


@pytest.mark.parametrize("damage", [None, 5, [1], {"a": 1}, ["x", "y", 1, 0], [0, 1e400, 1, 0]])
def test_an_inner_link_that_cannot_be_read_costs_itself_only(damage):
    group = copy.deepcopy(GROUP)
    group["links"][0] = damage
    found, [note] = read(group)
    assert found["5:1"] == {"radius": 3}
    assert found["5:2"] == {"image": ["5:1", 0], "radius": 4}
    assert "link number 0" in note


@pytest.mark.parametrize("nodes", [None, 5, {}, "x"])
def test_a_group_without_nodes_costs_its_instance_only(nodes):
    found, [note] = read({"nodes": nodes})
    assert found == {"6": {}, "7": {"size": 9}}
    assert "Node 5 is left out" in note
    assert "no list of nodes" in note


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
PLACES = [
    ("nodes",),
    ("links",),
    ("external",),
    ("config",),
    ("nodes", 1),
    *(("nodes", 1, key) for key in ("type", "inputs", "outputs", "widgets_values", "mode", "id")),
    ("links", 0),
    *(("links", 0, slot) for slot in range(4)),
]


@given(place=st.sampled_from(PLACES), odd=ODD)
def test_no_damage_of_a_group_costs_what_is_beside_it(place, odd):
    group = copy.deepcopy(GROUP)
    *way, last = place
    part = group
    for key in way:
        part = part[key]
    part[last] = odd
    conversion = convert(saved(group), CATALOG)
    assert to_api(conversion.prompt)["7"]["inputs"] == {"size": 9}


def test_outputs_are_shown_as_the_settings_of_the_group_say():
    """One that is used inside, too; and of two that are open, one that is hidden."""
    used = {"config": {"1": {"output": {"0": {"visible": True}}}}}
    inputs, notes = read({**GROUP, **used})
    assert notes == ()
    assert inputs["6"] == {"image": ["5:1", 0]}  # the first of the two that are shown
    open_ones = {**GROUP, "links": [[0, 0, 1, 0, 0, "IMAGE"]]}
    assert read(open_ones)[0]["6"] == {"image": ["5:1", 0]}
    hidden = {"config": {"1": {"output": {"0": {"visible": False}}}}}
    assert read({**open_ones, **hidden})[0]["6"] == {"image": ["5:2", 0]}
