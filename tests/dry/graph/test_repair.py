"""Damaged workflow files: a bad entry affects only itself, and its repair is reported."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WorkflowError
from engine.graph.prompt import to_api
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema
from engine.graph.workflow import convert, read_json_text

CATALOG = {
    each.class_type: each
    for each in [
        NodeSchema(
            "Make",
            "Make",
            "",
            (InputSchema("size", "INT"),),
            (OutputSchema("IMAGE", "IMAGE"), OutputSchema("MASK", "MASK")),
        ),
        NodeSchema(
            "Join",
            "Join",
            "",
            (InputSchema("a", "IMAGE"), InputSchema("b", "IMAGE"), InputSchema("t", "STRING")),
            (OutputSchema("IMAGE", "IMAGE"),),
            is_output=True,
        ),
        NodeSchema("Any", "Any", "", (InputSchema("x", "*"),), (OutputSchema("STRING", "S"),)),
    ]
}


def make(node_id, *links, **more):
    outputs = [{"name": "IMAGE", "type": "IMAGE", "links": [*links]}, {"name": "M", "type": "MASK"}]
    return {"id": node_id, "type": "Make", "outputs": outputs, "widgets_values": [8], **more}


def join(node_id, a=None, b=None, **more):
    inputs = [
        {"name": "a", "type": "IMAGE", "link": a},
        {"name": "b", "type": "IMAGE", "link": b},
        {"name": "t", "type": "STRING", "link": None, "widget": {"name": "t"}},
    ]
    outputs = [{"name": "IMAGE", "type": "IMAGE", "links": []}]
    return {"id": node_id, "type": "Join", "inputs": inputs, "outputs": outputs, **more}


def converted(nodes, links=(), **more):
    found = convert({"nodes": nodes, "links": [*links], **more}, CATALOG)
    return found.prompt.nodes, found.notes


def link_of(nodes, node_id, name="a"):
    return tuple(nodes[node_id].inputs[name]) if name in nodes[node_id].inputs else None


SOUND = [make(1, 1), join(2, 1)], [[1, 1, 0, 2, 0, "IMAGE"]]


def test_a_sound_file_needs_no_word():
    nodes, notes = converted(*SOUND)
    assert link_of(nodes, "2") == ("1", 0)
    assert notes == ()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (None, "node number 2 of the workflow is no object"),
        (5, "is no object"),
        (
            {"id": 9, "type": None},
            "node number 2 of the workflow needs an id and a type; it has id 9",
        ),
        ({"id": 9}, "and a type; it has"),
        ({"id": 9, "type": ""}, "and a type; it has"),
        ({"id": 9, "type": ["Make"]}, "and a type; it has"),
        ({}, "and a type; it has"),
    ],
)
def test_what_is_no_node_costs_itself_only(bad, said):
    nodes, notes = converted([*SOUND[0], bad], SOUND[1])
    assert link_of(nodes, "2") == ("1", 0)
    assert set(nodes) == {"1", "2"}
    assert len(notes) == 1
    assert said in notes[0]


@pytest.mark.parametrize("bad", [None, True, [1], {"a": 1}, "", float("nan")])
def test_a_node_without_an_id_gets_one(bad):
    nodes, notes = converted([*SOUND[0], make(bad)], SOUND[1], last_node_id=7)
    assert set(nodes) == {"1", "2", "8"}
    assert notes == ("A node has no id; it, Make, has the id 8 now.",)


def test_later_nodes_with_one_id_get_others_in_order():
    added = [make(1), make("40"), make(1), make("x")]
    nodes, notes = converted([*SOUND[0], *added], SOUND[1], last_node_id=3)
    assert set(nodes) == {"1", "2", "41", "40", "42", "x"}
    assert link_of(nodes, "2") == ("1", 0)
    assert len(notes) == 2


def test_an_id_is_the_same_as_a_number_and_as_a_text():
    nodes, _ = converted([make(1, 1), join("2", "1"), make(2.0)], [["1", "1", 0, 2.0, 0, "IMAGE"]])
    assert link_of(nodes, "2") == ("1", 0)
    assert set(nodes) == {"1", "2", "3"}


def test_a_node_with_an_id_of_the_border_gets_another_and_keeps_its_links():
    nodes, notes = converted([make(-10, 1), join(-20, 1)], [[1, -10, 0, -20, 0, "IMAGE"]])
    assert set(nodes) == {"1", "2"}
    assert link_of(nodes, "2") == ("1", 0)
    assert len(notes) == 2


def test_a_link_is_that_of_the_node_which_names_it():
    """Two pasted halves with equal ids: each keeps its wire."""
    nodes, _ = converted(
        [make(1, 1), join(2, 1), make(1, 2), join(2, 2)],
        [[1, 1, 0, 2, 0, "IMAGE"], [2, 1, 0, 2, 0, "IMAGE"]],
    )
    assert link_of(nodes, "2") == ("1", 0)
    assert link_of(nodes, "4") == ("3", 0)


def test_two_links_with_one_id_are_two():
    nodes, notes = converted(
        [make(1, 1), make(2, 1), join(3, 1), join(4, 1)],
        [[1, 1, 0, 3, 0, "IMAGE"], [1, 2, 0, 4, 0, "IMAGE"], [1, 1, 0, 3, 0, "IMAGE"]],
        last_link_id=6,
    )
    assert (link_of(nodes, "3"), link_of(nodes, "4")) == (("1", 0), ("2", 0))
    assert notes == ("Two links have the id 1; the later is 7 now.",)


def test_two_links_with_one_id_into_one_node():
    nodes, _ = converted(
        [make(1), make(2), join(3, 1, 1)], [[1, 1, 0, 3, 0, ""], [1, 2, 0, 3, 1, ""]]
    )
    assert (link_of(nodes, "3"), link_of(nodes, "3", "b")) == (("1", 0), ("2", 0))


@pytest.mark.parametrize("named", [[1], []])
def test_a_link_that_only_the_table_knows_is_joined(named):
    nodes, notes = converted([make(1, *named), join(2)], [[1, 1, 0, 2, 0, "IMAGE"]])
    assert link_of(nodes, "2") == ("1", 0)
    assert "is joined" in notes[0]


@pytest.mark.parametrize(
    "link",
    [
        [1, 1, 1, 2, 0, "MASK"],  # of another type
        [1, 1, 7, 2, 0, "IMAGE"],
        [1, 1, 0, 2, 9, "IMAGE"],
        [1, 9, 0, 2, 0, "IMAGE"],
        [1, 1, -1, 2, 0, "IMAGE"],
    ],
)
def test_a_link_that_cannot_be_is_not_joined(link):
    nodes, notes = converted([make(1), join(2)], [link])
    assert link_of(nodes, "2") is None
    assert notes == ()


def test_an_input_that_has_a_link_keeps_it():
    table = [[1, 1, 0, 3, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]]
    nodes, _ = converted([make(1), make(2), join(3, 1)], table)
    assert link_of(nodes, "3") == ("1", 0)


@pytest.mark.parametrize("links", [[], None, "none", [None]])
def test_a_link_that_only_nodes_know_is_joined(links):
    raw = {"nodes": SOUND[0]} if links is None else {"nodes": SOUND[0], "links": links}
    found = convert(raw, CATALOG)
    assert link_of(found.prompt.nodes, "2") == ("1", 0)
    assert "was missing" in found.notes[0]


def test_a_link_that_two_outputs_name_is_not_guessed():
    nodes, _ = converted([make(1, 1), make(2, 1), join(3, 1)])
    assert link_of(nodes, "3") is None


@pytest.mark.parametrize(
    "bad", [5, "x", [1], [1, 2, "x", 3, 4], {}, [None] * 6, [1, 1, 1e999, 2, 0]]
)
def test_what_is_no_link_costs_itself_only(bad):
    nodes, notes = converted(SOUND[0], [bad, *SOUND[1]])
    assert link_of(nodes, "2") == ("1", 0)
    assert "Left out: a link of the workflow is" in notes[0]


def subgraph(nodes, links, **more):
    return {
        "id": "sub",
        "name": "Sub",
        "inputs": [{"name": "in", "type": "IMAGE"}],
        "outputs": [{"name": "out", "type": "IMAGE"}],
        "nodes": nodes,
        "links": links,
        **more,
    }


def around(*definitions):
    instance = {
        "id": 3,
        "type": "sub",
        "inputs": [{"name": "in", "type": "IMAGE", "link": 1}],
        "outputs": [{"name": "out", "type": "IMAGE", "links": [2]}],
    }
    return convert(
        {
            "nodes": [make(1, 1), instance, join(4, 2)],
            "links": [[1, 1, 0, 3, 0, ""], [2, 3, 0, 4, 0, ""]],
            "definitions": {"subgraphs": [*definitions]},
        },
        CATALOG,
    )


INNER = [
    {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0},
    {"id": 2, "origin_id": 1, "origin_slot": 0, "target_id": -20, "target_slot": 0},
]


def test_damage_in_a_subgraph_costs_itself_only():
    damaged = subgraph([join(1, 1), make(1), make(-10), make(None), None, make(-20)], INNER)
    found = around(5, {"id": 5}, {"id": "x"}, damaged, subgraph([], []))
    nodes = found.prompt.nodes
    assert link_of(nodes, "4") == ("3:1", 0)
    assert link_of(nodes, "3:1") == ("1", 0)
    assert {"3:2", "3:3", "3:4", "3:5"} <= set(nodes)
    assert sum(note.startswith("In the subgraph Sub: ") for note in found.notes) == 5
    assert sum("no id or no nodes" in note for note in found.notes) == 3
    assert sum("Two subgraphs" in note for note in found.notes) == 1


def test_a_thousand_faults_are_told_in_a_hundred_sentences():
    nodes, notes = converted([make(1) for _ in range(1000)])
    assert len(nodes) == 1000
    assert len(notes) == 101
    assert notes[-1] == "And 899 more of this kind."


def test_a_bypassed_node_of_any_type_hands_on_only_what_fits():
    passing = {
        "id": 2,
        "type": "Any",
        "mode": 4,
        "inputs": [{"name": "x", "type": "*", "link": 1}],
        "outputs": [{"name": "S", "type": "STRING", "links": [2]}],
    }
    last = join(3)
    last["inputs"][2]["link"], last["widgets_values"] = 2, ["own text"]
    nodes, _ = converted([make(1, 1), passing, last], [[1, 1, 0, 2, 0, ""], [2, 2, 0, 3, 2, ""]])
    assert nodes["3"].inputs["t"] == "own text"


def test_a_comment_beside_the_nodes_of_a_prompt_is_left_out():
    found = convert({"1": {"class_type": "Make", "inputs": {}}, "_comment": "mine"}, CATALOG)
    assert set(found.prompt.nodes) == {"1"}
    assert found.notes == ("'_comment' is no node and left out.",)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-30, 30) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.data())
def test_any_damage_to_a_file_is_survived(data):
    document = json.loads(json.dumps({"nodes": SOUND[0], "links": SOUND[1]}))
    for _ in range(data.draw(st.integers(1, 4))):
        place = document[data.draw(st.sampled_from(["nodes", "links"]))]
        depth = data.draw(st.integers(1, 5))
        for _ in range(depth):
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
                place[key] = data.draw(JUNK)
                break
            place = place[key]
    document["nodes"].append(make("sound"))
    found = convert(document, CATALOG)
    assert "sound" in found.prompt.nodes
    to_api(found.prompt)
    assert all(isinstance(note, str) for note in found.notes)


TEXT = '{"nodes": [], "name": "ä"}'


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.encode() + b"\n\n\0\0\0",
        TEXT.encode("utf-16-le") + b"\0\0\0\0",
        "\ufeff" + TEXT,
    ],
)
def test_one_reader_takes_every_encoding(content):
    assert read_json_text(content) == {"nodes": [], "name": "ä"}


def test_a_depth_that_a_later_reader_refuses_is_refused_at_once():
    assert read_json_text("[" * 200 + "]" * 200)
    for depth in (202, 500, 990, 100_000):
        with pytest.raises(WorkflowError, match="nested too deeply"):
            read_json_text("[" * depth + "]" * depth)
        with pytest.raises(WorkflowError, match="nested too deeply"):
            read_json_text('{"a":' * depth + "1" + "}" * depth)


def test_half_a_character_in_a_workflow_is_replaced():
    last = join(2, 1)
    last["widgets_values"] = ["fox \ud83d"]
    nodes, _ = converted([make(1, 1), last], SOUND[1])
    assert nodes["2"].inputs["t"] == "fox \ufffd"
