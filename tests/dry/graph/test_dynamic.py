"""Inputs that multiply, and inputs that depend on a choice."""

from engine.graph.dynamic import concrete_inputs
from engine.graph.schema import InputSchema, NodeSchema

GROWING = InputSchema(
    "images",
    "COMFY_AUTOGROW_V3",
    options={
        "template": {
            "input": {"required": {"image": ["IMAGE", {}]}},
            "prefix": "image",
            "min": 2,
            "max": 4,
        }
    },
)
NAMED = InputSchema(
    "values",
    "COMFY_AUTOGROW_V3",
    "optional",
    options={"template": {"input": {"required": {"v": ["FLOAT"]}}, "names": ["a", "b", "c"]}},
)
CHOOSING = InputSchema(
    "format",
    "COMFY_DYNAMICCOMBO_V3",
    options={
        "options": [
            {"key": "png", "inputs": {"required": {"level": ["INT", {"default": 4}]}}},
            {
                "key": "mp4",
                "inputs": {
                    "required": {"codec": [["h264", "vp9"], {}]},
                    "optional": {"tracks": [GROWING.type, GROWING.options]},
                },
            },
        ]
    },
)


def names(given, *inputs):
    schema = NodeSchema("A", "A", "test", inputs=inputs)
    return [(each.name, each.type, each.section) for each in concrete_inputs(schema, given)]


def test_plain_inputs_are_themselves():
    schema = NodeSchema("A", "A", "test", inputs=(InputSchema("x", "INT"),))
    assert concrete_inputs(schema, {"y": 1}) is schema.inputs


def test_growing_inputs_are_required_up_to_the_minimum():
    assert names({"images.image2": 1, "images.image9": 1, "other": 1}, GROWING) == [
        ("images.image0", "IMAGE", "required"),
        ("images.image1", "IMAGE", "required"),
        ("images.image2", "IMAGE", "optional"),
    ]


def test_growing_inputs_with_names_in_the_optional_section():
    assert names({"values.c": 1.0}, NAMED) == [("values.c", "FLOAT", "optional")]
    assert names({}, NAMED) == []


def test_a_choice_brings_its_inputs():
    assert names({"format": "png"}, CHOOSING) == [
        ("format", "COMBO", "required"),
        ("format.level", "INT", "required"),
    ]
    assert names({"format": "mp4", "format.tracks.image0": 1}, CHOOSING) == [
        ("format", "COMBO", "required"),
        ("format.codec", "COMBO", "required"),
        ("format.tracks.image0", "IMAGE", "optional"),
    ]


def test_without_a_choice_the_first_holds_and_an_unknown_one_brings_nothing():
    assert names({}, CHOOSING)[1][0] == "format.level"
    assert names({"format": "gif"}, CHOOSING) == [("format", "COMBO", "required")]
    schema = NodeSchema("A", "A", "test", inputs=(CHOOSING,))
    assert concrete_inputs(schema, {})[0].choices == ("png", "mp4")
