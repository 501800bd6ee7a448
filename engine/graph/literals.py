"""One literal and the input it is given to: coerced, within bounds, among the choices.

Coerces what ComfyUI coerces, `"7"` to 7 for an INT.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from reprlib import Repr
from typing import Any

from engine.graph.object_info import ListFolder, input_entry
from engine.graph.problems import Problem
from engine.graph.prompt import is_list
from engine.graph.schema import COMBO, InputSchema
from engine.paths import nearest_names, split_annotation
from engine.prefixes import FILE_PREFIX, prefix_fault

LONG_LIST = 20
"""Longer lists of choices are not sent along with an error."""
_SHOWN = 200
_ECHOED = 2000
_MOST_BITS = 1024
_MOST_COMPARED = 20
"""Names for which the nearest ones are searched; a hostile prompt names thousands."""
HasFile = Callable[[str, str], bool]
"""Given a kind of files and a name: whether there is such a file."""


def shown(value: object) -> str:
    """A value as text, cut to a readable length."""
    text = value if isinstance(value, str) else _short(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def echoed(value: object) -> object:
    """A received value for a program to read: itself where it is small, else as text."""
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MOST_BITS else shown(value)
    if is_list(value) and len(value) <= LONG_LIST:
        return [echoed(each) if not is_list(each) else shown(each) for each in value]
    return value if isinstance(value, str) and len(value) <= _ECHOED else shown(value)


def _short(value: object) -> str:
    """The text of a value of any size, made without reading all of it."""
    writer = Repr()
    writer.maxlist = writer.maxdict = writer.maxtuple = LONG_LIST
    writer.maxstring = writer.maxother = writer.maxlong = _SHOWN
    return writer.repr(value)


class Literals:
    """Checks literals, listing each folder once.

    Args:
        list_folder: the names of a kind's files; without it, combos of files are not checked.
        has_file: whether there is a file that no list names, such as a hidden one.
    """

    def __init__(
        self, list_folder: ListFolder | None = None, has_file: HasFile | None = None
    ) -> None:
        self._list_folder = list_folder
        self._has_file = has_file
        self._listed: dict[str, frozenset[str]] = {}
        self._sorted: dict[str, list[str]] = {}
        self._compared = 0

    def check(
        self, given: InputSchema, value: Any, *, free: bool = False
    ) -> tuple[Any, Problem | None]:
        """The coerced value, and what is wrong with it.

        Args:
            given: the input.
            value: what it is given.
            free: the node checks bounds and choices itself; whether a file exists is checked here
                in any case.
        """
        coerce = _COERCIONS.get(given.type)
        if coerce is not None:
            try:
                value = coerce(value)
            except (ValueError, TypeError, OverflowError) as error:
                return value, _not_coerced(given, value, error)
            if given.name == FILE_PREFIX and isinstance(value, str):
                return value, _bad_prefix(given, value)
            return value, None if free else out_of_bounds(given, value)
        if given.type == COMBO and free:
            return value, self._missing(given, value)
        if given.type == COMBO:
            return self._among_choices(given, value)
        return value, None

    def _missing(self, given: InputSchema, value: Any) -> Problem | None:
        """What is wrong with a node's file of any folder, `x.png [output]`."""
        kind = given.folder
        if kind is None or self._list_folder is None or value in (given.choices or ()):
            return None
        if not isinstance(value, str):
            return _not_in_list(given, value, given.choices or ())
        name, place = split_annotation(value)
        if self._has_file is not None and place is not None and self._has_file(kind, value):
            return None  # a file may be called `x [output]`
        if self._has_file is not None and self._has_file(place or kind, name):
            return None
        if name in self._list(place or kind, self._list_folder):
            return None
        nearest = self._nearest(name, self._names(place or kind, self._list_folder))
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        return Problem(
            "custom_validation_failed",
            "The node's own check failed",
            f"{given.name}: there is no file {shown(name)!r} in {place or kind}/{hint}",
            {
                "input_name": given.name,
                "received_value": echoed(value),
                "folder": place or kind,
                "nearest": nearest,
            },
        )

    def _among_choices(self, given: InputSchema, value: Any) -> tuple[Any, Problem | None]:
        choices: Sequence[Any] = given.choices or ()
        if given.options.get("multiselect") and is_list(value):
            odd = [each for each in value if each not in choices]
            return value, _not_in_list(given, odd, choices) if odd else None
        if value in choices:
            return value, None
        if given.folder is None:
            unknown = given.choices is None
            return value, None if unknown else _not_in_list(given, value, choices)
        if self._list_folder is None:
            return value, None
        listed = self._list(given.folder, self._list_folder)
        if not isinstance(value, str):
            names = self._names(given.folder, self._list_folder)
            return value, _not_in_list(given, value, [*choices, *names])
        # A workflow from Windows names files in subfolders with backslashes.
        for name in (value, value.replace("\\", "/")):
            if name in listed:
                return name, None
        names = self._names(given.folder, self._list_folder)
        return value, self._no_such_file(given, value, [*choices, *names])

    def _no_such_file(self, given: InputSchema, name: str, choices: Sequence[Any]) -> Problem:
        """A problem that names files with similar names."""
        problem = _not_in_list(given, name, choices)
        nearest = self._nearest(name, [str(each) for each in choices])
        extra = {**problem.extra_info, "folder": given.folder, "nearest": nearest}
        return replace(problem, extra_info=extra)

    def _nearest(self, name: str, names: Sequence[str]) -> list[str]:
        """The names most like one, for as long as few were compared."""
        if self._compared > _MOST_COMPARED:
            return []
        self._compared += 1
        return nearest_names(name, names)

    def _list(self, folder: str, list_folder: ListFolder) -> frozenset[str]:
        if folder not in self._listed:
            self._listed[folder] = frozenset(list_folder(folder))
        return self._listed[folder]

    def _names(self, folder: str, list_folder: ListFolder) -> list[str]:
        if folder not in self._sorted:
            self._sorted[folder] = sorted(self._list(folder, list_folder))
        return self._sorted[folder]


def _bad_prefix(given: InputSchema, value: str) -> Problem | None:
    """What would keep a save node from writing, reported before the run and not at its end."""
    fault = prefix_fault(value)
    if fault is None:
        return None
    return Problem(
        "custom_validation_failed",
        "The node's own check failed",
        f"{given.name}: {fault}",
        {"input_name": given.name, "received_value": echoed(value)},
    )


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number that can be worked with")
    return number


_COERCIONS: Mapping[str, Callable[[Any], Any]] = {
    "INT": int,
    "FLOAT": _finite,
    "STRING": str,
    "BOOLEAN": bool,
}


def _not_coerced(given: InputSchema, value: Any, error: Exception) -> Problem:
    return Problem(
        "invalid_input_type",
        f"A value cannot be read as {given.type}",
        f"{given.name}, {shown(value)}, {error}",
        {
            "input_name": given.name,
            "input_config": input_entry(given),
            "received_value": echoed(value),
            "exception_message": str(error),
        },
    )


def out_of_bounds(given: InputSchema, value: Any) -> Problem | None:
    """What is wrong with a number that is not within the bounds of its input."""
    if given.type not in {"INT", "FLOAT"}:
        return None
    least, most = given.options.get("min"), given.options.get("max")
    if least is not None and value < least:
        kind, message = (
            "value_smaller_than_min",
            f"Value {shown(value)} smaller than min of {least}",
        )
    elif most is not None and value > most:
        kind, message = "value_bigger_than_max", f"Value {shown(value)} bigger than max of {most}"
    else:
        return None
    extra = {
        "input_name": given.name,
        "input_config": input_entry(given),
        "received_value": echoed(value),
    }
    return Problem(kind, message, given.name, extra)


def _not_in_list(given: InputSchema, value: Any, choices: Sequence[Any]) -> Problem:
    long = len(choices) > LONG_LIST
    listed = f"(list of length {len(choices)})" if long else str(list(choices))
    config = None if long else [list(choices), dict(given.options)]
    return Problem(
        "value_not_in_list",
        "Value not in list",
        f"{given.name}: '{shown(value)}' not in {listed}",
        {"input_name": given.name, "input_config": config, "received_value": echoed(value)},
    )
