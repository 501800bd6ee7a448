"""Lists, dictionaries, formatted texts and truths; each refuses what it cannot do."""

import json

import pytest
import torch

from engine.errors import NodeError
from nodes.lists import (
    convert_array_to_string,
    convert_dictionary_to_string,
    create_list,
    get_item_from_list,
)
from nodes.logic import all_true, any_true, not_true
from nodes.strings import string_format


def test_lists_are_joined_in_order_and_read():
    joined = create_list({"input0": [1, 2], "input1": [3], "input2": None})
    assert joined == [1, 2, 3]
    assert [get_item_from_list(joined, [i]) for i in (0, 2, -1)] == [1, 3, 3]
    with pytest.raises(NodeError, match=r"3 items.*none at 3"):
        get_item_from_list(joined, [3])
    with pytest.raises(NodeError, match="0 items"):
        get_item_from_list([], [0])


def test_json_has_the_indent():
    value = {"a": [1, "grün"]}
    assert convert_dictionary_to_string(value) == json.dumps(value, indent=2, ensure_ascii=False)
    assert convert_dictionary_to_string(value, 0) == '{"a": [1, "grün"]}'
    assert convert_array_to_string([{"x": 1}], 1) == '[\n {\n  "x": 1\n }\n]'
    with pytest.raises(NodeError, match="cannot be written as JSON"):
        convert_array_to_string([torch.zeros(1)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a}-{b}", "3.14159-cat"),
        ("{a:.2f}|{b:>5}|{b!r}", "3.14|  cat|'cat'"),
        ("{{a}}", "{a}"),
        ("{b:{c}}", "cat   "),
        ("nothing", "nothing"),
    ],
)
def test_texts_are_formatted_as_python_does_it(text: str, expected: str):
    given = {"a": 3.14159, "b": "cat", "c": 6, "d": None}
    assert string_format(text, given) == expected == text.format(**given)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{a.__class__}", "no placeholder"),
        ("{a[0]}", "no placeholder"),
        ("{}", "no placeholder"),
        ("{0}", "no placeholder"),
        ("{z}", r"\{z\} has no value: joined are \{a\}"),
        ("{a:99999999999}", "above 10,000"),
        ("{a:.2f}", "cannot be formatted"),
        ("{a", "cannot be formatted"),
    ],
)
def test_texts_that_would_do_harm_are_refused(text: str, match: str):
    with pytest.raises(NodeError, match=match):
        string_format(text, {"a": "x"})


def test_truths():
    assert all_true({"value0": 1, "value1": "a"})
    assert not all_true({"value0": 1, "value1": ""})
    assert any_true({"value0": 0, "value1": [0]})
    assert not any_true({"value0": None})
    assert not_true(0.0)
    assert not not_true(torch.ones(1))
    with pytest.raises(NodeError, match="neither true nor false"):
        not_true(torch.ones(2))
