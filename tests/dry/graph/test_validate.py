"""Validation: the API's error types and shapes, and prompts that are large or hostile."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PromptError
from engine.graph.problems import refusal
from engine.graph.prompt import parse
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema
from engine.graph.validate import validate


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
        schema("Make", InputSchema("x", "INT", options={"min": 0, "max": 9}), outputs=["IMAGE"]),
        schema("Empty", outputs=["IMAGE", "MASK"]),
        schema(
            "Join",
            InputSchema("a", "IMAGE"),
            InputSchema("b", "IMAGE", "optional"),
            outputs=["IMAGE"],
        ),
        schema("Save", InputSchema("image", "IMAGE"), is_output=True),
        schema("Lone", is_output=True),
        schema(
            "All",
            InputSchema("int", "INT", "optional", {"min": -5, "max": 5}),
            InputSchema("float", "FLOAT", "optional", {"min": 0.0, "max": 1.0}),
            InputSchema("text", "STRING", "optional"),
            InputSchema("flag", "BOOLEAN", "optional"),
            InputSchema("combo", "COMBO", "optional", choices=("a", "b", 3)),
            InputSchema("long", "COMBO", "optional", choices=tuple(range(21))),
            InputSchema("many", "COMBO", "optional", {"multiselect": True}, choices=("a", "b")),
            InputSchema("file", "COMBO", "optional", folder="checkpoints", choices=("none",)),
            InputSchema("mask", "MASK", "optional"),
            InputSchema("prompt", "PROMPT", "hidden"),
            is_output=True,
        ),
        schema(
            "Free",
            InputSchema("int", "INT", options={"max": 5}),
            InputSchema("combo", "COMBO", choices=("a",)),
            InputSchema("mask", "MASK", "optional"),
            is_output=True,
            checks=frozenset({"int", "combo"}),
            checks_input_types=True,
        ),
        schema(
            "Grow",
            InputSchema(
                "images",
                "COMFY_AUTOGROW_V3",
                options={"template": {"input": {"required": {"image": ["IMAGE"]}}, "min": 1}},
            ),
            is_output=True,
        ),
    ]
}


def folder(name):
    return {"checkpoints": ["one.safetensors", "sub/two.safetensors"]}[name]


def check(nodes, **more):
    raw = {
        key: {"class_type": class_type, "inputs": inputs}
        for key, (class_type, inputs) in nodes.items()
    }
    return validate(parse(raw), CATALOG, list_folder=folder, **more)


def only_error(report, node_id="1"):
    (error,) = report.node_errors[node_id].errors
    json.dumps(report.to_json())
    return error


def test_a_sound_prompt():
    report = check({"1": ("Make", {"x": 3}), "2": ("Save", {"image": ["1", 0]})})
    assert report.error is None
    assert report.outputs == ("2",)
    assert report.node_errors == {}


@pytest.mark.parametrize(
    ("given", "coerced"),
    [
        ({"int": "4"}, {"int": 4}),
        ({"int": 4.9}, {"int": 4}),
        ({"int": True}, {"int": 1}),
        ({"float": "0.5"}, {"float": 0.5}),
        ({"float": 1}, {"float": 1.0}),
        ({"text": 12}, {"text": "12"}),
        ({"flag": 1}, {"flag": True}),
        ({"flag": ""}, {"flag": False}),
        ({"file": "sub\\two.safetensors"}, {"file": "sub/two.safetensors"}),
        ({"file": "none"}, {"file": "none"}),
        ({"many": {"__value__": ["a", "b"]}}, {"many": ["a", "b"]}),
        ({"unknown": {"x": 1}}, {"unknown": {"x": 1}}),
    ],
)
def test_literals_are_coerced(given, coerced):
    report = check({"1": ("All", given)})
    assert report.error is None, report.to_json()
    found = report.prompt.nodes["1"].inputs
    assert found == coerced
    assert [type(value) for value in found.values()] == [type(each) for each in coerced.values()]


@pytest.mark.parametrize(
    ("class_type", "inputs", "kind", "details", "extra"),
    [
        ("Save", {}, "required_input_missing", "image", {"input_name"}),
        (
            "Save",
            {"image": ["1", 0, 0]},
            "bad_linked_input",
            "image, received ['1', 0, 0]",
            {"input_name", "input_config", "received_value"},
        ),
        (
            "Save",
            {"image": ["5", 1]},
            "return_type_mismatch",
            "image, received_type(MASK) mismatch input_type(IMAGE)",
            {"input_name", "input_config", "received_type", "linked_node"},
        ),
        (
            "All",
            {"int": "x"},
            "invalid_input_type",
            "int, x, invalid literal",
            {"input_name", "input_config", "received_value", "exception_message"},
        ),
        ("All", {"int": None}, "invalid_input_type", "int, None", None),
        ("All", {"float": "nan"}, "invalid_input_type", "float, nan", None),
        ("All", {"float": "1e999"}, "invalid_input_type", "float, 1e999", None),
        ("All", {"float": {"a": 1}}, "invalid_input_type", "float, ", None),
        (
            "All",
            {"int": -6},
            "value_smaller_than_min",
            "int",
            {"input_name", "input_config", "received_value"},
        ),
        ("All", {"int": "6"}, "value_bigger_than_max", "int", None),
        ("All", {"float": 1.5}, "value_bigger_than_max", "float", None),
        (
            "All",
            {"combo": "c"},
            "value_not_in_list",
            "combo: 'c' not in ['a', 'b', 3]",
            {"input_name", "input_config", "received_value"},
        ),
        ("All", {"long": 99}, "value_not_in_list", "long: '99' not in (list of length 21)", None),
        ("All", {"many": {"__value__": ["a", "z"]}}, "value_not_in_list", "many: '['z']'", None),
        ("All", {"file": "gone"}, "value_not_in_list", "file: 'gone' not in ['none', 'one.", None),
        ("All", {"file": {"a": []}}, "value_not_in_list", "file: ", None),
        ("All", {"mask": ["gone", 0]}, "exception_during_validation", "mask, linked to", None),
        ("All", {"mask": ["5", 2]}, "exception_during_validation", "Empty has 2 output(s)", None),
        ("All", {"else": ["gone", 0]}, "exception_during_validation", "else, linked to", None),
        ("Grow", {}, "required_input_missing", "images.image0", None),
        ("Grow", {"images.image0": ["5", 1]}, "return_type_mismatch", "images.image0", None),
    ],
)
def test_each_error(class_type, inputs, kind, details, extra):
    report = check({"1": (class_type, inputs), "5": ("Empty", {})})
    error = only_error(report)
    assert error.type == kind
    assert details in error.details
    assert extra is None or set(error.extra_info) == extra
    assert report.node_errors["1"].dependent_outputs == ("1",)
    assert report.outputs == ()
    assert report.error.type == "prompt_outputs_failed_validation"
    assert f"{error.message}: {error.details}" in report.error.details


def test_the_shape_of_a_refusal():
    report = check({"7": ("All", {"int": 9})})
    config = ["INT", {"min": -5, "max": 5}]
    assert report.to_json() == {
        "error": {
            "type": "prompt_outputs_failed_validation",
            "message": "No output node can run",
            "details": "Value 9 bigger than max of 5: int",
            "extra_info": {},
        },
        "node_errors": {
            "7": {
                "errors": [
                    {
                        "type": "value_bigger_than_max",
                        "message": "Value 9 bigger than max of 5",
                        "details": "int",
                        "extra_info": {
                            "input_name": "int",
                            "input_config": config,
                            "received_value": 9,
                        },
                    }
                ],
                "dependent_outputs": ["7"],
                "class_type": "All",
            }
        },
    }


def test_long_lists_are_not_sent_back():
    assert only_error(check({"1": ("All", {"long": 99})})).extra_info["input_config"] is None
    short = only_error(check({"1": ("All", {"combo": 9})}))
    assert short.extra_info["input_config"] == [["a", "b", 3], {}]


def test_a_combo_of_files_is_left_alone_without_folders():
    raw = {"1": {"class_type": "All", "inputs": {"file": "gone"}}}
    assert validate(parse(raw), CATALOG).error is None


def test_a_node_that_checks_itself():
    nodes = {"1": ("Free", {"int": 99, "combo": "z", "mask": ["5", 0]}), "5": ("Empty", {})}
    assert check(nodes).error is None

    def complain(node_id, node):
        return [f"int - {node.inputs['int']}"] if node_id == "1" else []

    error = only_error(check(nodes, complain=complain))
    assert (error.type, error.details) == ("custom_validation_failed", "int - 99")


def test_one_good_output_is_enough():
    report = check(
        {
            "1": ("Make", {"x": 99}),
            "2": ("Save", {"image": ["1", 0]}),
            "3": ("Empty", {}),
            "4": ("Save", {"image": ["3", 0]}),
            "5": ("Join", {"a": ["1", 0], "b": ["3", 0]}),
            "6": ("Save", {"image": ["5", 0]}),
        }
    )
    assert report.error is None
    assert report.outputs == ("4",)
    assert list(report.node_errors) == ["1"]
    assert report.node_errors["1"].dependent_outputs == ("2", "6")


def test_only_what_is_wanted_is_checked():
    nodes = {"1": ("Lone", {}), "2": ("Save", {}), "3": ("Make", {"x": 1000})}
    assert check(nodes).outputs == ("1",)
    assert check(nodes, wanted=["1"]).node_errors == {}
    assert check(nodes, wanted=["3"]).error.type == "prompt_no_outputs"
    assert check({}).error.type == "prompt_no_outputs"


def test_missing_classes_are_all_named():
    report = check({"1": ("Lone", {}), "2": ("Gone", {}), "3": ("Away", {})})
    assert report.error.type == "invalid_prompt"
    assert report.error.details == "Node ID '#2'"
    assert "Away, Gone" in report.error.message
    kinds = {key: [each.type for each in found.errors] for key, found in report.node_errors.items()}
    assert kinds == {"2": ["missing_node_type"], "3": ["missing_node_type"]}


def test_missing_classes_of_families_are_said_to_be_theirs():
    nodes = {"1": ("TextEncodeAceStepAudio", {}), "2": ("KlingVideoNode", {})}
    report = check(nodes)
    assert "plugin is needed" in report.error.message
    text = (
        "This version of Calotype has no TextEncodeAceStepAudio: it belongs to the model family "
        "ACE-Step"
    )
    assert f"{text}. " in report.error.message
    assert report.node_errors["1"].errors[0].message == text
    assert "hosted service" in report.node_errors["2"].errors[0].message
    mixed = check({**nodes, "3": ("Gone", {})}).error.message
    assert mixed.endswith("For the others, install the plugins that bring them, or take them out")


def test_what_cannot_be_read_has_the_same_shape():
    with pytest.raises(PromptError) as caught:
        parse({"1": {"inputs": {}}})
    body = refusal(caught.value)
    assert body["error"]["type"] == "invalid_prompt"
    assert body["error"]["details"] == "Node ID '#1'"
    assert body["node_errors"] == {}


def test_a_circle_is_a_problem_with_its_path():
    report = check(
        {
            "1": ("Join", {"a": ["3", 0]}),
            "2": ("Join", {"a": ["1", 0]}),
            "3": ("Join", {"a": ["2", 0]}),
            "4": ("Save", {"image": ["3", 0]}),
            "5": ("Lone", {}),
        }
    )
    assert report.outputs == ("5",)
    (errors,) = report.node_errors.values()
    assert errors.errors[0].type == "dependency_cycle"
    assert errors.errors[0].details == "3 -> 1 -> 2 -> 3"
    assert errors.dependent_outputs == ("4",)


def test_a_chain_of_a_hundred_thousand_nodes():
    nodes = {"0": ("Make", {"x": "10"})}
    nodes |= {str(i): ("Join", {"a": [str(i - 1), 0]}) for i in range(1, 100_000)}
    nodes["out"] = ("Save", {"image": ["99999", 0]})
    report = check(nodes)
    assert only_error(report, "0").type == "value_bigger_than_max"
    assert report.node_errors["0"].dependent_outputs == ("out",)


def test_a_circle_of_many_thousand_nodes_is_told_in_few_words():
    count = 20_000
    nodes = {
        str(i): ("Join", {"a": [str((i + 1) % count), 0], "b": ["0", 0]}) for i in range(count)
    }
    nodes["out"] = ("Save", {"image": ["0", 0]})
    report = check(nodes)
    assert report.outputs == ()
    details = report.node_errors[str(count - 1)].errors[0].details
    assert details.startswith("0 -> 19999 -> 19998")
    assert len(details) < 300


def test_many_failing_outputs_are_listed_up_to_a_limit():
    nodes = {"0": ("Make", {"x": 10})}
    nodes |= {f"s{i}": ("Save", {"image": ["0", 0], "y": ["gone", 0]}) for i in range(2000)}
    report = check(nodes)
    assert len(report.node_errors) == 2001
    assert report.node_errors["s7"].dependent_outputs == ("s7",)
    assert len(report.node_errors["0"].dependent_outputs) == 100


LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
    | st.sampled_from([["1", 0], ["2", 1], ["gone", 0]]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)
INPUTS = st.dictionaries(
    st.sampled_from([each.name for every in CATALOG.values() for each in every.inputs]),
    LITERALS,
    max_size=5,
)
NODES = st.dictionaries(
    st.sampled_from(["1", "2", "3", "4"]),
    st.fixed_dictionaries({"class_type": st.sampled_from([*CATALOG, "Gone"]), "inputs": INPUTS}),
)


@given(NODES)
def test_any_prompt_gets_a_report(raw):
    report = validate(parse(raw), CATALOG, list_folder=folder)
    assert (report.error is None) == bool(report.outputs)
    again = validate(report.prompt, CATALOG, list_folder=folder)
    assert again.outputs == report.outputs
    assert again.prompt.nodes == report.prompt.nodes
