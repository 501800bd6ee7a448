"""Values are converted wherever a plugin's code is given them or returns them."""

import pytest

from engine.nodekit.context import RunningContext
from engine.nodekit.registry import Registry


class Thing:
    """A plugin's object."""

    def __init__(self, value):
        self.value = value


class Doubles:
    """Gives numbers as `Thing`, and takes them back."""

    def given(self, inputs):
        return {
            name: Thing(value) if isinstance(value, int) else value
            for name, value in inputs.items()
        }

    def returned(self, values):
        return tuple(each.value if isinstance(each, Thing) else each for each in values)


class Old:
    RETURN_TYPES = ("MODEL",)
    FUNCTION = "run"
    seen: list = []

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - the contract's name
        return {"required": {"one": ("MODEL", {"lazy": True})}}

    def run(self, one):
        return (Thing(one.value + 1),)

    def check_lazy_status(self, one):
        self.seen.append(type(one))
        return []

    @classmethod
    def IS_CHANGED(cls, one):  # noqa: N802 - the contract's name
        return type(one).__name__


class Expanding(Old):
    def run(self, one):
        graph = {"a": {"class_type": "Old", "inputs": {"one": one, "link": ["b", 0]}}}
        return {"expand": graph, "result": (["a", 0], one)}


@pytest.fixture
def nodes():
    registry = Registry(boundary=Doubles())
    registry.add_classes({"Old": Old, "Expanding": Expanding}, python_module="custom_nodes.x")
    return registry


@pytest.fixture
def context(files):
    return RunningContext("1", files)


def test_a_function_takes_objects_and_returns_values(nodes, context):
    assert nodes["Old"].run({"one": 1}, context).values == (2,)


def test_the_other_methods_take_objects_too(nodes, context):
    Old.seen.clear()
    nodes["Old"].needed({"one": 1}, context)
    assert Old.seen == [Thing]
    assert nodes["Old"].fingerprint_of({"one": 1}, context) == "Thing"


def test_constants_of_an_expansion_become_values(nodes, context):
    expansion = nodes["Expanding"].run({"one": 3}, context).expansion
    assert expansion.graph["a"]["inputs"] == {"one": 3, "link": ["b", 0]}
    assert expansion.result == (["a", 0], 3)
