"""V3 classes, recognised by duck typing, become nodes."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest

from engine.graph.schema import InputSchema, OutputSchema
from engine.nodekit.context import RunningContext
from engine.nodekit.node import Blocked, Expansion, Outcome
from engine.nodekit.v3 import V3Node, is_v3


class Hidden(Enum):
    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"


@dataclass
class Socket:
    id: str
    io_type: str
    optional: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    display_name: str | None = None
    is_output_list: bool = False
    tooltip: str | None = None

    def get_io_type(self):
        return self.io_type

    def as_dict(self):
        return self.options


@dataclass
class Schema:
    node_id: str
    inputs: list[Socket]
    outputs: list[Socket]
    display_name: str | None = None
    category: str = "sd"
    hidden: list[Hidden] = field(default_factory=list)
    is_output_node: bool = False
    is_experimental: bool = False


class NodeOutput:
    def __init__(self, *args, ui=None, expand=None, block_execution=None):
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution


class Ui:
    def as_dict(self):
        return {"images": [1]}


class Contract:
    """The base class of a plugin's class."""

    @classmethod
    def define_schema(cls):
        raise NotImplementedError

    @classmethod
    def fingerprint_inputs(cls, **_):
        raise NotImplementedError

    @classmethod
    def validate_inputs(cls, **_):
        raise NotImplementedError

    @classmethod
    def GET_SCHEMA(cls):  # noqa: N802 - the contract's name
        return cls.define_schema()


class Blur(Contract):
    answer: Any = None

    @classmethod
    def define_schema(cls):
        return Schema(
            "PackBlur",
            [
                Socket("image", "IMAGE"),
                Socket(
                    "how", "COMBO", options={"multiselect": False, "options": ["box", "gaussian"]}
                ),
                Socket("radius", "INT", optional=True, options={"default": 3, "lazy": True}),
            ],
            [
                Socket("out", "IMAGE", display_name="blurred"),
                Socket("n", "INT", is_output_list=True),
            ],
            display_name="Blur It",
            hidden=[Hidden.unique_id],
            is_experimental=True,
        )

    @classmethod
    def execute(cls, **inputs):
        return cls.answer or NodeOutput((inputs, cls.hidden.unique_id), [1, 2])


@pytest.fixture
def context(files):
    return RunningContext("5", files, prompt={"5": {}})


def test_which_classes_are_of_this_dialect():
    class V1:
        @classmethod
        def INPUT_TYPES(cls):  # noqa: N802
            return {}

    assert is_v3(Blur)
    assert not is_v3(V1)


def test_the_schema():
    schema = V3Node(Blur).schema
    assert (schema.class_type, schema.display_name) == ("PackBlur", "Blur It")
    assert schema.inputs == (
        InputSchema("image", "IMAGE"),
        InputSchema(
            "how",
            "COMBO",
            options={"multiselect": False, "options": ["box", "gaussian"]},
            choices=("box", "gaussian"),
        ),
        InputSchema("radius", "INT", "optional", {"default": 3, "lazy": True}),
        InputSchema("unique_id", "UNIQUE_ID", "hidden"),
    )
    assert schema.outputs == (
        OutputSchema("IMAGE", "blurred"),
        OutputSchema("INT", "n", is_list=True),
    )
    assert (schema.experimental, schema.checks) == (True, frozenset())


def test_output_nodes_get_prompt_and_workflow():
    class Save(Blur):
        @classmethod
        def define_schema(cls):
            return Schema("Save", [], [], is_output_node=True)

    assert [each.type for each in V3Node(Save).schema.inputs] == ["PROMPT", "EXTRA_PNGINFO"]


def test_a_call_has_a_class_of_its_own(context):
    blur = V3Node(Blur)
    assert blur.run({"image": 1}, context) == Outcome((({"image": 1}, "5"), [1, 2]))
    assert not hasattr(Blur, "hidden")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NodeOutput(1, [2], ui={"text": ["a"]}), Outcome((1, [2]), {"text": ["a"]})),
        (NodeOutput(1, [2], ui=Ui()), Outcome((1, [2]), {"images": [1]})),
        (NodeOutput(block_execution="no"), Outcome((Blocked("no"), Blocked("no")))),
        (
            NodeOutput(["a", 0], 2, expand={"a": {}}),
            Outcome(expansion=Expansion({"a": {}}, (["a", 0], 2))),
        ),
        ((1, [2]), Outcome((1, [2]))),
        ({"ui": {"text": [1]}}, Outcome(shown={"text": [1]})),
        (Blocked(), Outcome((Blocked(), Blocked()))),
    ],
)
def test_answers(answer, expected, context):
    class Answers(Blur):
        pass

    Answers.answer = answer
    assert V3Node(Answers).run({}, context) == expected


def test_only_methods_of_its_own_count(context):
    assert not V3Node(Blur).traits.fingerprints
    assert not V3Node(Blur).traits.checks

    class Own(Blur):
        @classmethod
        def fingerprint_inputs(cls, **inputs):
            return inputs["radius"]

        @classmethod
        def validate_inputs(cls, radius):
            return radius > 1 or f"{radius} is too little"

        @classmethod
        def check_lazy_status(cls, radius, **_):
            return ["radius"] if radius is None else None

    own = V3Node(Own)
    traits = own.traits
    assert (traits.fingerprints, traits.checks, traits.chooses, traits.knows_id) == (True,) * 4
    assert own.fingerprint_of({"radius": 4}, context) == 4
    assert own.complaint({"radius": 2, "how": "box"}, {}, context) is None
    assert own.complaint({"radius": 1, "how": "box"}, {}, context) == "1 is too little"
    assert own.needed({"radius": None}, context) == ["radius"]
    assert own.needed({"radius": 1}, context) == ()
    assert own.schema.checks == frozenset({"radius"})


def test_a_coroutine(context):
    class Later(Blur):
        @classmethod
        async def execute(cls, **inputs):
            return NodeOutput(1, [2])

    async def wait(answer):
        return await answer

    assert asyncio.run(wait(V3Node(Later).run({}, context))) == Outcome((1, [2]))


def test_a_combo_of_a_folder_s_files_is_listed_on_request():
    from types import SimpleNamespace

    from engine.nodekit.folder_list import FolderList
    from engine.nodekit.v3 import read_v3_schema

    files = FolderList("loras", ["a.pt"])
    combo = SimpleNamespace(
        id="lora", io_type="COMBO", options=files, optional=True, as_dict=lambda: {"options": files}
    )
    schema = SimpleNamespace(node_id="X", inputs=[combo], outputs=[])
    [found] = read_v3_schema(schema, python_module="x", checks=frozenset()).inputs
    assert (found.folder, found.choices, found.section) == ("loras", None, "optional")
