"""Outputs of a node that expanded: taken from the nodes it expanded to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from engine.errors import NodeError
from engine.execute.calls import merge
from engine.execute.inputs import ClassInfo
from engine.graph.prompt import Link
from engine.nodekit.node import Blocked, Outcome


@dataclass(frozen=True, slots=True)
class ExpandedCall:
    """A call that expanded: for each output a link into the graph, or a literal."""

    result: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Expanding:
    """A node whose outputs will come from what it expanded to."""

    info: ClassInfo
    answers: list[Outcome | ExpandedCall]
    sources: list[str]
    shown: Mapping[str, list[Any]] | None
    seconds: float


def collect(
    answers: Sequence[Outcome | ExpandedCall],
    info: ClassInfo,
    outputs: Mapping[str, tuple[list[Any], ...]],
) -> tuple[list[Any], ...]:
    """Put each call's outputs together, the values of a link in the order they are in.

    Raises:
        NodeError: a link refers to an output that its node did not return.
    """
    parts = [
        _expanded_outputs(each, info, outputs)
        if isinstance(each, ExpandedCall)
        else merge([each.values], info)
        for each in answers
    ]
    slots = max((len(part) for part in parts), default=0)
    return tuple(
        [value for part in parts if slot < len(part) for value in part[slot]]
        for slot in range(slots)
    )


def _expanded_outputs(
    expanded: ExpandedCall, info: ClassInfo, outputs: Mapping[str, tuple[list[Any], ...]]
) -> tuple[list[Any], ...]:
    found: list[list[Any]] = []
    for slot, value in enumerate(expanded.result):
        listed = slot < len(info.lists) and info.lists[slot]
        if isinstance(value, Link):
            source = outputs[value.node]
            if value.slot >= len(source):
                raise NodeError(
                    f"an expansion takes output {value.slot} of node {value.node}, which gave "
                    f"{len(source)} values"
                )
            found.append(source[value.slot])
        elif listed and isinstance(value, list | tuple) and not isinstance(value, Blocked):
            found.append(list(cast("Sequence[Any]", value)))
        else:
            found.append([value])
    return tuple(found)
