"""Hooks that surround a whole run: those of conditionings, and those of their control objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def hooks_of(conds: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Any]:
    """The hooks of conditionings in a plugin's form that add transformer options, each once."""
    found: list[Any] = []
    for many in conds.values():
        for each in many:
            groups = [each.get("hooks"), *_of_control(each.get("control"))]
            for hook in (hook for group in groups for hook in getattr(group, "hooks", ())):
                if hasattr(hook, "transformers_dict") and hook not in found:
                    found.append(hook)
    return found


def surround_runs(conditionings: Mapping[str, Any]) -> bool:
    """Whether hooks of the engine's conditionings bring wrappers or callbacks for a whole run."""
    for conditioning in conditionings.values():
        for entry in conditioning:
            extras: Mapping[str, Any] = entry[1]
            for link in getattr(extras.get("control"), "chain", ()):
                if any(_of_control(getattr(link, "control", None))):
                    return True
            if any(_surrounds(hook) for hook in extras.get("hooks") or ()):
                return True
    return False


def _of_control(control: Any) -> Iterator[Any]:
    """The groups of hooks that a control object of a plugin brings, with those before it."""
    asked = getattr(control, "get_extra_hooks", None)
    yield from (asked() if asked is not None else ())


def _surrounds(hook: Any) -> bool:
    theirs = getattr(getattr(hook, "changes", None), "hook", None)
    options: Mapping[str, Any] = getattr(theirs, "transformers_dict", None) or {}
    return bool(options.get("wrappers") or options.get("callbacks"))
