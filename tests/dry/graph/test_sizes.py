"""Numbers that become sizes are bounded by the check, also over links and multiplied."""

import pytest

from engine.graph.prompt import parse
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema
from engine.graph.validate import validate

GB = 10**9
SIZE = {"min": 1, "max": 16384}


def schema(class_type, *inputs, output, **more):
    return NodeSchema(class_type, class_type, "", inputs, (OutputSchema(output, output),), **more)


CATALOG = {
    each.class_type: each
    for each in [
        schema("PrimitiveInt", InputSchema("value", "INT"), output="INT"),
        schema("PrimitiveFloat", InputSchema("value", "FLOAT"), output="FLOAT"),
        schema("Length", InputSchema("text", "STRING"), output="INT"),
        schema(
            "EmptyImage",
            InputSchema("width", "INT", options=SIZE),
            InputSchema("height", "INT", options=SIZE),
            InputSchema("batch_size", "INT", options={"min": 1, "max": 4096}),
            InputSchema("seed", "INT", "optional", {"max": 100}),
            output="IMAGE",
        ),
        schema(
            "EmptyLatent",
            InputSchema("width", "INT", options=SIZE),
            InputSchema("height", "INT", options=SIZE),
            InputSchema("batch_size", "INT", options={"min": 1, "max": 4096}),
            output="LATENT",
        ),
        schema(
            "RepeatImageBatch",
            InputSchema("image", "IMAGE"),
            InputSchema("amount", "INT", options={"min": 1, "max": 4096}),
            output="IMAGE",
        ),
        schema(
            "Scale",
            InputSchema("image", "IMAGE"),
            InputSchema("scale_by", "FLOAT", options={"min": 0.01, "max": 8.0}),
            output="IMAGE",
        ),
        NodeSchema("Save", "", "", (InputSchema("image", "*"),), is_output=True),
    ]
}


def check(nodes, *, most_bytes=16 * GB):
    raw = {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    raw["out"] = {"class_type": "Save", "inputs": {"image": [next(reversed(nodes)), 0]}}
    return validate(parse(raw), CATALOG, most_bytes=most_bytes)


def empty(width=64, height=64, batch_size=1, kind="EmptyImage", **more):
    return kind, {"width": width, "height": height, "batch_size": batch_size, **more}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (16384, None),
        (16385, "value_bigger_than_max"),
        (10**12, "value_bigger_than_max"),
        (0, "value_smaller_than_min"),
    ],
)
def test_a_constant_that_comes_over_a_link_is_bounded(value, problem):
    report = check({"1": ("PrimitiveInt", {"value": value}), "2": empty(width=["1", 0])})
    found = [each.type for node in report.node_errors.values() for each in node.errors]
    assert found == ([] if problem is None else [problem])


def test_other_numbers_may_be_over_their_bounds_where_they_come_over_a_link():
    report = check({"1": ("PrimitiveInt", {"value": 10**6}), "2": empty(seed=["1", 0])})
    assert report.node_errors == {}


@pytest.mark.parametrize(
    "nodes",
    [
        {"1": empty(16384, 16384, 4096)},
        {"1": empty(16384, 16384, 6)},
        {"1": empty(16384, 16384, 4096, kind="EmptyLatent")},
        {"1": empty(2048, 2048), "2": ("RepeatImageBatch", {"image": ["1", 0], "amount": 4096})},
        {
            "1": empty(16384, 16384),
            "2": ("Scale", {"image": ["1", 0], "scale_by": 8}),
            "3": ("Scale", {"image": ["2", 0], "scale_by": 8}),
        },
        {
            "0": ("PrimitiveInt", {"value": 4096}),
            "1": empty(4096, ["0", 0], ["0", 0]),
        },
    ],
)
def test_a_product_that_no_memory_holds_is_refused_in_words(nodes):
    report = check(nodes)
    (node,) = report.node_errors.values()
    (problem,) = node.errors
    assert "memory" in problem.message
    assert "this machine has 16.0 GB" in problem.details


@pytest.mark.parametrize(
    "nodes",
    [
        {"1": empty(16384, 16384, 4)},
        {"1": empty(1024, 1024, 4096, kind="EmptyLatent")},
        {"1": empty(512, 512), "2": ("RepeatImageBatch", {"image": ["1", 0], "amount": 4096})},
    ],
)
def test_what_fits_is_accepted(nodes):
    assert check(nodes).node_errors == {}


def test_without_a_number_of_bytes_nothing_is_reckoned():
    assert check({"1": empty(16384, 16384, 4096)}, most_bytes=None).node_errors == {}


def test_what_a_node_computes_is_not_guessed():
    nodes = {"1": ("Length", {"text": "x"}), "2": empty(width=["1", 0])}
    assert check(nodes).node_errors == {}
