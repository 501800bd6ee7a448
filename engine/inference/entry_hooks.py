"""Hooks that a conditioning entry brings, by the keys of its `extras`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.inference import gligen
from engine.nets.hooks import NetHooks

MAKERS: Mapping[str, Callable[[Any], NetHooks]] = {gligen.ENTRY: gligen.gligen_hooks}
"""Makes the hooks from the value under each key."""


def hooks_of(extras: Mapping[str, Any]) -> tuple[NetHooks, ...]:
    """The hooks of an entry; entries share a call only where they have none."""
    return tuple(make(extras[key]) for key, make in MAKERS.items() if extras.get(key) is not None)
