"""What an entry of one conditioning also brings to entries of the others, as for the incumbent.

A control network applied by the old node, and the boxes of GLIGEN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.inference import control, gligen
from engine.inference.values import Conditioning

SHARED: Mapping[str, Callable[[str, Mapping[str, Any]], bool]] = {
    control.ENTRY: lambda _, extras: bool(extras.get(control.ALSO_NEGATIVE)),
    gligen.ENTRY: lambda name, _: name == "positive",
}
"""The keys of entries, and whether a value counts that an entry of the named conditioning has."""


def shared_with_others(conditionings: Mapping[str, Conditioning]) -> dict[str, Conditioning]:
    """The conditionings, with values of other conditionings that also apply to them.

    Entries for the whole picture share their values with entries of the other conditionings that
    have none; if there are fewer of those, copies of them are added.
    """
    completed = dict(conditionings)
    for key, counts in SHARED.items():
        before = dict(completed)
        for name, entries in before.items():
            values = [
                extras[key]
                for _, extras in entries
                if extras.get(key) is not None and counts(name, extras) and _is_whole(extras)
            ]
            for other, theirs in tuple(completed.items()):
                if other != name and values:
                    completed[other] = _with_values(theirs, key, values)
    return completed


def _with_values(
    entries: Sequence[Sequence[Any]], key: str, values: Sequence[Any]
) -> Sequence[Sequence[Any]]:
    """The entries, with the k-th value at the k-th entry for the whole picture."""
    whole = [index for index, (_, extras) in enumerate(entries) if _is_whole(extras)]
    if any(entries[index][1].get(key) is not None for index in whole):
        return entries
    found: list[Any] = list(entries)
    for number, value in enumerate(values if whole else ()):
        index = whole[number % len(whole)]
        tensor, extras = entries[index]
        entry = [tensor, {**extras, key: value}]
        if number < len(whole):
            found[index] = entry
        else:
            found.append(entry)
    return found


def _is_whole(extras: Mapping[str, Any]) -> bool:
    return extras.get("area") is None
