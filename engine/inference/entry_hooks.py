"""Hooks that a conditioning entry brings, by the keys of its `extras`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from engine.inference import gligen
from engine.inference.values import Model
from engine.nets.hooks import NetHooks

MAKERS: Mapping[str, Callable[[Any], NetHooks]] = {gligen.ENTRY: gligen.gligen_hooks}
"""Makes the hooks from the value under each key."""


@runtime_checkable
class NetworkChanges(Protocol):
    """`Changes` of an entry's `hooks` that act inside the network, not on its weights."""

    def net_hooks(self, model: Model) -> NetHooks | None:
        """The hooks for a run with that model, or None."""
        ...


class EntryHooks:
    """Makes the hooks of a run's entries; entries with the same value have the same hooks.

    Entries share a call only if their hooks are the same objects.
    """

    def __init__(self, model: Model | None = None) -> None:
        """Make those of one run; `model` is the sampled one."""
        self._model = model
        self._made: dict[int, tuple[Any, NetHooks]] = {}

    def of(self, extras: Mapping[str, Any]) -> tuple[NetHooks, ...]:
        """The hooks of an entry."""
        model = self._model
        changes = (hook.changes for hook in extras.get("hooks") or () if model is not None)
        network = (
            self._of_value(each, lambda value: value.net_hooks(model) or NetHooks())
            for each in changes
            if isinstance(each, NetworkChanges)
        )
        by_key = (
            self._of_value(extras[key], make)
            for key, make in MAKERS.items()
            if extras.get(key) is not None
        )
        return (*by_key, *network)

    def _of_value(self, value: Any, make: Callable[[Any], NetHooks]) -> NetHooks:
        if id(value) not in self._made:
            self._made[id(value)] = (value, make(value))  # with the value, so that its id stays
        return self._made[id(value)][1]
