"""Validation results stay small for any prompt; files are found where they are."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.paths
from engine.errors import PromptError
from engine.graph.prompt import parse
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema
from engine.graph.validate import validate
from engine.paths import nearest_names


def schema(class_type, *inputs, outputs=(), **more):
    made = tuple(OutputSchema(kind, kind) for kind in outputs)
    return NodeSchema(class_type, class_type, "test", inputs, made, **more)


CATALOG = {
    each.class_type: each
    for each in [
        schema("Make", InputSchema("x", "INT", options={"min": 0, "max": 9}), outputs=["IMAGE"]),
        schema(
            "Join",
            InputSchema("a", "IMAGE"),
            InputSchema("b", "IMAGE", "optional"),
            outputs=["IMAGE"],
        ),
        schema("Save", InputSchema("image", "IMAGE"), is_output=True),
        schema(
            "Choose",
            InputSchema("combo", "COMBO", choices=("a", "b")),
            InputSchema("file", "COMBO", folder="checkpoints"),
            is_output=True,
        ),
    ]
}


def check(nodes):
    raw = {
        key: {"class_type": class_type, "inputs": inputs}
        for key, (class_type, inputs) in nodes.items()
    }
    return validate(parse(raw), CATALOG, list_folder=lambda _: ["one.safetensors"])


def only_error(report, node_id="1"):
    (error,) = report.node_errors[node_id].errors
    return error


def chained(count, wanted, *, source="0"):
    """A chain of `count` nodes with a fault at its start, and `wanted` outputs at its end."""
    nodes = {"0": ("Make", {"x": 10})}
    nodes |= {f"c{i}": ("Join", {"a": [f"c{i - 1}" if i else source, 0]}) for i in range(count)}
    return nodes | {f"s{i}": ("Save", {"image": [f"c{count - 1}", 0]}) for i in range(wanted)}


def test_what_a_validation_keeps_does_not_grow_with_nodes_times_outputs():
    """Storing the dependent outputs of all nodes at once would grow with the square."""

    def peak(size):
        tracemalloc.start()
        report = check(chained(size, size))
        assert len(report.node_errors["0"].dependent_outputs) == 100
        assert report.node_errors["0"].dependent_outputs[:2] == ("s0", "s1")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small, large = peak(2000), peak(8000)
    assert large / small < 5


@given(st.data())
def test_dependent_outputs_are_the_first_that_need_a_node(data):
    count = data.draw(st.integers(1, 12))
    nodes = {}
    for i in range(count):
        sources = data.draw(st.lists(st.integers(0, max(0, i - 1)), max_size=2)) if i else []
        names = dict(zip(("a", "b"), ([f"n{each}", 0] for each in sources), strict=False))
        nodes[f"n{i}"] = ("Join", names) if names else ("Make", {"x": 10})
    for i in range(data.draw(st.integers(1, 6))):
        nodes[f"s{i}"] = ("Save", {"image": [f"n{data.draw(st.integers(0, count - 1))}", 0]})
    report = check(nodes)

    def needs(start):
        seen, stack = set(), [start]
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack += [value[0] for value in nodes[node][1].values() if isinstance(value, list)]
        return seen

    outputs = [key for key in nodes if key[0] == "s"]
    for node_id, problems in report.node_errors.items():
        expected = tuple(each for each in outputs if node_id in needs(each))
        assert problems.dependent_outputs == expected


HOSTILE_SIZES = {
    "nodes that need themselves": {str(i): ("Save", {"image": [str(i), 0]}) for i in range(30_000)},
    "one node that needs itself often": {
        "1": ("Save", {"image": ["1", 0], **{f"x{i}": ["1", 0] for i in range(30_000)}})
    },
    "links to nowhere": {
        "1": ("Save", {"image": ["1", 0], **{f"x{i}": ["gone", 0] for i in range(30_000)}})
    },
    "long names": {"1": ("Save", {"image": ["z" * 1_000_000, 0]})},
    "a long list": {"1": ("Save", {"image": list(range(500_000))})},
    "long texts": {"1": ("Choose", {"combo": "x" * 1_000_000, "file": "y" * 1_000_000})},
}


@pytest.mark.parametrize("nodes", HOSTILE_SIZES.values(), ids=HOSTILE_SIZES.keys())
def test_the_answer_to_a_hostile_prompt_is_small(nodes):
    report = check(nodes)
    assert report.error is not None
    assert "1" in report.node_errors
    assert len(json.dumps(report.to_json())) < 4_000_000


def test_what_is_left_out_is_counted():
    report = check({str(i): ("Save", {}) for i in range(6000)})
    assert len(report.node_errors) == 5000
    assert report.outputs == ()
    assert report.error.details.endswith("and 5,900 more")


def test_an_id_of_a_megabyte_is_refused():
    with pytest.raises(PromptError, match="at most 1,000 characters; one has 1,000,000"):
        parse({"x" * 1_000_000: {"class_type": "Make"}})


def located(value, *, has=None):
    catalog = {
        "Load": schema(
            "Load",
            InputSchema("image", "COMBO", folder="input", choices=("none",)),
            is_output=True,
            checks=frozenset({"image"}),
        )
    }
    files = {"input": ["a.png", "sub/b.png"], "output": ["made.png"], "temp": []}
    prompt = parse({"1": {"class_type": "Load", "inputs": {"image": value}}})
    return validate(prompt, catalog, list_folder=files.__getitem__, has_file=has)


@pytest.mark.parametrize(
    "name", ["a.png", "sub/b.png", "made.png [output]", "none", "a.png[input]"]
)
def test_files_that_a_node_looks_for_itself_are_found_wherever_they_are(name):
    assert located(name).node_errors == {}


def test_a_file_that_no_list_names_is_asked_for():
    asked = []

    def has(*given):
        asked.append(given)
        return given == ("temp", ".hidden.png")

    assert located(".hidden.png [temp]", has=has).node_errors == {}
    assert asked == [("input", ".hidden.png [temp]"), ("temp", ".hidden.png")]


@pytest.mark.parametrize(
    ("name", "place", "nearest"),
    [
        ("a.pgn", "input", ["a.png"]),
        ("made.png", "input", []),
        ("mode.png [output]", "output", ["made.png"]),
    ],
)
def test_a_file_that_a_node_looks_for_itself_and_is_missing_is_a_problem(name, place, nearest):
    found = only_error(located(name))
    assert found.type == "custom_validation_failed"
    assert found.extra_info["folder"] == place
    assert found.extra_info["nearest"][: len(nearest)] == nearest


def test_of_many_files_few_are_compared(monkeypatch):
    compared = []
    real = engine.paths.get_close_matches
    monkeypatch.setattr(
        engine.paths,
        "get_close_matches",
        lambda name, names, **more: compared.append(len(names)) or real(name, names, **more),
    )
    names = [f"picture_{i:06}.png" for i in range(100_000)]
    assert nearest_names("picture_050000.pgn", names)[0] == "picture_050000.png"
    assert nearest_names("picture_0500.png", names)
    assert nearest_names("sub/zebra.png", [*names, "other/Zebra (1).png"]) == [
        "other/Zebra (1).png"
    ]
    assert max(compared) <= 1000
