"""Constants as nodes, a custom combo, and a preview of any value: the category `utils`."""

from __future__ import annotations

import json
from typing import Annotated, NamedTuple

from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, InOptionalSection, Options, Range, Text
from nodes.sockets import Anything

_MOST = 2**63 - 1
MOST_CHOICES = 10_000


@node("PrimitiveInt", category="utils/primitive", display="Int")
def primitive_int(value: Annotated[int, Range(-_MOST, _MOST, control_after_generate=True)]) -> int:
    """A whole number."""
    return value


@node("PrimitiveFloat", category="utils/primitive", display="Float")
def primitive_float(
    # A Range would make the bounds floats, which cannot hold these.
    value: Annotated[float, Options(min=-_MOST, max=_MOST, step=0.1)],
) -> float:
    """A number."""
    return value


@node("PrimitiveBoolean", category="utils/primitive", display="Boolean")
def primitive_boolean(value: bool) -> bool:
    """True or false."""
    return value


@node("PrimitiveString", category="utils/primitive", display="String")
def primitive_string(value: Annotated[str, Text(multiline=False)]) -> str:
    """A text of one line."""
    return value


@node("PrimitiveStringMultiline", category="utils/primitive", display="String (Multiline)")
def primitive_string_multiline(value: Annotated[str, Text(multiline=True)]) -> str:
    """A text."""
    return value


class ChosenValue(NamedTuple):
    """A choice and its index among the others."""

    STRING: str
    INDEX: int


@node(
    "CustomCombo",
    category="utils",
    display="Custom Combo",
    experimental=True,
    checks=("choice",),
)
def custom_combo(
    choice: Annotated[str, Choice()],
    # Follows the choice when a workflow is converted, which is where the other choices are known.
    index: Annotated[
        int, Range(0, MOST_CHOICES), InOptionalSection(), Options(place_of="choice")
    ] = 0,
) -> ChosenValue:
    """Choose one of the options typed into this node; also returns its index, from 0.

    Only the saved workflow contains the other options.
    """
    return ChosenValue(choice, index)


@custom_combo.check
def _() -> bool:
    return True


@node("PreviewAny", category="utils", display="Preview as Text", output=True)
def preview_any(source: Anything, ctx: Context) -> str:
    """Show any value as text: unchanged, as JSON, or as printed by Python; pass the text on."""
    text = _as_text(source)
    ctx.show(text=[text])
    return text


def _as_text(value: object) -> str:
    if isinstance(value, str | int | float | None):
        return str(value)
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return str(value)
