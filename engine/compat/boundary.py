"""Converts values where a plugin's code begins and ends, by the type of the value.

Each room of this package has a module `adapters` with `ADAPTERS`, functions that make a plugin's
object from a frozen value, and `STRANGERS`, functions that recognise objects of plugins' own. Every
object that we give to plugins has a method `to_value`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from torch import Tensor

Make = Callable[[Any], Any]
"""From a frozen value to the object that plugins expect; a new object for each call."""
Recognise = Callable[[Any], Any]
"""From an object of a plugin's own to a frozen value, or None if it is something else."""
ROOMS = ("isolation", "models", "parts", "sampling")


class ObjectBoundary:
    """Implements `engine.nodekit.boundary.Boundary`.

    Lists are converted item by item, and the values in the dictionaries of a CONDITIONING's
    entries; both are copied if something changes. Other containers of plugins pass untouched.
    """

    def __init__(self, adapters: Mapping[type, Make], strangers: Sequence[Recognise] = ()) -> None:
        """Make a boundary from the functions of the rooms, see the module's docstring."""
        self._adapters = adapters
        self._strangers = tuple(strangers)

    def given(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs as a plugin's function takes them; fresh objects for each call."""
        return {name: self.to_object(value) for name, value in inputs.items()}

    def returned(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """What a plugin's function returned, as the engine's values."""
        return tuple(self.to_value(value) for value in values)

    def to_object(self, value: Any) -> Any:
        """One value as plugins expect it."""
        return _mapped(value, self._object)

    def to_value(self, value: Any) -> Any:
        """One value as the engine's nodes expect it."""
        return _mapped(value, self._value)

    def _object(self, value: Any) -> Any:
        make = self._adapters.get(type(value))
        return value if make is None else make(value)

    def _value(self, value: Any) -> Any:
        if type(value) in self._adapters or isinstance(value, Tensor | str | int | float | dict):
            return value
        convert = getattr(value, "to_value", None)
        if callable(convert) and not isinstance(value, type):
            return convert()
        for recognise in self._strangers:
            found = recognise(value)
            if found is not None:
                return found
        return value


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """`change` applied to a value, to the items of a list, and to entries of a CONDITIONING."""
    # Exactly a list: plugins derive from it, and from tuple, for purposes of their own.
    if type(value) is not list:
        return change(value)
    items = cast("list[Any]", value)
    changed = [_entry(item, change) for item in items]
    same = all(new is old for new, old in zip(changed, items, strict=True))
    return items if same else changed


def _entry(item: Any, change: Callable[[Any], Any]) -> Any:
    """The same for one item, which may be a list, or an entry `[tensor, dict]`."""
    if type(item) is not list and type(item) is not tuple:
        return change(item)
    parts = cast("Sequence[Any]", item)
    if len(parts) == 2 and isinstance(parts[1], dict) and _is_tokens(parts[0]):
        options = cast("dict[str, Any]", parts[1])
        changed = {key: _mapped(each, change) for key, each in options.items()}
        if all(changed[key] is options[key] for key in options):
            return item
        return [parts[0], changed]
    return _mapped(item, change)


def _is_tokens(value: Any) -> bool:
    # A conditioning without text has None in the tensor's place.
    return value is None or isinstance(value, Tensor)


def plugin_boundary() -> ObjectBoundary:
    """The boundary made from the adapters of every room."""
    adapters: dict[type, Make] = {}
    strangers: list[Recognise] = []
    for room in ROOMS:
        name = f"engine.compat.{room}.adapters"
        # Found by name, because the rooms themselves use this module.
        if find_spec(f"engine.compat.{room}") is None or find_spec(name) is None:
            continue
        module = import_module(name)
        adapters.update(module.ADAPTERS)
        strangers.extend(getattr(module, "STRANGERS", ()))
    return ObjectBoundary(adapters, strangers)
