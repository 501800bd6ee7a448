"""Which outputs may be joined to which inputs, by their types alone.

The editor has the same rule, and no other rule of the graph.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from engine.graph.schema import ANY, COMBO

MATCH = "COMFY_MATCHTYPE_V3"
"""A type that becomes whatever is joined to it; see `allowed_types` of its template."""
_NO_TYPE = "\0 a type that no plugin declares"


class Wildcard(str):  # noqa: SLOT000 - read from a plugin's catalog, a few thousand at most
    """A type that equals every other, as old plugins write it; its text need not be `*`."""

    __hash__ = str.__hash__

    def __ne__(self, _: object) -> bool:
        return False


def is_wildcard(kind: object) -> bool:
    """Whether a type claims to equal every other."""
    return isinstance(kind, str) and type(kind) is not str and not (kind != _NO_TYPE)  # noqa: SIM202


def joins(output: Any, wanted: Any) -> bool:
    """Whether a value of type `output` may be given to an input of type `wanted`.

    Types are strings such as `IMAGE`, unions such as `IMAGE,MASK`, `*`, and in old plugins
    strings that claim to equal every other, or the list of a combo's choices.
    """
    if not (output != wanted):  # noqa: SIM202 - plugins override __ne__ to match every type
        return True
    if _is_open(output) or _is_open(wanted):
        return True
    if isinstance(output, list | tuple) or isinstance(wanted, list | tuple):
        return _is_combo(output) and _is_combo(wanted)
    return not _members(str(output)).isdisjoint(_members(str(wanted)))


def _is_open(kind: Any) -> bool:
    return isinstance(kind, str | int) and kind in {ANY, MATCH, "", 0}


def _is_combo(kind: Any) -> bool:
    return isinstance(kind, list | tuple) or kind == COMBO


def _members(union: str) -> AbstractSet[str]:
    return {member.strip().upper() for member in union.split(",")}
