"""Nodes' own checks, as the validator asks for them; and V1 classes in whole runs."""

from typing import Annotated

from engine.execute.checks import own_checks
from engine.graph.prompt import parse
from engine.graph.validate import validate
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import InOptionalSection, Range
from engine.nodekit.node import Blocked
from engine.nodekit.registry import Registry
from engine.wire import messages


@node("Load", category="test", output=True, checks=("size",))
def load(
    *,
    name: str,
    size: Annotated[int, Range(1, 4), InOptionalSection()] = 1,
    source: Annotated[str, InOptionalSection()] = "",
) -> str:
    """Load."""
    return name


@load.check
def _(size, name, source, input_types, ctx: Context):
    if name == "raise":
        raise OSError("disk gone")
    if name == "types":
        return f"{input_types} {source} {ctx.node_id}"
    return size is None or size < 9 or "far too big"


class V1Check:
    RETURN_TYPES = ()
    FUNCTION = "go"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - the contract's name
        return {"required": {"x": ("INT", {"max": 3})}}

    @classmethod
    async def VALIDATE_INPUTS(cls, x):  # noqa: N802
        return x < 9


def problems(files, graph):
    registry = Registry([load])
    registry.add_classes({"V1Check": V1Check}, python_module="custom_nodes.test")
    prompt = parse(graph)
    report = validate(prompt, registry.catalog(), complain=own_checks(registry, prompt, files))
    return {
        key: [(each.type, each.details) for each in found.errors]
        for key, found in report.node_errors.items()
    }


def test_a_check_replaces_the_bounds_of_what_it_names(files):
    assert problems(files, {"1": {"class_type": "Load", "inputs": {"name": "a", "size": 5}}}) == {}
    assert problems(files, {"1": {"class_type": "Load", "inputs": {"name": "a", "size": 9}}}) == {
        "1": [("custom_validation_failed", "far too big")]
    }


def test_a_check_that_raises_complains_with_its_error(files):
    assert problems(files, {"1": {"class_type": "Load", "inputs": {"name": "raise"}}}) == {
        "1": [("custom_validation_failed", "OSError: disk gone")]
    }


def test_a_check_sees_the_types_of_links_but_not_their_values(files):
    graph = {
        "1": {"class_type": "Load", "inputs": {"name": "a"}},
        "2": {"class_type": "Load", "inputs": {"name": "types", "source": ["1", 0]}},
    }
    assert problems(files, graph) == {
        "2": [("custom_validation_failed", "{'source': 'STRING'} None 2")]
    }


def test_a_v1_check_may_be_a_coroutine_and_say_no_without_a_reason(files):
    assert problems(files, {"1": {"class_type": "V1Check", "inputs": {"x": 5}}}) == {}
    found = problems(files, {"1": {"class_type": "V1Check", "inputs": {"x": 10}}})
    assert found == {
        "1": [("custom_validation_failed", "it refused its inputs without saying why")]
    }


class Counter:
    """A V1 class with state, hidden inputs and a fingerprint."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "go"
    changed = 0

    def __init__(self):
        self.count = 0

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"a": ("INT",)}, "hidden": {"graph": "DYNPROMPT", "mine": "UNIQUE_ID"}}

    @classmethod
    def IS_CHANGED(cls, **_):  # noqa: N802
        return cls.changed

    def go(self, a, graph, mine):
        assert graph.get_display_node_id(mine) == mine
        assert graph.get_node(mine)["class_type"] == "Counter"
        self.count += a
        return (self.count,)


class ShowV1:
    RETURN_TYPES = ()
    FUNCTION = "go"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"value": ("*",)}}

    def go(self, value):
        return {"ui": {"values": [value]}}


class StopHere(Counter):
    def go(self, a, graph, mine):
        return (Blocked(f"not {a}"),)


CLASSES = {"Counter": Counter, "ShowV1": ShowV1, "StopHere": StopHere}


def test_a_v1_node_keeps_its_object_until_it_leaves_the_graph(engine, monkeypatch):
    small = engine(classes=CLASSES)
    graph = {"1": ("Counter", {"a": 2}), "out": ("ShowV1", {"value": ["1", 0]})}
    seen = []
    for changed in (1, 2):
        monkeypatch.setattr(Counter, "changed", changed)
        seen.append(small.run(graph).shown["out"])
    small.run({"2": ("Counter", {"a": 2}), "out": ("ShowV1", {"value": ["2", 0]})})
    monkeypatch.setattr(Counter, "changed", 3)
    seen.append(small.run(graph).shown["out"])
    assert [each["values"] for each in seen] == [[2], [4], [2]]


def test_a_v1_block_reaches_what_follows(engine):
    small = engine(classes=CLASSES)
    done = small.run({"1": ("StopHere", {"a": 2}), "out": ("ShowV1", {"value": ["1", 0]})})
    assert isinstance(done.end, messages.Succeeded)
    assert [block.message for block in small.of(messages.Blocked)] == ["not 2"]


def test_a_nan_runs_every_time(engine, monkeypatch):
    small = engine(classes=CLASSES)
    graph = {"1": ("Counter", {"a": 2}), "out": ("ShowV1", {"value": ["1", 0]})}
    monkeypatch.setattr(Counter, "changed", float("nan"))
    small.run(graph)
    small.run(graph)
    assert small.called() == ["1", "out"]
    assert len(small.cache) == 0
