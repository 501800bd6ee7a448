"""The values of a saved node's widgets, by the names of its inputs.

A saved node stores its widgets' values as a list in the order the widgets were made, among them
values of widgets that are no inputs, such as what to do with a seed after a run. The catalog gives
that order. Lists of any length are read: extra values are ignored, missing ones take defaults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.graph.dynamic import iterate_inputs
from engine.graph.prompt import is_list, is_mapping
from engine.graph.saved_graph import SavedNode
from engine.graph.schema import COMBO, WIDGET_TYPES, InputSchema, NodeSchema

CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""The values of a seed's second widget: the action after a run."""
SEEDS = frozenset({"seed", "noise_seed"})
"""Inputs that have that second widget although their options do not declare it."""
_OPTION = re.compile(r"option(\d+)")
_EMPTY: Mapping[str, Any] = {
    "INT": 0,
    "FLOAT": 0.0,
    "STRING": "",
    "BOOLEAN": False,
    "LOAD_3D": "",
    "LOAD_3D_ANIMATION": "",
}
_BUTTONS = frozenset({"upload3dmodel", "uploadExtraResources", "clear"})
"""What the incumbent's editor saves for the buttons after the choice of a model."""


def widget_values(node: SavedNode, schema: NodeSchema | None) -> dict[str, Any]:
    """The value of each widget input, by name; defaults where the file has none.

    Without a schema, the names are those that the file itself gives, if it gives any.
    """
    if schema is None:
        return _by_names_in_file(node)
    if is_mapping(node.values):
        return _by_name(node, schema, node.values)
    saved = list(node.values) if is_list(node.values) else []
    names = _names_of_list(node, schema, saved)
    if names is not None:
        return _by_name(node, schema, dict(zip(names, saved, strict=True)))
    return read_list(node, schema, saved)[0]


def read_list(node: SavedNode, schema: NodeSchema, saved: list[Any]) -> tuple[dict[str, Any], int]:
    """The widgets' values by name from the front of a list, and how many entries they took."""
    values, taken = _read(node, schema, saved, forced=False)
    if taken < len(saved) and any(_is_forced(each) for each in schema.inputs):
        # Old files hold an entry for inputs that can only be linked, too.
        old, old_taken = _read(node, schema, saved, forced=True)
        if old_taken == len(saved):
            return {name: old[name] for name in values}, old_taken
    return values, taken


def _read(
    node: SavedNode, schema: NodeSchema, saved: list[Any], *, forced: bool
) -> tuple[dict[str, Any], int]:
    values: dict[str, Any] = {}
    place = 0
    controlled = buttons = False
    for each in _widgets(node, schema, values, forced=forced):
        if controlled and place < len(saved) and _is_control(saved[place], each):
            place += 1
        while buttons and place < len(saved) and _is_button(saved[place]):
            place += 1
        found = saved[place] if place < len(saved) else None
        place += 1
        _keep(values, each, found)
        controlled = _is_controlled(each)
        buttons = each.options.get("file_upload") is True
    if controlled and place < len(saved) and _is_control(saved[place], None):
        place += 1
    return values, min(place, len(saved))


def _by_name(node: SavedNode, schema: NodeSchema, saved: Mapping[Any, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in _widgets(node, schema, values, forced=False):
        _keep(values, each, saved.get(each.name))
    return values


def _by_names_in_file(node: SavedNode) -> dict[str, Any]:
    saved = list(node.values) if is_list(node.values) else []
    if node.named_values is not None:
        if len(saved) == len(node.named_values):
            named = dict(zip(node.named_values, saved, strict=True))
        else:
            named = dict(node.named_values)
        return {name: value for name, value in named.items() if name not in _NO_INPUTS}
    if is_mapping(node.values):
        return dict(node.values)
    widgets = [each.widget for each in node.inputs if each.widget is not None]
    left = _without_controls(widgets, saved)
    return dict(zip(widgets, left, strict=True)) if len(left) == len(widgets) else {}


_NO_INPUTS = frozenset({"control_after_generate", "upload", "control_filter_list"}) | CONTROLS


def _without_controls(names: Iterable[str], saved: list[Any]) -> list[Any]:
    """The list without what follows each seed, as far as the names go."""
    left: list[Any] = []
    place = 0
    for name in names:
        left += saved[place : place + 1]
        place += 1
        if name in SEEDS and place < len(saved) and _is_control(saved[place], None):
            place += 1
    return left + saved[place:]


def _names_of_list(node: SavedNode, schema: NodeSchema, saved: list[Any]) -> list[str] | None:
    """The names that the file says its list's values have, if they are those of the schema.

    They identify the values where inputs were added, dropped or moved since. Where some are gone
    and others new, inputs were probably renamed, and their positions are used.
    """
    if node.named_values is None or len(node.named_values) != len(saved):
        return None
    names = [str(name) for name in node.named_values]
    now = _by_name(node, schema, node.named_values)
    gone = any(name not in now and name not in _NO_INPUTS for name in names)
    new = any(name not in names for name in now)
    return None if gone and new else names


def _widgets(
    node: SavedNode, schema: NodeSchema, given: Mapping[str, Any], *, forced: bool
) -> Iterator[InputSchema]:
    """The inputs that have a widget, in order; `given` may fill up while this is read."""
    slots = {each.name for each in node.inputs if each.widget is not None}
    for each in iterate_inputs(schema, given):
        if each.section == "hidden":
            continue
        if each.is_widget or (forced and _is_forced(each)) or _is_custom_widget(each, slots):
            yield each


def _is_custom_widget(given: InputSchema, slots: set[str]) -> bool:
    """Whether a plugin draws a widget for its own type."""
    if given.type in WIDGET_TYPES:
        return False
    options = given.options
    return given.name in slots or "widgetType" in options or bool(options.get("socketless"))


def _is_forced(given: InputSchema) -> bool:
    return given.type in WIDGET_TYPES and not given.is_widget


def _is_controlled(given: InputSchema) -> bool:
    by_name = given.type == "INT" and given.name.rpartition(".")[2] in SEEDS
    return by_name or bool(given.options.get("control_after_generate"))


def _is_button(value: Any) -> bool:
    return isinstance(value, str) and value in _BUTTONS


def _is_control(value: Any, following: InputSchema | None) -> bool:
    """Whether this entry is a seed's second widget and not the value of the next input."""
    if isinstance(value, bool):
        # Very old files store it this way.
        return following is None or following.type != "BOOLEAN"
    if not isinstance(value, str) or value not in CONTROLS:
        return False
    return following is None or value not in (following.choices or ())


def _keep(values: dict[str, Any], given: InputSchema, found: Any) -> None:
    """Put a value, or its default, under the input's name."""
    if found is None:
        found = default_of(given)
    if given.name == "sampler_name" and isinstance(found, str):
        # The first files of all named samplers after the functions that ran them.
        found = found.removeprefix("sample_")
    if found is not None:
        values[given.name] = found


def follow_choices(inputs: dict[str, Any], node: SavedNode, schema: NodeSchema | None) -> None:
    """Set the inputs that are the place of another's value among the choices typed into a node.

    The saved list holds these choices after the inputs, those of older files without the place;
    named values hold them as `option1`, `option2` and so on. Where the value is linked or not among
    them, the place stays as it was saved, if it is a number.
    """
    for each in schema.inputs if schema else ():
        of = each.options.get("place_of")
        if of is None:
            continue
        chosen, choices = inputs.get(of), _typed_choices(node)
        if isinstance(chosen, str) and chosen and chosen in choices:
            inputs[each.name] = choices.index(chosen)
        elif isinstance(inputs.get(each.name), str):
            inputs[each.name] = default_of(each)


def _typed_choices(node: SavedNode) -> list[str]:
    if is_mapping(node.values):
        numbered = [
            (int(match[1]), value)
            for name, value in node.values.items()
            if (match := _OPTION.fullmatch(str(name))) and isinstance(value, str)
        ]
        return [value for _, value in sorted(numbered)]
    saved = list(node.values) if is_list(node.values) else []
    return [value for value in saved[1:] if isinstance(value, str)]


def default_of(given: InputSchema) -> Any:
    """What the widget shows before the user changes it; None for an empty combo."""
    if "default" in given.options:
        return given.options["default"]
    if given.type == COMBO:
        return given.choices[0] if given.choices else None
    return _EMPTY.get(given.type)
