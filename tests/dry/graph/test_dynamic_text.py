"""Texts completed when a run is requested."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.graph.dynamic_text import NodeNames, expand_text, fill_names, without_comments
from engine.graph.prompt import Link, Prompt, PromptNode


class Last(random.Random):
    def choice(self, seq):
        return seq[-1]


class First(random.Random):
    def choice(self, seq):
        return seq[0]


def test_depth_costs_no_more_than_length():
    """Braces as deep as the text is long, closed or not."""
    assert expand_text("{a" * 200_000 + "}" * 200_000, First()) == "a" * 200_000
    assert expand_text("{a|" * 200_000, First()) == "{a|" * 200_000


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("a {red|blue} sky", "a red sky", "a blue sky"),
        ("{a|{b|{c|d}}} {e|f}", "a e", "d f"),
        ("{a|}!", "a!", "!"),
        (r"\{a|b\} {c\|d|e}", "{a|b} c|d", "{a|b} e"),
        ("a } b | c", "a } b | c", "a } b | c"),
        ("open {a|b", "open {a|b", "open {a|b"),
        ("open {a|{b|c}", "open {a|b", "open {a|c"),
        ("a /* {x|y}\n */b // c\nd", "a b \nd", "a b \nd"),
        ("a / b /* open { // c", "a / b /* open { ", "a / b /* open { "),
        ("/*/ a */b/**/c//", "bc", "bc"),
        ("back\\slash", "back\\slash", "back\\slash"),
        ("(word:1.2) <lora:x:1>", "(word:1.2) <lora:x:1>", "(word:1.2) <lora:x:1>"),
    ],
)
def test_expand(text, first, last):
    assert expand_text(text, First()) == first
    assert expand_text(text, Last()) == last


def test_every_part_comes_up():
    chance = random.Random(0)
    assert {expand_text("{a|b|c}", chance) for _ in range(100)} == {"a", "b", "c"}


@given(st.text("{}|\\/* ab\n"))
def test_any_text_expands(text):
    assert isinstance(expand_text(text, random.Random(0)), str)


def test_comments_take_time_in_proportion():
    text = "/* " * 300_000
    assert without_comments(text) == text
    assert without_comments(text + "*/") == ""


def test_names_are_filled_in():
    prompt = Prompt(
        {
            "1": PromptNode("Sampler", {"seed": 12, "model": Link("9", 0), "path": "a/b"}),
            "2": PromptNode("Save", {"filename_prefix": "x/%S.seed%-%S.path%-%S.model%-%T.y%-%d%"}),
        }
    )
    named = NodeNames()
    named.add("1", "S", None, None)
    filled = fill_names(prompt, named, "filename_prefix")
    assert filled.nodes["2"].inputs["filename_prefix"] == "x/12-a_b-%S.model%-%T.y%-%d%"
    assert filled.nodes["1"] is prompt.nodes["1"]
    assert fill_names(prompt, NodeNames(), "other") is prompt


def test_the_first_node_of_a_name_is_meant_and_its_own_name_before_its_title():
    names = NodeNames()
    names.add("1", "KSampler", "First pass", "KSampler")
    names.add("2", "KSampler", "Second pass", "KSampler")
    names.add("3", "VAEDecode", "KSampler", "VAEDecode")
    names.add("4", None, "KSampler", "SaveImage")
    assert names.find("KSampler") == "1"
    assert names.find("Second pass") == "2"
    assert names.find("VAEDecode") == "3"
    assert names.find("SaveImage") == "4"
    assert names.find("nobody") is None


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.5, "0.5"), (True, "true"), (7, "7"), ("a/b", "a_b")]
)
def test_values_are_written_as_a_browser_writes_them(value, text):
    prompt = Prompt({"1": PromptNode("S", {"v": value, "filename_prefix": "%S.v%"})})
    names = NodeNames()
    names.add("1", "S", None, None)
    filled = fill_names(prompt, names, "filename_prefix")
    assert filled.nodes["1"].inputs["filename_prefix"] == text
