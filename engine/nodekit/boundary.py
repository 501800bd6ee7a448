"""The conversion between the engine's values and the objects that plugins expect.

The worker passes one to every node made from a plugin's class. Imports no torch:
`engine.compat.boundary` implements it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast

from engine.nodekit.node import Blocked, Expansion, Outcome


class Boundary(Protocol):
    """Converts values between the engine's frozen ones and the objects that plugins expect."""

    def given(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs as a plugin's function takes them; fresh objects for each call."""
        ...

    def returned(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """What a plugin's function returned, as the engine's values."""
        ...


def given(boundary: Boundary | None, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as a plugin's function takes them; without a boundary unchanged."""
    return dict(inputs) if boundary is None else boundary.given(inputs)


def converted(boundary: Boundary | None, outcome: Outcome) -> Outcome:
    """A plugin's outcome with its values, and the constants of its expansion, converted."""
    if boundary is None:
        return outcome
    expansion = outcome.expansion
    if expansion is not None:
        expansion = _converted_expansion(boundary, expansion)
    return replace(outcome, values=boundary.returned(outcome.values), expansion=expansion)


def _converted_expansion(boundary: Boundary, expansion: Expansion) -> Expansion:
    graph = {name: _converted_node(boundary, node) for name, node in expansion.graph.items()}
    result = expansion.result
    if not isinstance(result, Blocked):
        result = tuple(each if _is_link(each) else boundary.returned((each,))[0] for each in result)
    return Expansion(graph, result)


def _converted_node(boundary: Boundary, node: Mapping[str, Any]) -> Mapping[str, Any]:
    inputs = cast("Mapping[str, Any]", node.get("inputs") or {})
    if all(_is_plain(each) for each in inputs.values()):
        return node
    values = boundary.returned(tuple(inputs.values()))
    return {**node, "inputs": dict(zip(inputs, values, strict=True))}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float) or _is_link(value)


def _is_link(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    parts = cast("Sequence[Any]", value)
    return len(parts) == 2 and isinstance(parts[0], str) and isinstance(parts[1], int)
