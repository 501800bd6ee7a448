"""A typed function becomes a node, and stays a function."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import pytest

from engine.errors import NodeError
from engine.graph.schema import InputSchema, OutputSchema
from engine.nodekit.context import Context, RunningContext
from engine.nodekit.contract import node
from engine.nodekit.markers import (
    Autogrow,
    Choice,
    DynamicCombo,
    FileChoice,
    InOptionalSection,
    ListOutput,
    MatchType,
    Options,
    Range,
    Socket,
    Text,
)
from engine.nodekit.node import Blocked, Expansion, Outcome

Image = Annotated[Any, Socket("IMAGE", tooltip="a picture")]
Conditioning = Annotated[list[Any], Socket("CONDITIONING")]


def read(function, **told):
    return node("Test", category="test", **told)(function).schema


def only_input(function, **told):
    [found] = read(function, **told).inputs
    return found


def test_it_stays_a_function():
    @node("Add", category="maths")
    def add(a: int, b: int = 1) -> int:
        """Add two numbers."""
        return a + b

    assert add(2, b=3) == 5
    assert (add.__name__, add.__doc__) == ("add", "Add two numbers.")


def test_what_the_decorator_was_told_is_in_the_schema():
    def blank() -> None:
        """Do nothing.

        At all.
        """

    schema = read(blank, display="A Test", output=True, deprecated=True, checks=["a"])
    assert (schema.class_type, schema.display_name, schema.category) == ("Test", "A Test", "test")
    assert schema.description == "Do nothing.\n\nAt all."
    assert (schema.is_output, schema.deprecated, schema.experimental) == (True, True, False)
    assert schema.checks == frozenset({"a"})
    assert (schema.inputs, schema.outputs) == ((), ())


def test_annotations_are_read_only_when_asked_for():
    @node("Later", category="test")
    def later(a: "NotYetThere") -> int:  # noqa: F821
        """Name a type that is not there."""

    with pytest.raises(NameError):
        _ = later.schema


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, InputSchema("x", "INT")),
        (float, InputSchema("x", "FLOAT")),
        (str, InputSchema("x", "STRING")),
        (bool, InputSchema("x", "BOOLEAN")),
        (Any, InputSchema("x", "*")),
        (Image, InputSchema("x", "IMAGE")),
        (Conditioning, InputSchema("x", "CONDITIONING")),
        (
            Annotated[Image, Options(tooltip="t")],
            InputSchema("x", "IMAGE", options={"tooltip": "t"}),
        ),
        (Literal["a", "b"], InputSchema("x", "COMBO", choices=("a", "b"))),
        (Annotated[str, Choice("a", "b")], InputSchema("x", "COMBO", choices=("a", "b"))),
        (Annotated[str, FileChoice("vae")], InputSchema("x", "COMBO", folder="vae")),
        (
            Annotated[str, FileChoice("vae", also=("none",))],
            InputSchema("x", "COMBO", folder="vae", choices=("none",)),
        ),
        (
            Annotated[str, FileChoice("input", upload="image_upload")],
            InputSchema("x", "COMBO", folder="input", options={"image_upload": True}),
        ),
        (
            Annotated[int, Range(1, 9, step=2)],
            InputSchema("x", "INT", options={"min": 1, "max": 9, "step": 2}),
        ),
        (
            Annotated[float, Range(0, 1, step=0.1, round=False, display="slider")],
            InputSchema(
                "x",
                "FLOAT",
                options={"min": 0.0, "max": 1.0, "step": 0.1, "round": False, "display": "slider"},
            ),
        ),
        (
            Annotated[int, Range(0, 2**64 - 1, control_after_generate=True)],
            InputSchema(
                "x", "INT", options={"min": 0, "max": 2**64 - 1, "control_after_generate": True}
            ),
        ),
        (
            Annotated[str, Text(multiline=True, dynamic_prompts=True)],
            InputSchema("x", "STRING", options={"multiline": True, "dynamicPrompts": True}),
        ),
        (Annotated[str, Text(multiline=None)], InputSchema("x", "STRING")),
        (Image | Annotated[Any, Socket("MASK")], InputSchema("x", "IMAGE,MASK")),
    ],
)
def test_inputs(annotation, expected):
    def function(x) -> int:
        """Take x."""

    function.__annotations__["x"] = annotation
    assert only_input(function) == expected


def test_a_default_becomes_the_widget_s():
    def function(x: Annotated[int, Range(1, 9)] = 4) -> int:
        """Take x."""

    assert only_input(function).options == {"default": 4, "min": 1, "max": 9}


def test_none_as_default_makes_an_input_optional():
    def function(x: Image | None = None) -> int:
        """Take x."""

    assert only_input(function) == InputSchema("x", "IMAGE", "optional")


def test_a_widget_can_be_optional_and_have_a_default():
    def function(x: Annotated[int, InOptionalSection()] = 3) -> int:
        """Take x."""

    assert only_input(function) == InputSchema("x", "INT", "optional", {"default": 3})


def test_lists_are_unwrapped_where_inputs_are_lists():
    def function(x: list[Image], y: Sequence[int] = (3,)) -> int:
        """Take x and y."""

    assert read(function, input_is_list=True).inputs == (
        InputSchema("x", "IMAGE"),
        InputSchema("y", "INT", options={"default": 3}),
    )


def test_inputs_that_multiply():
    def function(x: Annotated[dict[str, Any], Autogrow("image", "IMAGE", 2, 50)]) -> int:
        """Take some."""

    found = only_input(function)
    assert found.type == "COMFY_AUTOGROW_V3"
    assert found.options["template"] == {
        "input": {"required": {"image": ["IMAGE", {}]}},
        "prefix": "image",
        "min": 2,
        "max": 50,
    }


def test_inputs_that_multiply_by_name():
    def function(x: Annotated[dict[str, Any], Autogrow("v", "INT", names=("a", "b"))]) -> int:
        """Take some."""

    assert only_input(function).options["template"] == {
        "input": {"required": {"v": ["INT", {}]}},
        "min": 1,
        "names": ["a", "b"],
    }


class ByFactor(NamedTuple):
    factor: Annotated[float, Range(0.5, 2.0)] = 1.0


class BySize(NamedTuple):
    like: Image
    crop: Literal["no", "yes"] = "yes"


def test_a_choice_that_brings_inputs():
    def function(how: Annotated[dict[str, Any], DynamicCombo({"f": ByFactor, "s": BySize})]) -> int:
        """Choose."""

    found = only_input(function)
    assert found.type == "COMFY_DYNAMICCOMBO_V3"
    assert found.options["options"] == [
        {
            "key": "f",
            "inputs": {"required": {"factor": ["FLOAT", {"default": 1.0, "min": 0.5, "max": 2.0}]}},
        },
        {
            "key": "s",
            "inputs": {
                "required": {"like": ["IMAGE"], "crop": [["no", "yes"], {"default": "yes"}]}
            },
        },
    ]


def test_inputs_and_outputs_of_one_type():
    @node("Same", category="test")
    def same(
        a: Annotated[Any, MatchType("t"), Options(lazy=True)],
        b: Annotated[Any, MatchType("t", "IMAGE,MASK")],
    ) -> Annotated[Any, MatchType("t")]:
        """Take two of a type."""
        return a or b

    first, second = same.schema.inputs
    assert first.type == second.type == "COMFY_MATCHTYPE_V3"
    assert first.lazy
    assert first.options["template"] == {"template_id": "t", "allowed_types": "*"}
    assert second.options["template"]["allowed_types"] == "IMAGE,MASK"
    [output] = same.schema.outputs
    assert (output.type, output.match) == ("COMFY_MATCHTYPE_V3", "t")


def test_hidden_inputs_are_listed_and_come_through_the_context(files):
    @node("Save", category="test", output=True, hidden=("PROMPT", "UNIQUE_ID"))
    def save(x: int, ctx: Context) -> None:
        """Save."""
        ctx.show(ids=[ctx.node_id, x])

    assert [each.name for each in save.schema.inputs] == ["x", "prompt", "unique_id"]
    assert [each.section for each in save.schema.inputs] == ["required", "hidden", "hidden"]
    assert save.traits.knows_id
    context = RunningContext("7", files)
    assert save.run({"x": 1}, context) == Outcome()
    assert context.shown == {"ids": ["7", 1]}


class Both(NamedTuple):
    high: Image
    low: list[Image]


@pytest.mark.parametrize(
    ("annotation", "names", "expected"),
    [
        (None, None, ()),
        (int, None, (OutputSchema("INT", "INT"),)),
        (Image, None, (OutputSchema("IMAGE", "IMAGE", tooltip="a picture"),)),
        (int, ("width",), (OutputSchema("INT", "width"),)),
        (Conditioning, None, (OutputSchema("CONDITIONING", "CONDITIONING"),)),
        (list[int], None, (OutputSchema("INT", "INT", is_list=True),)),
        (Annotated[Any, Socket("INT"), ListOutput()], None, (OutputSchema("INT", "INT", True),)),
        (tuple[int, float], None, (OutputSchema("INT", "INT"), OutputSchema("FLOAT", "FLOAT"))),
        (
            Both,
            None,
            (
                OutputSchema("IMAGE", "high", tooltip="a picture"),
                OutputSchema("IMAGE", "low", is_list=True, tooltip="a picture"),
            ),
        ),
        (
            Both,
            ("IMAGE", "IMAGE"),
            (
                OutputSchema("IMAGE", "IMAGE", tooltip="a picture"),
                OutputSchema("IMAGE", "IMAGE", is_list=True, tooltip="a picture"),
            ),
        ),
    ],
)
def test_outputs(annotation, names, expected):
    def function():
        """Give something."""

    function.__annotations__["return"] = annotation
    assert read(function, output_names=names).outputs == expected


def test_what_cannot_be_read_is_named():
    def no_annotation(x) -> int:
        """Forget one."""

    def odd(x: bytes) -> int:
        """Take bytes."""

    def no_return(x: int):
        """Return who knows what."""

    def no_default(x: int | None) -> int:
        """Be optional without saying what else."""

    def three(x: int) -> int:
        """Have more names than outputs."""

    for function, said in (
        (no_annotation, "'x' has no annotation"),
        (odd, "no wire type"),
        (no_return, "return annotation is missing"),
        (no_default, "needs a default"),
    ):
        with pytest.raises(NodeError, match=said):
            read(function)
    with pytest.raises(NodeError, match="1 outputs are annotated, but 2 names"):
        read(three, output_names=("a", "b"))


def test_answers_become_outcomes(files):
    @node("Give", category="test")
    def give(what: Any) -> Both:
        """Give it back."""
        return what

    context = RunningContext("1", files)
    expansion = Expansion({})
    assert give.run({"what": Both(1, [2])}, context) == Outcome((1, [2]))
    assert give.run({"what": Blocked("no")}, context) == Outcome((Blocked("no"), Blocked("no")))
    assert give.run({"what": expansion}, context) == Outcome(expansion=expansion)


def test_a_coroutine_gives_its_outcome_later(files):
    @node("Later", category="test")
    async def later(a: int) -> int:
        """Give it back, later."""
        return a

    answer = later.run({"a": 3}, RunningContext("1", files))
    assert asyncio.run(wait(answer)) == Outcome((3,))


async def wait(answer):
    return await answer


def test_hooks_receive_what_they_name(files):
    @node("Load", category="test")
    def load(name: str, size: int = 1) -> int:
        """Load."""
        return size

    @load.fingerprint
    def _(name: str, ctx: Context):
        return (name, ctx.node_id)

    @load.check
    def _(size, input_types):
        return True if size < 3 else f"too big for {input_types}"

    @load.needs
    def _(name):
        return ["size"] if name else []

    traits = load.traits
    assert (traits.fingerprints, traits.checks, traits.chooses) == (True, True, True)
    context = RunningContext("9", files)
    assert load.fingerprint_of({"name": "a", "size": 2}, context) == ("a", "9")
    assert load.needed({"name": "a"}, context) == ["size"]
    assert load.complaint({"name": "a", "size": 2}, {}, context) is None
    assert load.complaint({"size": 5}, {"name": "STRING"}, context) == (
        "too big for {'name': 'STRING'}"
    )


def test_a_size_that_comes_over_a_link_is_bounded_when_the_node_is_called():
    @node("Make", category="test")
    def make(
        width: Annotated[int, Range(1, 100)] = 1,
        cfg: Annotated[int, Range(1, 100)] = 1,
    ) -> int:
        """Make."""
        return width + cfg

    context = RunningContext("1", None)
    assert make.run({"width": 100, "cfg": 1000}, context).values == (1100,)
    with pytest.raises(NodeError, match="width is 1,000, at most 100"):
        make.run({"width": 1000}, context)
