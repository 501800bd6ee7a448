"""Hooks that a conditioning entry brings, by the keys of its `extras`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.inference import gligen
from engine.nets.hooks import NetHooks

MAKERS: Mapping[str, Callable[[Any], NetHooks]] = {gligen.ENTRY: gligen.gligen_hooks}
"""Makes the hooks from the value under each key."""


class EntryHooks:
    """Makes the hooks of a run's entries; entries with the same value have the same hooks.

    Entries share a call only if their hooks are the same objects.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, NetHooks]] = {}

    def of(self, extras: Mapping[str, Any]) -> tuple[NetHooks, ...]:
        """The hooks of an entry."""
        return tuple(
            self._of_value(extras[key], make)
            for key, make in MAKERS.items()
            if extras.get(key) is not None
        )

    def _of_value(self, value: Any, make: Callable[[Any], NetHooks]) -> NetHooks:
        if id(value) not in self._made:
            self._made[id(value)] = (value, make(value))  # with the value, so that its id stays
        return self._made[id(value)][1]
