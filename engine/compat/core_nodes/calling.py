"""A built-in node called by a plugin's code: its objects in, its objects out."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import cache
from inspect import isawaitable
from typing import Any

from engine.compat.boundary import ObjectBoundary, plugin_boundary
from engine.compat.host.state import host
from engine.nodekit.context import CURRENT, RunningContext
from engine.nodekit.node import Node, Outcome


@cache
def boundary() -> ObjectBoundary:
    """The conversion of values; one for the process."""
    return plugin_boundary()


def context_of_call() -> RunningContext:
    """The context of the node whose code makes the call; outside of a run, one of its own."""
    context = CURRENT.get(None)
    return RunningContext("", host().files) if context is None else context.aside()


def bound(
    class_type: str, order: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by name.

    Raises:
        TypeError: there are too many, or one is given twice.
    """
    if len(args) > len(order):
        raise TypeError(
            f"{class_type} takes {len(order)} arguments ({', '.join(order)}), "
            f"and {len(args)} were given"
        )
    given = dict(zip(order, args, strict=False))
    twice = given.keys() & kwargs.keys()
    if twice:
        raise TypeError(f"{class_type} was given {min(twice)} twice")
    return {**given, **kwargs}


def call(node: Node, given: Mapping[str, Any]) -> Any:
    """Run a node with a plugin's values: an Outcome, or an awaitable of one.

    Hidden inputs are left out, since the node reads them of its context.
    """
    hidden = {each.name for each in node.schema.inputs if each.section == "hidden"}
    values = {
        name: boundary().to_value(value) for name, value in given.items() if name not in hidden
    }
    context = context_of_call()
    answer = node.run(values, context)
    return _later(answer, context) if isawaitable(answer) else _converted(answer, context)


async def _later(answer: Awaitable[Outcome], context: RunningContext) -> Outcome:
    return _converted(await answer, context)


def _converted(outcome: Outcome, context: RunningContext) -> Outcome:
    values = tuple(boundary().to_object(value) for value in outcome.values)
    shown = {**context.shown, **(outcome.shown or {})}
    return Outcome(values, shown or None, outcome.expansion)
