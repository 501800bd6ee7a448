"""Frozen values become plugins' objects by their type, wherever a socket may hold them."""

from dataclasses import dataclass

import torch

from engine.compat.boundary import ObjectBoundary


@dataclass(frozen=True)
class Value:
    number: int


class Thing:
    def __init__(self, value):
        self.number = value.number

    def to_value(self):
        return Value(self.number)


BOUNDARY = ObjectBoundary({Value: Thing}, [lambda each: Value(0) if each == {1} else None])


def test_a_value_becomes_an_object_and_comes_back():
    given = BOUNDARY.given({"model": Value(3), "text": "words"})
    assert isinstance(given["model"], Thing)
    assert given["text"] == "words"
    assert BOUNDARY.returned((given["model"], "words")) == (Value(3), "words")


def test_each_call_gets_objects_of_its_own():
    value = Value(3)
    first, second = (BOUNDARY.given({"model": value})["model"] for _ in range(2))
    assert first is not second


def test_lists_are_converted_item_by_item():
    given = BOUNDARY.given({"model": [Value(1), Value(2)]})["model"]
    assert [type(each) for each in given] == [Thing, Thing]
    assert BOUNDARY.returned((given,)) == ([Value(1), Value(2)],)


def test_entries_of_a_conditioning_are_copied_and_converted():
    options = {"control": Value(1), "strength": 1.0}
    entries = [[torch.zeros(1, 2, 3), options]]
    given = BOUNDARY.given({"positive": entries})["positive"]
    assert isinstance(given[0][1]["control"], Thing)
    assert options["control"] == Value(1)
    (back,) = BOUNDARY.returned((given,))
    assert back[0][1] == options


def test_a_list_of_conditionings_is_converted_too():
    entries = [[torch.zeros(1, 2, 3), {"control": Value(1)}]]
    given = BOUNDARY.given({"positive": [entries]})["positive"]
    assert isinstance(given[0][0][1]["control"], Thing)


def test_what_needs_no_conversion_stays_the_same_object():
    latent, pipe, plain = {"samples": torch.zeros(1)}, (Thing(Value(1)), "x"), [[1, 2], "a"]
    for value in (latent, pipe, plain):
        assert BOUNDARY.given({"x": value})["x"] is value
        assert BOUNDARY.returned((value,))[0] is value


def test_objects_of_plugins_own_are_recognised():
    assert BOUNDARY.returned(({1}, {2})) == (Value(0), {2})
