"""Saved workflows become prompts: each of the tricky cases, in as few nodes as possible."""

import json
import random

import pytest

from engine.errors import WorkflowError
from engine.graph.prompt import to_api
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema
from engine.graph.workflow import convert, read_json_text, recognise


def schema(class_type, *inputs, outputs=(), **more):
    return NodeSchema(
        class_type,
        class_type,
        "test",
        inputs=inputs,
        outputs=tuple(OutputSchema(kind, kind) for kind in outputs),
        **more,
    )


CATALOG = {
    each.class_type: each
    for each in [
        schema("Load", InputSchema("name", "STRING"), outputs=["MODEL", "CLIP"]),
        schema("Patch", InputSchema("model", "MODEL"), outputs=["MODEL"]),
        schema("Text", InputSchema("text", "STRING", options={"dynamicPrompts": True})),
        schema("Two", InputSchema("a", "MODEL"), InputSchema("b", "CLIP"), outputs=["CLIP"]),
        schema(
            "Sample",
            InputSchema("model", "MODEL"),
            InputSchema("seed", "INT"),
            InputSchema("steps", "INT", options={"default": 20}),
            outputs=["LATENT"],
        ),
        schema(
            "Save",
            InputSchema("samples", "LATENT"),
            InputSchema("filename_prefix", "STRING"),
            is_output=True,
        ),
        schema("Any", InputSchema("x", "*"), is_output=True),
    ]
}


def node(node_id, kind, inputs=(), outputs=(), values=None, **more):
    """Inputs as `(name, type, link)` or `(name, type, link, widget)`."""
    return {
        "id": node_id,
        "type": kind,
        "inputs": [
            {"name": name, "type": slot, "link": link}
            | ({"widget": {"name": widget[0]}} if widget else {})
            for name, slot, link, *widget in inputs
        ],
        "outputs": [{"name": slot, "type": slot, "links": []} for slot in outputs],
        "widgets_values": values,
        **more,
    }


def saved(*nodes, links=(), **more):
    links = [[*link, "*"] for link in links]
    return {"nodes": list(nodes), "links": links, "version": 0.4, **more}


def inputs_of(document, **more):
    conversion = convert(json.loads(json.dumps(document)), CATALOG, **more)
    prompt = to_api(conversion.require_classes())
    return {key: each["inputs"] for key, each in prompt.items()}


LOAD = node(1, "Load", outputs=["MODEL", "CLIP"], values=["x"])


def sample(node_id, link, values=(7, "fixed", 9), **more):
    inputs = [("model", "MODEL", link), *more.pop("extra", ())]
    return node(node_id, "Sample", inputs, ["LATENT"], list(values), **more)


def test_values_links_and_titles():
    document = saved(
        LOAD,
        sample(2, 5, title="my sampler"),
        node("n", "Note", values=["hi"]),
        links=[(5, 1, 0, 2, 0)],
    )
    conversion = convert(document, CATALOG)
    assert to_api(conversion.prompt) == {
        "1": {"class_type": "Load", "inputs": {"name": "x"}, "_meta": {"title": "Load"}},
        "2": {
            "class_type": "Sample",
            "inputs": {"seed": 7, "steps": 9, "model": ["1", 0]},
            "_meta": {"title": "my sampler"},
        },
    }
    assert conversion.workflow is document


def test_the_inputs_link_is_trusted_more_than_the_links_slot():
    document = saved(LOAD, sample(2, 5), links=[(5, 1, 0, 2, "3")])
    assert inputs_of(document)["2"]["model"] == ["1", 0]


@pytest.mark.parametrize("link", [(5, 99, 0, 2, 0), (5, 3, -1, 2, 0)])
def test_links_to_nowhere_are_dropped(link):
    document = saved(sample(2, 5), sample(3, 6), links=[link])
    assert inputs_of(document) == {"2": {"seed": 7, "steps": 9}, "3": {"seed": 7, "steps": 9}}


def test_schema_one_with_links_as_objects():
    link = {"id": 5, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0}
    document = saved(LOAD, sample(2, 5), version=1) | {"links": [None, link]}
    assert inputs_of(document)["2"]["model"] == ["1", 0]


def test_reroutes_disappear():
    reroutes = [
        node(3, "Reroute", [("", "*", 5)], ["*"]),
        node(4, "Reroute", [("", "*", 6)], ["*"]),
        node(8, "Reroute", [("", "*", None)], ["*"]),
    ]
    document = saved(
        LOAD,
        *reroutes,
        sample(2, 7),
        sample(9, 11),
        links=[(5, 1, 0, 3, 0), (6, 3, 0, 4, 0), (7, 4, 0, 2, 0), (11, 8, 0, 9, 0)],
    )
    assert inputs_of(document)["2"]["model"] == ["1", 0]
    assert "model" not in inputs_of(document)["9"]


def test_a_circle_of_reroutes_brings_nothing_and_costs_no_other_node():
    document = saved(
        LOAD,
        node(3, "Reroute", [("", "*", 6)], ["*"]),
        node(4, "Reroute", [("", "*", 5)], ["*"]),
        node(8, "Patch", [("model", "MODEL", 9)], ["MODEL"], mode=4),
        sample(2, 7),
        sample(10, 11),
        sample(12, 13),
        links=[
            (5, 3, 0, 4, 0),
            (6, 4, 0, 3, 0),
            (7, 4, 0, 2, 0),
            (9, 8, 0, 8, 0),
            (11, 8, 0, 10, 0),
            (13, 1, 0, 12, 0),
        ],
    )
    found = inputs_of(document)
    assert "model" not in found["2"]
    assert "model" not in found["10"]
    assert found["12"]["model"] == ["1", 0]
    notes = convert(document, CATALOG).notes
    assert ["leads back to itself" in each for each in notes] == [True, True]


def test_a_long_chain_of_reroutes():
    count = 20_000
    reroutes = [node(i, "Reroute", [("", "*", i)], ["*"]) for i in range(2, count)]
    links = [(i, i - 1, 0, i, 0) for i in range(2, count + 1)]
    document = saved(LOAD, *reroutes, sample(count, count), links=links)
    assert inputs_of(document)[str(count)]["model"] == ["1", 0]


def test_primitives_become_values():
    widget = ("steps", "INT", 6, "steps")
    document = saved(
        LOAD,
        node(4, "PrimitiveNode", outputs=["INT"], values=[33, "fixed"]),
        sample(2, 5, extra=[widget]),
        links=[(5, 1, 0, 2, 0), (6, 4, 0, 2, 1)],
    )
    assert inputs_of(document)["2"] == {"seed": 7, "steps": 33, "model": ["1", 0]}


def test_a_linked_widget_keeps_its_place_in_the_list_and_the_link_wins():
    widget = ("seed", "INT", 6, "seed")
    document = saved(
        LOAD,
        node(4, "Sample", [("model", "MODEL", None)], ["INT"], [1, "fixed", 2]),
        sample(2, 5, extra=[widget]),
        links=[(5, 1, 0, 2, 0), (6, 4, 0, 2, 1)],
    )
    assert inputs_of(document)["2"] == {"seed": ["4", 0], "steps": 9, "model": ["1", 0]}


def test_muted_nodes_are_gone_and_so_is_what_they_feed():
    document = saved(
        LOAD,
        node(3, "Patch", [("model", "MODEL", 5)], ["MODEL"], mode=2),
        sample(2, 6),
        links=[(5, 1, 0, 3, 0), (6, 3, 0, 2, 0)],
    )
    assert inputs_of(document) == {"1": {"name": "x"}, "2": {"seed": 7, "steps": 9}}


@pytest.mark.parametrize(
    ("kind", "slots", "wanted", "expected"),
    [
        ("Patch", ["MODEL"], "MODEL", ["1", 0]),
        # The input of the same index does not fit, so the first of the target's type does.
        ("Two", ["MODEL", "CLIP"], "CLIP", ["1", 1]),
        ("Two", ["MODEL", "CLIP"], "LATENT", None),
        ("Two", ["MODEL", "CLIP"], "*", ["1", 0]),
    ],
)
def test_bypassed_nodes_hand_through(kind, slots, wanted, expected):
    inputs = [(slot.lower(), slot, 10 + i) for i, slot in enumerate(slots)]
    document = saved(
        LOAD,
        node(3, kind, inputs, [slots[-1]], mode=4),
        node(2, "Any", [("x", wanted, 20)]),
        links=[(10 + i, 1, i, 3, i) for i in range(len(slots))] + [(20, 3, 0, 2, 0)],
    )
    assert inputs_of(document)["2"].get("x") == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("MODEL", ["1", 0]), ("*", ["1", 0]), ("STRING", "kept"), ("CLIP", "kept")],
)
def test_a_bypassed_node_that_takes_anything_hands_on_only_what_the_target_takes(wanted, expected):
    document = saved(
        LOAD,
        node(3, "Any", [("x", "*", 10)], ["STRING"], mode=4),
        node(4, "Any", [("x", "*", 11)], ["STRING"], mode=4),
        node(2, "Text", [("text", wanted, 20, "text")], values=["kept"]),
        links=[(10, 1, 0, 3, 0), (11, 3, 0, 4, 0), (20, 4, 0, 2, 0)],
    )
    assert inputs_of(document)["2"].get("text") == expected


def test_missing_classes_are_named_and_the_rest_converts():
    slots = [("model", "MODEL", 5), ("size", "INT", None, "size")]
    document = saved(
        LOAD,
        node(2, "Gone", slots, ["MODEL"], [64]),
        node(3, "Away", values={"a": 1}),
        node(4, "Gone"),
        sample(6, 7),
        links=[(5, 1, 0, 2, 0), (7, 2, 0, 6, 0)],
    )
    conversion = convert(document, CATALOG)
    assert conversion.missing == {"Gone": ("2", "4"), "Away": ("3",)}
    assert to_api(conversion.prompt)["2"]["inputs"] == {"size": 64, "model": ["1", 0]}
    assert to_api(conversion.prompt)["6"]["inputs"]["model"] == ["2", 0]
    with pytest.raises(WorkflowError, match=r"Away \(node 3\); Gone \(node 2, 4\)"):
        conversion.require_classes()


def test_texts_are_expanded_by_chance_and_names_filled_in():
    document = saved(
        node(1, "Text", values=["a {b|b} // c"]),
        node(
            2,
            "Save",
            values=[
                "%the text.text%",
            ],
        ),
        node(3, "Text", values=["x/y"], title="the text"),
    )
    assert inputs_of(document)["1"]["text"] == "a {b|b} // c"
    found = inputs_of(document, chance=random.Random(0))
    assert found["1"]["text"] == "a b "
    assert found["2"]["filename_prefix"] == "x_y"


def test_recognise():
    prompt = {"1": {"class_type": "Load", "inputs": {}}}
    workflow = saved(LOAD)
    assert recognise(prompt) == ("prompt", prompt)
    assert recognise(workflow) == ("workflow", workflow)
    assert recognise({"prompt": prompt, "client_id": "x"}) == ("prompt", prompt)
    assert recognise({"prompt": prompt, "workflow": workflow}) == ("workflow", workflow)
    assert recognise({"prompt": prompt, "workflow": {"broken": 1}}) == ("prompt", prompt)
    assert convert(prompt, CATALOG).workflow is None


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ([], "it is a list"),
        (None, "it is a NoneType"),
        ({}, "an object with no keys"),
        ({"a": 1, "b": 2}, "an object with a, b"),
        ({"templates": [{"name": "x", "data": ""}]}, "saved node templates"),
        ({"1": {"class_type": "A"}, "2": 3}, "an object with 1, 2"),
    ],
)
def test_what_is_neither_is_said(document, found):
    with pytest.raises(WorkflowError, match=found):
        recognise(document)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"nodes": [5]}, "node number 0"),
        ({"nodes": [{"id": 1}]}, "needs an id and a type"),
        ({"nodes": [], "links": [[1, 2]]}, "a link of the workflow is"),
        ({"nodes": [], "links": [{"id": 1}]}, "a link of the workflow is"),
        ({"nodes": [], "definitions": {"subgraphs": [{}]}}, "has no id"),
    ],
)
def test_what_cannot_be_read_is_said(document, found):
    with pytest.raises(WorkflowError, match=found):
        convert(document, CATALOG)


def test_read_json():
    assert read_json_text('{"a": 18446744073709551615, "b": NaN}')["a"] == 2**64 - 1
    with pytest.raises(WorkflowError, match="no JSON"):
        read_json_text(b"\x89PNG\r\n")
    with pytest.raises(WorkflowError, match="nested too deeply"):
        read_json_text("[" * 200_000)
