"""Subgraphs become their nodes, with the values that their instances hold."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import WorkflowError
from engine.graph.prompt import to_api
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema
from engine.graph.workflow import convert

INT, STRING, MODEL, LATENT = "INT", "STRING", "MODEL", "LATENT"
CATALOG = {
    name: NodeSchema(
        name,
        name,
        "test",
        inputs=tuple(InputSchema(*each) for each in inputs),
        outputs=tuple(OutputSchema(kind, kind) for kind in outputs),
    )
    for name, inputs, outputs in [
        ("Load", [("name", STRING)], [MODEL]),
        ("Sample", [("model", MODEL), ("seed", INT), ("steps", INT)], [LATENT]),
        ("Save", [("samples", LATENT), ("filename_prefix", STRING)], []),
        ("Show", [("source", "*")], [STRING]),
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


def saved(*nodes, links=(), subgraphs=(), **more):
    return {
        "nodes": list(nodes),
        "links": [[*link, "*"] for link in links],
        "definitions": {"subgraphs": list(subgraphs)},
        "version": 0.4,
        **more,
    }


def subgraph(uuid, *nodes, links=(), inputs=(), outputs=()):
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return {
        "id": uuid,
        "name": uuid.upper(),
        "nodes": list(nodes),
        "links": [dict(zip(keys, link, strict=True)) for link in links],
        "inputs": [{"name": name, "type": kind} for name, kind in inputs],
        "outputs": [{"name": name, "type": kind} for name, kind in outputs],
    }


def inputs_of(document):
    prompt = to_api(convert(document, CATALOG).require_classes())
    return {key: each["inputs"] for key, each in prompt.items()}


LOAD = node(1, "Load", outputs=["MODEL", "CLIP"], values=["x"])


def sample(node_id, link, values=(7, "fixed", 9), **more):
    inputs = [("model", "MODEL", link), *more.pop("extra", ())]
    return node(node_id, "Sample", inputs, ["LATENT"], list(values), **more)


INNER = subgraph(
    "inner",
    sample(1, 1, extra=[("seed", "INT", 2, "seed"), ("steps", "INT", 3, "steps")]),
    links=[(1, -10, 0, 1, 0), (2, -10, 1, 1, 1), (3, -10, 2, 1, 2), (4, 1, 0, -20, 0)],
    inputs=[("model", "MODEL"), ("seed", "INT"), ("count", "INT")],
    outputs=[("out", "LATENT")],
)


def hosted(values=None, inputs=None, **more):
    instance = node(57, "inner", inputs or [("model", "MODEL", 5)], ["LATENT"], values, **more)
    save = node(3, "Save", [("samples", "LATENT", 6)], values=["pre"])
    return saved(
        LOAD, instance, save, links=[(5, 1, 0, 57, 0), (6, 57, 0, 3, 0)], subgraphs=[INNER]
    )


def test_an_instance_is_expanded_and_its_ids_are_paths():
    assert inputs_of(hosted()) == {
        "1": {"name": "x"},
        "57:1": {"seed": 7, "steps": 9, "model": ["1", 0]},
        "3": {"samples": ["57:1", 0], "filename_prefix": "pre"},
    }


PROMOTED = {"seed": 70, "steps": 90, "model": ["1", 0]}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        # The first generation: the values are inside.
        (hosted([], properties={"proxyWidgets": [["1", "seed"]]}), {"seed": 7, "steps": 9}),
        (
            hosted([70, 90], properties={"proxyWidgets": [["1", "seed"], ["1", "7: steps"]]}),
            PROMOTED,
        ),
        # The second: promoted through an input, values in line, null for unset, previews without.
        (
            hosted([70, 90], properties={"proxyWidgets": [["-1", "seed"], ["-1", "count"]]}),
            PROMOTED,
        ),
        (
            hosted([None, 90], properties={"proxyWidgets": [["-1", "seed"], ["-1", "count"]]}),
            {"seed": 7, "steps": 90},
        ),
        (
            hosted([70], properties={"proxyWidgets": [["-1", "seed"], ["4", "$$canvas"]]}),
            {"seed": 70, "steps": 9},
        ),
        # Values for the subgraph's inputs only, beside promotions of widgets inside.
        (
            hosted([90], properties={"proxyWidgets": [["-1", "count"], ["1", "x"], ["1", "y"]]}),
            {"seed": 7, "steps": 90},
        ),
        (
            hosted([1, 2, 3], properties={"proxyWidgets": [["-1", "seed"]]}),
            {"seed": 7, "steps": 9},
        ),
        # The third: one value per input that leads to a widget.
        (hosted([70, 90]), PROMOTED),
        (hosted([70]), {"seed": 70, "steps": 9}),
        (hosted([9, 9, 9], widgets_values_named={"count": 90, "seed": 70}), PROMOTED),
        (hosted({"count": 90, "seed": 70}), PROMOTED),
        (
            hosted(
                [70, 90],
                properties={
                    "proxyWidgetErrorQuarantine": [
                        {"originalEntry": ["-1", "seed"], "hostValue": 700}
                    ]
                },
            ),
            {"seed": 700, "steps": 90},
        ),
        # Quarantined without a value: the list's value applies.
        (
            hosted(
                [70, 90],
                properties={"proxyWidgetErrorQuarantine": [{"originalEntry": ["-1", "seed"]}]},
            ),
            PROMOTED,
        ),
    ],
)
def test_promoted_widgets(document, expected):
    assert inputs_of(document)["57:1"] == {"model": ["1", 0]} | expected


@pytest.mark.parametrize(("proxied", "expected"), [(None, 9), (30, 30)])
def test_a_socket_that_shares_an_input_with_a_field_gets_its_value(proxied, expected):
    """PreviewAny behind a width that is promoted: the instance has no link and no value for it."""
    extra = [("steps", "INT", 22, "steps")]
    inner = [
        sample(11, 20, extra=extra),
        node(12, "Show", [("source", "*", 23)], ["STRING"]),
    ]
    links = [(20, -10, 0, 11, 0), (21, 11, 0, -20, 0), (22, -10, 1, 11, 1), (23, -10, 1, 12, 0)]
    definition = subgraph(
        "abc",
        *inner,
        links=links,
        inputs=[("model", "MODEL"), ("steps", "INT")],
        outputs=[("LATENT", "LATENT")],
    )
    proxy = {"proxyWidgets": [["11", "steps"]]}
    document = saved(
        LOAD,
        node(5, "abc", [("model", "MODEL", 1)], ["LATENT"], values=[proxied], properties=proxy),
        node(9, "Save", [("samples", "LATENT", 2)], values=["x"]),
        links=[(1, 1, 0, 5, 0), (2, 5, 0, 9, 0)],
        subgraphs=[definition],
    )
    found = inputs_of(document)
    assert found["5:12"]["source"] == expected
    assert found["5:11"]["steps"] == expected


def test_a_linked_instance_input_wins_over_its_value():
    document = hosted([70, 90], inputs=[("seed", "INT", 8, "seed"), ("model", "MODEL", 5)])
    document["nodes"].append(node(4, "PrimitiveNode", outputs=["INT"], values=[1000]))
    document["links"].append([8, 4, 0, 57, 0, "INT"])
    assert inputs_of(document)["57:1"] == {"seed": 1000, "steps": 90, "model": ["1", 0]}


def nested(values=None, **more):
    outer = subgraph(
        "outer",
        node(
            7,
            "inner",
            [("model", "MODEL", 1), ("seed", "INT", 2, "seed")],
            ["LATENT"],
            more.pop("inner", None),
        ),
        node(1, "Reroute", [("", "*", 4)], ["*"]),
        links=[(1, -10, 0, 7, 0), (2, -10, 1, 7, 1), (4, 7, 0, 1, 0), (3, 1, 0, -20, 0)],
        inputs=[("m", "MODEL"), ("s", "INT")],
        outputs=[("o", "LATENT")],
    )
    instance = node(12, "outer", [("m", "MODEL", 5)], ["LATENT"], values, **more)
    save = node(3, "Save", [("samples", "LATENT", 6)], values=["pre"])
    return saved(
        LOAD, instance, save, links=[(5, 1, 0, 12, 0), (6, 12, 0, 3, 0)], subgraphs=[INNER, outer]
    )


def test_nested_instances():
    assert inputs_of(nested())["12:7:1"] == {"seed": 7, "steps": 9, "model": ["1", 0]}
    assert inputs_of(nested())["3"]["samples"] == ["12:7:1", 0]
    assert inputs_of(nested([70]))["12:7:1"]["seed"] == 70
    assert inputs_of(nested(inner=[70, 90]))["12:7:1"]["steps"] == 90
    through = {"proxyWidgets": [["7", "count"]]}
    assert inputs_of(nested([90], properties=through))["12:7:1"]["steps"] == 90


@pytest.mark.parametrize(("mode", "expected"), [(2, None), (4, None)])
def test_muted_and_bypassed_instances(mode, expected):
    found = inputs_of(hosted(mode=mode))
    assert set(found) == {"1", "3"}
    assert found["3"].get("samples") == expected


def test_a_bypassed_instance_hands_through():
    document = saved(
        LOAD,
        node(57, "inner", [("model", "MODEL", 5)], ["MODEL"], mode=4),
        sample(3, 6),
        links=[(5, 1, 0, 57, 0), (6, 57, 0, 3, 0)],
        subgraphs=[INNER],
    )
    assert inputs_of(document)["3"]["model"] == ["1", 0]


def test_a_subgraph_in_itself_is_an_error():
    loop = subgraph("loop", node(1, "loop"))
    with pytest.raises(WorkflowError, match="LOOP holds itself"):
        convert(saved(node(1, "loop"), subgraphs=[loop]), CATALOG)


def test_subgraphs_that_multiply_without_end_are_an_error(monkeypatch):
    monkeypatch.setattr("engine.graph.workflow_links.MAX_NODES", 1000)
    levels = [subgraph("l0", sample(1, None))]
    levels += [subgraph(f"l{i}", *[node(j, f"l{i - 1}") for j in range(9)]) for i in range(1, 9)]
    with pytest.raises(WorkflowError, match="over 1000 nodes"):
        convert(saved(node(1, "l8"), subgraphs=levels), CATALOG)
    deep = [subgraph(f"l{i}", node(1, f"l{i + 1}")) for i in range(100)]
    with pytest.raises(WorkflowError, match="more than 64 deep"):
        convert(saved(node(1, "l0"), subgraphs=deep), CATALOG)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 60) | st.text(max_size=3) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def damaged(draw):
    """A sound document with some of its values replaced by anything."""
    document = json.loads(json.dumps(draw(st.sampled_from([hosted([70, 90]), nested([1])]))))
    for _ in range(draw(st.integers(1, 3))):
        place = document
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            key = draw(st.sampled_from(list(keys)))
            if draw(st.booleans()) or not isinstance(place[key], dict | list):
                place[key] = draw(JSON)
                break
            place = place[key]
    return document


@settings(max_examples=300, deadline=None)
@given(damaged())
def test_a_damaged_document_converts_or_is_refused(document):
    try:
        convert(document, CATALOG)
    except WorkflowError as error:
        assert str(error)  # noqa: PT017 - either way is fine, but it must be said
