"""One literal and the input it is given to: coerced, within bounds, among the choices.

Coerces what ComfyUI coerces, `"7"` to 7 for an INT. Knows nothing of links and other nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from engine.graph.object_info import ListFolder, input_entry
from engine.graph.problems import Problem
from engine.graph.prompt import is_list
from engine.graph.schema import COMBO, InputSchema

LONG_LIST = 20
"""Longer lists of choices are not sent along with an error."""
_SHOWN = 200
_NEAREST = 3
_MOST_COMPARED = 5_000
"""Names that one prompt may have compared with its own; a hostile one names thousands."""


def shown(value: object) -> str:
    """A value as text, cut where nobody reads on."""
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class Literals:
    """Checks literals, listing each folder once."""

    def __init__(self, list_folder: ListFolder | None = None) -> None:
        self._list_folder = list_folder
        self._listed: dict[str, frozenset[str]] = {}
        self._compared = 0

    def check(
        self, given: InputSchema, value: Any, *, free: bool = False
    ) -> tuple[Any, Problem | None]:
        """The coerced value, and what is wrong with it.

        Args:
            given: the input.
            value: what it is given.
            free: the node checks bounds and choices itself.
        """
        coerce = _COERCIONS.get(given.type)
        if coerce is not None:
            try:
                value = coerce(value)
            except (ValueError, TypeError, OverflowError) as error:
                return value, _not_coerced(given, value, error)
            return value, None if free else _out_of_bounds(given, value)
        if given.type == COMBO and not free:
            return self._among_choices(given, value)
        return value, None

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
            return value, _not_in_list(given, value, [*choices, *sorted(listed)])
        # A workflow from Windows names files in subfolders with backslashes.
        for name in (value, value.replace("\\", "/")):
            if name in listed:
                return name, None
        return value, self._no_such_file(given, value, [*choices, *sorted(listed)])

    def _no_such_file(self, given: InputSchema, name: str, choices: Sequence[Any]) -> Problem:
        """Says which files have a name like it, as long as there are few to be compared."""
        problem = _not_in_list(given, name, choices)
        self._compared += len(choices)
        nearest: list[str] = []
        if self._compared <= _MOST_COMPARED and len(name) <= _SHOWN:
            nearest = get_close_matches(name, map(str, choices), n=_NEAREST, cutoff=0.5)
        extra = {**problem.extra_info, "folder": given.folder, "nearest": nearest}
        return replace(problem, extra_info=extra)

    def _list(self, folder: str, list_folder: ListFolder) -> frozenset[str]:
        if folder not in self._listed:
            self._listed[folder] = frozenset(list_folder(folder))
        return self._listed[folder]


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
            "received_value": value,
            "exception_message": str(error),
        },
    )


def _out_of_bounds(given: InputSchema, value: Any) -> Problem | None:
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
        "received_value": value,
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
        {"input_name": given.name, "input_config": config, "received_value": value},
    )
