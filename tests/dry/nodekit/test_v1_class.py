"""Our nodes as V1 classes, for plugins that call them or derive from them."""

import asyncio
from typing import Annotated, Any, NamedTuple

import pytest

from engine.nodekit.context import CURRENT, Context, RunningContext
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice, Range, Socket
from engine.nodekit.node import Expansion
from engine.nodekit.v1 import V1Node
from engine.nodekit.v1_class import v1_class

Image = Annotated[Any, Socket("IMAGE", tooltip="a picture")]


class Sized(NamedTuple):
    image: Image
    width: int


@node("Resize", category="image", hidden=("PROMPT",), experimental=True)
def resize(
    *,
    image: Image,
    width: Annotated[int, Range(1, 99)] = 64,
    how: Annotated[str, Choice("nearest", "area")],
    weights: Annotated[str, FileChoice("vae")] = "a",
    mask: Image | None = None,
) -> Sized:
    """Make it another size."""
    return Sized([image, how, weights, mask], width)


@node("Save", category="image", output=True)
def save(*, image: Image, ctx: Context) -> None:
    """Save it."""
    ctx.show(images=[image])


@pytest.fixture
def current(files):
    context = RunningContext("1", files)
    token = CURRENT.set(context)
    yield context
    CURRENT.reset(token)


def test_its_attributes_are_those_of_a_v1_class():
    made = v1_class(resize, list_folder=lambda kind: [f"{kind}.safetensors"])
    assert made.INPUT_TYPES() == {
        "required": {
            "image": ("IMAGE",),
            "width": ("INT", {"default": 64, "min": 1, "max": 99}),
            "how": (["nearest", "area"],),
            "weights": (["vae.safetensors"], {"default": "a"}),
        },
        "optional": {"mask": ("IMAGE",)},
        "hidden": {"prompt": "PROMPT"},
    }
    assert made.RETURN_TYPES == ("IMAGE", "INT")
    assert made.RETURN_NAMES == ("image", "width")
    assert made.OUTPUT_TOOLTIPS == ("a picture", "")
    assert (made.CATEGORY, made.EXPERIMENTAL, made.OUTPUT_NODE) == ("image", True, False)
    assert (made.__name__, made.FUNCTION) == ("Resize", "resize")


def test_its_function_takes_inputs_by_name_or_in_order(current):
    made = v1_class(resize)()
    assert made.resize("i", 3, how="area", prompt={}) == (["i", "area", "a", None], 3)


def test_a_class_derived_from_it_is_a_node_again(current):
    class Bigger(v1_class(resize)):
        def resize(self, width, **others):
            return super().resize(width=width * 2, **others)

    outcome = V1Node(Bigger, "Bigger").run({"image": "i", "width": 4, "how": "area"}, current)
    assert outcome.values[1] == 8


def test_what_it_shows_is_returned_and_not_shown_by_the_caller(current):
    assert v1_class(save)().save(image="i") == {"ui": {"images": ["i"]}, "result": ()}
    assert current.shown == {}


def test_expansions_and_coroutines_come_through(current):
    @node("Grow", category="test")
    def grow() -> int:
        """Expand."""
        return Expansion({"a": {}}, (["a", 0],))

    @node("Later", category="test")
    async def later() -> int:
        """Wait."""
        return 5

    async def wait(answer):
        return await answer

    assert v1_class(grow)().grow() == {"expand": {"a": {}}, "result": (["a", 0],)}
    assert asyncio.run(wait(v1_class(later)().later())) == (5,)


def test_a_fingerprint_becomes_is_changed(current):
    @node("Load", category="test", hidden=("PROMPT",))
    def load(*, name: str) -> int:
        """Load."""
        return 1

    assert not hasattr(v1_class(load), "IS_CHANGED")

    @load.fingerprint
    def _(name):
        return f"state of {name}"

    assert v1_class(load).IS_CHANGED(name="a", prompt=None) == "state of a"


def test_a_v1_class_comes_back_as_it_was():
    class Plain:
        RETURN_TYPES = ()

    assert v1_class(V1Node(Plain, "Plain")) is Plain
