"""Constants, and the preview of any value."""

import pytest
import torch

from engine.files import Files
from engine.nodekit.context import RunningContext
from nodes.primitives import (
    custom_combo,
    preview_any,
    primitive_boolean,
    primitive_float,
    primitive_int,
    primitive_string,
    primitive_string_multiline,
)


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (primitive_int, 2**63 - 1),
        (primitive_float, -0.5),
        (primitive_boolean, True),
        (primitive_string, "a"),
        (primitive_string_multiline, "a\nb"),
    ],
)
def test_constants_are_handed_on(node, value):
    assert node(value) is value


def test_a_custom_combo_gives_its_choice_and_place():
    assert custom_combo("mine") == ("mine", 0)
    assert custom_combo("mine", 3) == ("mine", 3)


def test_any_choice_of_a_custom_combo_is_fine(files: Files):
    assert custom_combo.complaint({"choice": "whatever"}, {}, RunningContext("1", files)) is None
    assert "choice" in custom_combo.schema.checks


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (12, "12"),
        (0.5, "0.5"),
        (True, "True"),
        (None, "None"),
        ({"a": [1, 2]}, '{"a": [1, 2]}'),
        ([1, {2}], "[1, {2}]"),
        (torch.tensor([1, 2]), "tensor([1, 2])"),
    ],
)
def test_any_value_is_shown_as_text(files: Files, value: object, text: str):
    context = RunningContext("1", files)
    assert preview_any(value, context) == text
    assert context.shown == {"text": [text]}
