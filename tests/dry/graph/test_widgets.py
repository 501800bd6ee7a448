"""Values of saved widgets, from lists, dicts and lists with names."""

import pytest

from engine.graph.saved_graph import SavedInput, SavedNode
from engine.graph.schema import InputSchema, NodeSchema
from engine.graph.widgets import default_of, follow_choices, widget_values


def combo(name, *choices, **options):
    return InputSchema(name, "COMBO", options=options, choices=choices)


SAMPLER = NodeSchema(
    "Sampler",
    "Sampler",
    "test",
    inputs=(
        InputSchema("model", "MODEL"),
        InputSchema("seed", "INT", options={"default": 0}),
        InputSchema("steps", "INT", options={"default": 20}),
        combo("sampler_name", "euler", "heun"),
        InputSchema("cfg", "FLOAT", "optional", {"default": 8.0}),
        InputSchema("id", "UNIQUE_ID", "hidden"),
    ),
)
FORCED = NodeSchema(
    "Forced",
    "Forced",
    "test",
    inputs=(
        InputSchema("a", "INT"),
        InputSchema("b", "INT", options={"forceInput": True}),
        InputSchema("c", "STRING"),
    ),
)
CHOOSING = NodeSchema(
    "Choosing",
    "Choosing",
    "test",
    inputs=(
        InputSchema(
            "format",
            "COMFY_DYNAMICCOMBO_V3",
            options={
                "options": [
                    {"key": "png", "inputs": {"required": {"level": ["INT", {"default": 4}]}}},
                    {
                        "key": "mp4",
                        "inputs": {
                            "required": {"codec": [["h264"], {}], "rate": ["FLOAT", {}]},
                        },
                    },
                ]
            },
        ),
        InputSchema("prefix", "STRING"),
    ),
)


def values(schema, saved, named=None, inputs=()):
    node = SavedNode("1", "A", values=saved, named_values=named, inputs=inputs)
    return widget_values(node, schema)


FULL = {"seed": 7, "steps": 9, "sampler_name": "heun", "cfg": 3.0}


@pytest.mark.parametrize(
    "saved",
    [
        [7, "randomize", 9, "heun", 3.0],
        [7, "fixed", 9, "heun", 3.0, "more", None],
        [7, True, 9, "heun", 3.0],
        [7, 9, "heun", 3.0],
        [7, "increment", 9, "sample_heun", 3.0],
        {"cfg": 3.0, "steps": 9, "seed": 7, "sampler_name": "heun", "preview": {}},
    ],
)
def test_a_sampler(saved):
    assert values(SAMPLER, saved) == FULL


def test_what_is_missing_takes_its_default():
    defaults = {"seed": 0, "steps": 20, "sampler_name": "euler", "cfg": 8.0}
    assert values(SAMPLER, None) == defaults
    assert values(SAMPLER, []) == defaults
    assert values(SAMPLER, [7, "fixed", None, None]) == defaults | {"seed": 7}
    assert values(SAMPLER, "nonsense") == defaults


def test_seeds_stay_exact():
    assert values(SAMPLER, [2**64 - 1, "fixed"])["seed"] == 2**64 - 1


def test_a_control_word_that_is_a_choice_is_a_choice():
    schema = NodeSchema(
        "A", "A", "t", inputs=(InputSchema("seed", "INT"), combo("mode", "fixed", "free"))
    )
    assert values(schema, [7, "fixed"]) == {"seed": 7, "mode": "fixed"}


def test_a_flag_stays_a_flag_after_a_seed():
    schema = NodeSchema(
        "A", "A", "t", inputs=(InputSchema("seed", "INT"), InputSchema("flag", "BOOLEAN"))
    )
    assert values(schema, [7, True]) == {"seed": 7, "flag": True}
    assert values(schema, [7, "fixed", True]) == {"seed": 7, "flag": True}


def test_names_repair_an_order_that_has_changed():
    named = {"steps": 9, "seed": 7, "control_after_generate": "fixed", "sampler_name": "heun"}
    found = values(SAMPLER, [9, 7, "fixed", "heun"], named)
    assert found == FULL | {"cfg": 8.0}


def test_names_tell_dropped_inputs_from_renamed_ones():
    dropped = {"seed": 7, "gone": 1, "steps": 9, "sampler_name": "heun", "cfg": 3.0}
    assert values(SAMPLER, list(dropped.values()), dropped) == FULL
    renamed = {"seed": 7, "fixed": "fixed", "count": 9, "sampler_name": "heun", "cfg": 3.0}
    assert values(SAMPLER, list(renamed.values()), renamed) == FULL


def test_the_list_wins_over_values_beside_it():
    named = {"seed": 1, "x": "fixed", "steps": 2, "sampler_name": "euler", "cfg": 1.0}
    assert values(SAMPLER, [7, "fixed", 9, "heun", 3.0], named) == FULL


def test_old_files_hold_entries_for_inputs_that_can_only_be_linked():
    assert values(FORCED, [1, "text"]) == {"a": 1, "c": "text"}
    assert values(FORCED, [1, 2, "text"]) == {"a": 1, "c": "text"}


def test_a_choice_decides_how_many_values_follow():
    assert values(CHOOSING, ["mp4", "h264", 25.0, "out"]) == {
        "format": "mp4",
        "format.codec": "h264",
        "format.rate": 25.0,
        "prefix": "out",
    }
    assert values(CHOOSING, ["png", 9, "out"]) == {
        "format": "png",
        "format.level": 9,
        "prefix": "out",
    }
    assert values(CHOOSING, None) == {"format": "png", "format.level": 4, "prefix": ""}


def test_drawn_widgets_have_entries_too_unless_they_can_only_be_linked():
    curve = {"points": [[0, 0], [1, 1]], "interpolation": "linear"}
    drawn = NodeSchema(
        "Drawn",
        "Drawn",
        "test",
        inputs=(
            InputSchema("tint", "COLOR"),
            InputSchema("tone", "CURVE"),
            InputSchema("boxes", "BOUNDING_BOX", options={"forceInput": True}),
            InputSchema("steps", "INT"),
        ),
    )
    saved = SavedNode("1", "Drawn", values=["#336699", curve, 4])
    assert widget_values(saved, drawn) == {"tint": "#336699", "tone": curve, "steps": 4}


def test_the_buttons_beside_a_model_have_entries_too():
    loading = NodeSchema(
        "Load3D",
        "Load3D",
        "test",
        inputs=(
            InputSchema("model_file", "COMBO", folder="input_3d", options={"file_upload": True}),
            InputSchema("image", "LOAD_3D", options={"widgetType": "LOAD_3D"}),
            InputSchema("width", "INT"),
            InputSchema("height", "INT"),
        ),
    )
    saved = ["toy.glb", "upload3dmodel", "uploadExtraResources", "clear", "", 1024, 512]
    expected = {"model_file": "toy.glb", "image": "", "width": 1024, "height": 512}
    assert values(loading, saved) == expected


def test_a_plugins_own_widget_is_known_by_its_slot():
    schema = NodeSchema("A", "A", "t", inputs=(InputSchema("box", "BOX"), InputSchema("n", "INT")))
    slot = SavedInput("box", "BOX", widget="box")
    assert values(schema, [[1, 2], 3]) == {"n": [1, 2]}
    assert values(schema, [[1, 2], 3], inputs=(slot,)) == {"box": [1, 2], "n": 3}


def test_without_a_schema_the_file_names_the_values():
    slots = tuple(SavedInput(name, "INT", widget=name) for name in ("seed", "size"))
    assert values(None, [7, "fixed", 9], inputs=slots) == {"seed": 7, "size": 9}
    assert values(None, [7, 9], inputs=slots) == {"seed": 7, "size": 9}
    assert values(None, [7, 9, 11], inputs=slots) == {}
    assert values(None, {"a": 1}) == {"a": 1}
    assert values(None, [7, "fixed"], {"a": 7, "control_after_generate": "fixed"}) == {"a": 7}
    assert values(None, None) == {}


CUSTOM = NodeSchema(
    "CustomCombo",
    "Custom Combo",
    "test",
    inputs=(
        combo("choice"),
        InputSchema("index", "INT", "optional", {"default": 0, "place_of": "choice"}),
    ),
)


@pytest.mark.parametrize(
    ("saved", "override", "expected"),
    [
        (["b", 1, "a", "b", "c", ""], None, ("b", 1)),
        (["b", 0, "a", "b", "c", ""], None, ("b", 1)),
        (["b", 1, "a", "b", "c", ""], "c", ("c", 2)),
        (["b", "a", "b", ""], None, ("b", 1)),  # before the place existed
        (["b", "a", "b", ""], "a", ("a", 0)),
        (["b"], None, ("b", 0)),
        (["gone", 2, "a", "b", ""], None, ("gone", 2)),
        (["gone", "a", "b", ""], None, ("gone", 0)),
        (["", 2, "a", "b", ""], None, ("", 2)),
        (
            {"choice": "b", "index": 0, "option2": "b", "option1": "a", "option10": ""},
            None,
            ("b", 1),
        ),
        ({"choice": "b"}, None, ("b", 0)),
    ],
)
def test_a_place_follows_its_choice(saved, override, expected):
    node = SavedNode("1", "CustomCombo", values=saved)
    inputs = widget_values(node, CUSTOM)
    if override is not None:  # as an instance of a subgraph does
        inputs["choice"] = override
    follow_choices(inputs, node, CUSTOM)
    assert (inputs["choice"], inputs["index"]) == expected


def test_a_place_of_a_linked_choice_stays():
    node = SavedNode("1", "CustomCombo", values=["b", 1, "a", "b", ""])
    inputs = widget_values(node, CUSTOM) | {"choice": ["7", 0]}
    follow_choices(inputs, node, CUSTOM)
    assert inputs == {"choice": ["7", 0], "index": 1}


def test_defaults():
    assert default_of(combo("x")) is None
    assert default_of(combo("x", "a", "b")) == "a"
    assert default_of(combo("x", "a", "b", default="b")) == "b"
    assert default_of(InputSchema("x", "STRING")) == ""
    assert default_of(InputSchema("x", "IMAGE")) is None
