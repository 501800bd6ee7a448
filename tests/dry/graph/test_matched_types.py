"""Inputs that share a type: whatever is joined first decides, and what differs is refused by it."""

import pytest

from engine.graph.prompt import parse
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema
from engine.graph.validate import validate

MATCH = "COMFY_MATCHTYPE_V3"


def schema(class_type, *inputs, outputs=(), is_output=False):
    return NodeSchema(
        class_type, class_type, "test", inputs=inputs, outputs=tuple(outputs), is_output=is_output
    )


def matched(name, types="*", section="optional"):
    template = {"template_id": "one", "allowed_types": types}
    return InputSchema(name, MATCH, section, {"template": template})


TEMPLATE = {"template_id": "one", "allowed_types": "*"}
CATALOG = {
    each.class_type: each
    for each in [
        schema("Image", outputs=[OutputSchema("IMAGE", "IMAGE")]),
        schema("Mask", outputs=[OutputSchema("MASK", "MASK")]),
        schema("Any", outputs=[OutputSchema("*", "*")]),
        schema(
            "Switch", matched("a"), matched("b"), outputs=[OutputSchema(MATCH, "out", match="one")]
        ),
        schema(
            "Resize",
            matched("given", "IMAGE,MASK"),
            outputs=[OutputSchema(MATCH, "out", match="one")],
        ),
        schema(
            "List",
            InputSchema(
                "inputs",
                "COMFY_AUTOGROW_V3",
                options={
                    "template": {
                        "input": {"required": {"input": [MATCH, {"template": TEMPLATE}]}},
                        "min": 1,
                        "max": 9,
                        "prefix": "input",
                    }
                },
            ),
            outputs=[OutputSchema(MATCH, "list", is_list=True, match="one")],
        ),
        schema("Latent", outputs=[OutputSchema("LATENT", "LATENT")]),
        schema("Save", InputSchema("image", "IMAGE"), is_output=True),
        schema("Show", matched("value"), is_output=True),
    ]
}


def checked(**nodes):
    """Problems as `node input: received / wanted`; a node is its class and its links."""
    prompt = {
        key: {
            "class_type": class_type,
            "inputs": {name: [source, 0] for name, source in links.items()},
        }
        for key, (class_type, links) in nodes.items()
    }
    report = validate(parse(prompt), CATALOG)
    found = []
    for key, node in report.node_errors.items():
        for problem in node.errors:
            assert problem.type == "return_type_mismatch"
            found.append(f"{key} {problem.details}")
    return found


def test_inputs_that_multiply_share_a_type():
    both = {"inputs.input0": "image", "inputs.input1": "latent"}
    alike = {"inputs.input0": "image", "inputs.input1": "image"}
    wrong = checked(**SOURCES, list=("List", both), save=("Save", {"image": "list"}))
    assert wrong == ["list inputs.input1, received_type(LATENT) mismatch input_type(IMAGE)"]
    assert checked(**SOURCES, list=("List", alike), save=("Save", {"image": "list"})) == []
    latents = {"inputs.input0": "latent"}
    wrong = checked(**SOURCES, list=("List", latents), save=("Save", {"image": "list"}))
    assert wrong == ["save image, received_type(LATENT) mismatch input_type(IMAGE)"]


SOURCES = {
    "image": ("Image", {}),
    "mask": ("Mask", {}),
    "latent": ("Latent", {}),
    "any": ("Any", {}),
}


@pytest.mark.parametrize(
    "nodes",
    [
        {"s": ("Switch", {"a": "image", "b": "image"}), "out": ("Save", {"image": "s"})},
        {"s": ("Switch", {"a": "image"}), "out": ("Save", {"image": "s"})},
        {"s": ("Switch", {"a": "any", "b": "image"}), "out": ("Save", {"image": "s"})},
        {"s": ("Switch", {"a": "latent", "b": "any"}), "out": ("Show", {"value": "s"})},
        {"s": ("Switch", {}), "out": ("Save", {"image": "s"})},
        {
            "r": ("Resize", {"given": "image"}),
            "s": ("Switch", {"a": "r", "b": "image"}),
            "out": ("Save", {"image": "s"}),
        },
    ],
)
def test_what_agrees_is_accepted(nodes):
    assert checked(**SOURCES, **nodes) == []


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (
            {"s": ("Switch", {"a": "image", "b": "latent"}), "out": ("Show", {"value": "s"})},
            "s b, received_type(LATENT) mismatch input_type(IMAGE)",
        ),
        (
            {"s": ("Switch", {"a": "latent"}), "out": ("Save", {"image": "s"})},
            "out image, received_type(LATENT) mismatch input_type(IMAGE)",
        ),
        (
            {"r": ("Resize", {"given": "latent"}), "out": ("Show", {"value": "r"})},
            "r given, received_type(LATENT) mismatch input_type(IMAGE,MASK)",
        ),
        (
            {
                "r": ("Resize", {"given": "mask"}),
                "s": ("Switch", {"a": "image", "b": "r"}),
                "out": ("Save", {"image": "s"}),
            },
            "s b, received_type(MASK) mismatch input_type(IMAGE)",
        ),
        (
            {"s": ("Switch", {"a": "any", "b": "latent"}), "out": ("Save", {"image": "s"})},
            "out image, received_type(LATENT) mismatch input_type(IMAGE)",
        ),
    ],
)
def test_what_differs_is_refused_by_what_was_found(nodes, expected):
    assert checked(**SOURCES, **nodes) == [expected]
