"""Schemas in the shape that clients of `/object_info` read."""

from engine.graph.object_info import input_entry, object_info
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema


class AnyType(str):
    __slots__ = ()

    def __str__(self):
        return "not my text"


SCHEMA = NodeSchema(
    class_type="Load",
    display_name="Load It",
    category="loaders",
    inputs=(
        InputSchema("name", "COMBO", folder="vae", choices=("none",)),
        InputSchema("size", "INT", options={"default": 1}),
        InputSchema("image", "IMAGE", "optional"),
        InputSchema("prompt", "PROMPT", "hidden"),
    ),
    outputs=(OutputSchema("VAE", "vae", tooltip="weights"), OutputSchema("INT", "n", is_list=True)),
    description="Loads.",
    is_output=True,
    deprecated=True,
)


def test_the_whole_entry():
    assert object_info(SCHEMA, lambda kind: [f"{kind}.pt"]) == {
        "input": {
            "required": {"name": [["vae.pt", "none"]], "size": ["INT", {"default": 1}]},
            "optional": {"image": ["IMAGE"]},
            "hidden": {"prompt": "PROMPT"},
        },
        "input_order": {
            "required": ["name", "size"],
            "optional": ["image"],
            "hidden": ["prompt"],
        },
        "output": ["VAE", "INT"],
        "output_is_list": [False, True],
        "output_name": ["vae", "n"],
        "output_tooltips": ["weights", None],
        "name": "Load",
        "display_name": "Load It",
        "description": "Loads.",
        "python_module": "nodes",
        "category": "loaders",
        "output_node": True,
        "deprecated": True,
    }


def test_a_combo_takes_the_newer_form_only_where_it_must():
    plain = InputSchema("x", "COMBO", choices=("a",), options={"default": "a"})
    newer = InputSchema("x", "COMBO", choices=("a",), options={"multiselect": True})
    remote = InputSchema("x", "COMBO", options={"remote": {"route": "/r"}}, folder="output")
    assert input_entry(plain) == [["a"], {"default": "a"}]
    assert input_entry(newer) == ["COMBO", {"multiselect": True, "options": ["a"]}]
    assert input_entry(remote) == ["COMBO", {"remote": {"route": "/r"}}]


def test_types_that_play_tricks_come_out_as_their_text():
    found = input_entry(InputSchema("x", AnyType("*")))[0]
    assert (found, type(found)) == ("*", str)
