"""What plugins declare survives its way to the server: tricks with types, and odd options."""

# ruff: noqa: N802, RUF005 - written as plugins are

import math
from enum import Enum
from pathlib import Path

import pytest

from engine.errors import CalotypeError
from engine.graph.catalog_file import pack_catalog, read_pack_catalog
from engine.graph.object_info import object_info
from engine.graph.prompt import parse
from engine.graph.schema import OutputSchema
from engine.graph.sockets import joins
from engine.graph.validate import validate
from engine.nodekit.folder_list import FolderList
from engine.nodekit.v1_schema import read_v1_schema


class AnyType(str):
    __slots__ = ()

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None


class AnyIndex(tuple):
    __slots__ = ()

    def __getitem__(self, index):
        return super().__getitem__(min(index, len(self) - 1))


class Flexible(dict):
    def __contains__(self, key):
        return True

    def __getitem__(self, key):
        return (AnyType("anything"),)


class Tricky:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "value": (AnyType("anything"),),
                "lora": (FolderList("loras", ["a.pt"]),),
                "maybe": (["None"] + FolderList("loras", ["a.pt"]),),
                "size": ("INT", {"default": 1, "max": math.inf, "where": Path("x"), "few": {1}}),
                "mode": (["a"], {"default": Enum("Mode", "A").A}),
            },
            "optional": Flexible(),
        }

    RETURN_TYPES = AnyIndex((AnyType("anything"),))
    FUNCTION = "run"


class Sink:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"picture": ("IMAGE",), "any": ("MODEL",)}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"


def through_json(**classes):
    catalog = {
        name: read_v1_schema(found, name, display_name=None, python_module="custom_nodes.x")
        for name, found in classes.items()
    }
    content, left_out = pack_catalog(catalog)
    assert left_out == {}
    return read_pack_catalog(content)


def test_a_type_that_equals_every_other_still_does():
    schema = through_json(Tricky=Tricky)["Tricky"]
    assert joins(schema.outputs[0].type, "IMAGE")
    assert joins("IMAGE", schema.inputs[0].type)
    assert not joins("IMAGE", "MODEL")
    info = object_info(schema)
    assert info["input"]["required"]["value"] == ["anything"]
    assert info["output"] == ["anything"]


def test_slots_and_inputs_that_are_not_declared_are_accepted():
    catalog = through_json(Tricky=Tricky, Sink=Sink)
    inputs = {"value": 1, "lora": "a.pt", "maybe": "None", "size": 1, "mode": "a", "more": 2}
    prompt = {
        "1": {"class_type": "Tricky", "inputs": inputs},
        "2": {"class_type": "Sink", "inputs": {"picture": ["1", 0], "any": ["1", 7]}},
    }
    report = validate(parse(prompt), catalog, list_folder=lambda _: ["a.pt"])
    assert report.error is None
    assert catalog["Tricky"].flexible


def test_a_combo_that_is_a_whole_folder_is_listed_on_request():
    schema = through_json(Tricky=Tricky)["Tricky"]
    assert schema.input("lora").folder == "loras"
    info = object_info(schema, lambda kind: ["b.pt"] if kind == "loras" else [])
    assert info["input"]["required"]["lora"] == [["b.pt"]]
    assert info["input"]["required"]["maybe"] == [["b.pt", "None"], {"default": "None"}]


def test_a_folder_s_list_that_was_changed_is_no_longer_the_folder_s():
    listed = FolderList("loras", ["a.pt"])
    listed.insert(0, "None")

    class Changed(Sink):
        @classmethod
        def INPUT_TYPES(cls):
            return {"required": {"lora": (listed,)}}

    schema = through_json(Changed=Changed)["Changed"]
    assert schema.input("lora").choices == ("None", "a.pt")
    assert schema.input("lora").folder is None


def test_options_that_json_does_not_have_cost_nothing():
    size = through_json(Tricky=Tricky)["Tricky"].input("size")
    assert size.options["max"] > 1e300
    assert size.options["where"] == "x"
    assert size.options["few"] == [1]


def test_a_class_that_cannot_be_written_costs_only_itself():
    class Broken(dict):
        def items(self):
            raise RuntimeError("no items")

    good = read_v1_schema(Sink, "Sink", display_name=None, python_module="x")
    bad = type(good)("Bad", "Bad", "x", outputs=(OutputSchema("X", "x", tooltip=Broken()),))
    content, left_out = pack_catalog({"Bad": bad, "Sink": good})
    assert set(read_pack_catalog(content)) == {"Sink"}
    assert "Bad" in left_out


def test_a_damaged_catalog_is_refused_whole_and_a_damaged_class_alone():
    with pytest.raises(CalotypeError, match="cannot be read"):
        read_pack_catalog(b"{}")
    content, _ = pack_catalog(
        {"Sink": read_v1_schema(Sink, "Sink", display_name=None, python_module="x")}
    )
    damaged = content.replace(b"[\n", b'[\n{"class_type": 1},\n', 1)
    assert set(read_pack_catalog(damaged)) == {"Sink"}
