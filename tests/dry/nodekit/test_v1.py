"""V1 classes, with the tricks of plugins, become nodes."""

import asyncio
import math

import pytest

from engine.errors import NodeError
from engine.graph.schema import InputSchema, OutputSchema
from engine.nodekit.context import RunningContext
from engine.nodekit.node import Blocked, Expansion, Outcome
from engine.nodekit.v1 import Instances, V1Node


class AnyType(str):
    """A type that is equal to every type."""

    __slots__ = ()

    def __ne__(self, other):
        return False

    __eq__ = str.__eq__
    __hash__ = str.__hash__


class AnyInput(dict):
    """A dictionary that contains every input."""

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return (AnyType("*"),)


class AnyOutput(tuple):
    """Outputs beyond those listed."""

    __slots__ = ()

    def __getitem__(self, index):
        return super().__getitem__(0)


class Resize:
    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - the contract's name
        return {
            "required": {
                "image": ("IMAGE",),
                "width": ("INT", {"default": 64, "min": 1, "odd.key": {"kept": 1}}),
                "how": (["nearest", "area"],),
                "new": ("COMBO", {"options": ["a", "b"], "default": "b"}),
            },
            "optional": {"mask": ("MASK", {"lazy": True})},
            "hidden": {"prompt": "PROMPT", "mine": "UNIQUE_ID", "token": "API_KEY_COMFY_ORG"},
        }

    RETURN_TYPES = ("IMAGE", "INT")
    RETURN_NAMES = ("picture",)
    OUTPUT_IS_LIST = (True, False)
    OUTPUT_TOOLTIPS = ("resized",)
    FUNCTION = "go"
    CATEGORY = "image/size"
    DESCRIPTION = "Makes it another size."
    EXPERIMENTAL = True

    def go(self, image, width, how, new, mask=None, prompt=None, mine=None, token=None):
        return ([image], (width, how, new, mask, prompt, mine, token))


@pytest.fixture
def context(files):
    return RunningContext("5", files, prompt={"5": {}}, extra={"workflow": {"w": 1}})


def one(made_from, **told):
    return V1Node(made_from, made_from.__name__, **told)


def test_the_schema():
    schema = one(Resize, display_name="Resize It", python_module="custom_nodes.pack").schema
    assert schema.inputs == (
        InputSchema("image", "IMAGE"),
        InputSchema("width", "INT", options={"default": 64, "min": 1, "odd.key": {"kept": 1}}),
        InputSchema("how", "COMBO", choices=("nearest", "area")),
        InputSchema(
            "new", "COMBO", options={"options": ["a", "b"], "default": "b"}, choices=("a", "b")
        ),
        InputSchema("mask", "MASK", "optional", {"lazy": True}),
        InputSchema("prompt", "PROMPT", "hidden"),
        InputSchema("mine", "UNIQUE_ID", "hidden"),
        InputSchema("token", "API_KEY_COMFY_ORG", "hidden"),
    )
    assert schema.outputs == (
        OutputSchema("IMAGE", "picture", is_list=True, tooltip="resized"),
        OutputSchema("INT", "INT"),
    )
    assert (schema.display_name, schema.category) == ("Resize It", "image/size")
    assert (schema.experimental, schema.is_output, schema.flexible) == (True, False, False)


def test_a_call_gets_inputs_and_hidden_ones(context):
    outcome = one(Resize).run({"image": "i", "width": 2, "how": "area", "new": "a"}, context)
    assert outcome == Outcome((["i"], (2, "area", "a", None, {"5": {}}, "5", None)))


def test_tricks_with_types_keep_working():
    class Tricky:
        @classmethod
        def INPUT_TYPES(cls):  # noqa: N802
            return {"required": {"x": (AnyType("*"),)}, "optional": AnyInput({"seen": ("INT",)})}

        RETURN_TYPES = AnyOutput(["IMAGE"])
        FUNCTION = "go"

    schema = one(Tricky).schema
    kind = schema.inputs[0].type
    assert not kind != "IMAGE"  # noqa: SIM202 - the very comparison that is overridden
    assert schema.flexible
    assert [each.name for each in schema.inputs] == ["x", "seen"]
    assert len(schema.outputs) == 1
    assert schema.outputs[4].type == "IMAGE"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((1, 2), Outcome((1, 2))),
        ([1, 2], Outcome((1, 2))),
        (None, Outcome()),
        ({"ui": {"images": [1]}}, Outcome(shown={"images": [1]})),
        ({"ui": {"text": [1]}, "result": (1, 2)}, Outcome((1, 2), {"text": [1]})),
        (Blocked("no"), Outcome((Blocked("no"), Blocked("no")))),
        ({"result": Blocked()}, Outcome((Blocked(), Blocked()))),
        (
            {"expand": {"a": {}}, "result": (["a", 0], 1)},
            Outcome(expansion=Expansion({"a": {}}, (["a", 0], 1))),
        ),
    ],
)
def test_answers(answer, expected, context):
    class Answers(Resize):
        def go(self, **_):
            return answer

    assert one(Answers).run({}, context) == expected


def test_an_answer_that_is_no_tuple_is_explained(context):
    class Answers(Resize):
        def go(self, **_):
            return 5

    with pytest.raises(NodeError, match="Answers returned a int; a node returns a tuple"):
        one(Answers).run({}, context)


def test_a_text_instead_of_a_tuple_is_taken_by_characters(context):
    class Answers(Resize):
        RETURN_TYPES = ("STRING",)

        def go(self, **_):
            return "text"

    assert one(Answers).run({}, context).values == ("t",)


def test_without_outputs_any_answer_will_do(context):
    class Saves(Resize):
        RETURN_TYPES = ()

        def go(self, **_):
            return "a path"

    assert one(Saves).run({}, context) == Outcome()


def test_outputs_without_a_value_are_blocked_and_say_why(context):
    class Short(Resize):
        RETURN_TYPES = ("INT", "INT", "INT")

        def go(self, **_):
            return (7,)

    first, *others = one(Short).run({}, context).values
    assert first == 7
    assert others == [Blocked("Short returned 1 of its 3 values; this needs a later one")] * 2


def test_each_node_has_its_own_object_which_is_kept(files):
    class Counts(Resize):
        def __init__(self):
            self.count = 0

        def go(self, **_):
            self.count += 1
            return (self.count,)

    instances = Instances()
    counts = one(Counts, instances=instances)
    here, there = RunningContext("1", files), RunningContext("2", files)
    assert [counts.run({}, each).values[0] for each in (here, here, there)] == [1, 2, 1]
    instances.forget(lambda node_id: node_id == "2")
    assert [counts.run({}, each).values[0] for each in (here, there)] == [1, 2]


class Hooks(Resize):
    @classmethod
    def IS_CHANGED(cls, width, image):  # noqa: N802
        return (width, image)

    @classmethod
    def VALIDATE_INPUTS(cls, width, input_types):  # noqa: N802
        return True if width > 0 else f"{width} of {input_types}"

    def check_lazy_status(self, how, mask, **_):
        return ["mask"] if how == "area" and mask is None else None


def test_hooks(context):
    hooks = one(Hooks)
    traits = hooks.traits
    assert (traits.fingerprints, traits.checks, traits.chooses, traits.knows_id) == (True,) * 4
    inputs = {"image": None, "width": 3, "how": "area", "mask": None}
    assert hooks.fingerprint_of(inputs, context) == (3, None)
    assert hooks.needed(inputs, context) == ["mask"]
    assert hooks.needed({**inputs, "how": "nearest"}, context) == ()
    assert hooks.complaint(inputs, {}, context) is None
    assert hooks.complaint({**inputs, "width": 0}, {"image": "IMAGE"}, context) == (
        "0 of {'image': 'IMAGE'}"
    )
    assert (hooks.schema.checks, hooks.schema.checks_input_types) == (
        frozenset({"width", "input_types"}),
        True,
    )


def test_a_check_that_takes_everything_replaces_every_check(context):
    class Lenient(Resize):
        @classmethod
        def VALIDATE_INPUTS(cls, **given):  # noqa: N802
            return "input_types" not in given and given["width"] == 3

    lenient = one(Lenient)
    assert lenient.schema.checks == frozenset({"*"})
    assert not lenient.schema.checks_input_types
    assert lenient.complaint({"width": 3}, {}, context) is None
    assert lenient.complaint({"width": 4}, {}, context) == ""


def test_a_fingerprint_may_be_nan_or_raise(context):
    class Always(Resize):
        @classmethod
        def IS_CHANGED(cls, **_):  # noqa: N802
            return float("nan")

    class Broken(Resize):
        def IS_CHANGED(self):  # noqa: N802 - no class method: the usual mistake
            return 1

    assert math.isnan(one(Always).fingerprint_of({"width": 1}, context))
    with pytest.raises(TypeError):
        one(Broken).fingerprint_of({"width": 1}, context)


def test_where_inputs_are_lists_so_are_those_of_hooks(context):
    class Lists(Resize):
        INPUT_IS_LIST = True

        @classmethod
        def IS_CHANGED(cls, width):  # noqa: N802
            return width

    assert one(Lists).fingerprint_of({"width": 3}, context) == [3]


def test_coroutines(context):
    class Later(Resize):
        async def go(self, **_):
            return (1, 2)

        async def check_lazy_status(self, **_):
            return ["mask"]

        @classmethod
        async def VALIDATE_INPUTS(cls, width):  # noqa: N802
            return False

    later = one(Later)

    async def everything():
        return (
            await later.run({}, context),
            await later.needed({}, context),
            await later.complaint({"width": 1}, {}, context),
        )

    assert asyncio.run(everything()) == (Outcome((1, 2)), ["mask"], "")


def test_describe_asks_again_and_schema_does_not():
    class Lists:
        asked = 0

        @classmethod
        def INPUT_TYPES(cls):  # noqa: N802
            cls.asked += 1
            return {"required": {"name": ([str(cls.asked)],)}}

        RETURN_TYPES = ()
        FUNCTION = "go"

    lists = one(Lists)
    assert lists.schema.inputs[0].choices == lists.schema.inputs[0].choices == ("1",)
    assert lists.describe().inputs[0].choices == ("2",)
    assert lists.schema.inputs[0].choices == ("2",)


@pytest.mark.parametrize("entry", [(), (5,)])
def test_entries_that_cannot_be_read_are_named(entry):
    class Odd:
        RETURN_TYPES = ()

        @classmethod
        def INPUT_TYPES(cls):  # noqa: N802
            return {"required": {"strange": entry}}

    with pytest.raises(NodeError, match="Odd: input 'strange' declares"):
        _ = one(Odd).schema
