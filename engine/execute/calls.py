"""One node being called: for each element of its lists, directly or awaited; results to outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, cast

from engine.errors import NodeError, Stopped, error_text
from engine.execute.inputs import ClassInfo, Inputs, blocked, calls
from engine.nodekit.context import CURRENT, RunningContext
from engine.nodekit.node import Blocked, Outcome

Retry = Callable[[Exception], bool]
"""Called when a node raised: whether memory was freed, so that the node may run once more."""
Explain = Callable[[Exception], str | None]
"""A clearer message for what a node raised, or None."""


@dataclass(slots=True)
class Running:
    """A node whose calls were begun.

    Attributes:
        contexts: one per call, in order.
        answers: for each call an outcome, or the task that will return one.
        block: the first message that kept a call from being made, or None.
        began: when, by `perf_counter`.
        unfinished: how many tasks are awaited, once the node is parked.
    """

    node_id: str
    info: ClassInfo
    inputs: Inputs
    contexts: list[RunningContext] = field(default_factory=list[RunningContext])
    answers: list[Outcome | asyncio.Task[Outcome]] = field(
        default_factory=list["Outcome | asyncio.Task[Outcome]"]
    )
    block: str | None = None
    began: float = field(default_factory=perf_counter)
    unfinished: int = 0

    @property
    def tasks(self) -> list[asyncio.Task[Outcome]]:
        """The calls that are awaited or were."""
        return [each for each in self.answers if isinstance(each, asyncio.Task)]

    @property
    def over(self) -> bool:
        """Whether all calls are done, or one has failed."""
        tasks = self.tasks
        return all(each.done() for each in tasks) or any(
            each.done() and (each.cancelled() or each.exception()) for each in tasks
        )

    def outcomes(self) -> list[Outcome]:
        """The outcome of each call, once all are done; raises what a call raised."""
        for task in self.tasks:
            if task.done():
                task.result()
        return [each.result() if isinstance(each, asyncio.Task) else each for each in self.answers]


def begin(
    running: Running,
    make_context: Callable[[int], RunningContext],
    start: Callable[[Coroutine[Any, Any, Outcome]], asyncio.Task[Outcome]],
    retry: Retry | None,
) -> None:
    """Make a node's calls. Those that are coroutines become tasks by `start`.

    A call with a blocked argument is not made: its outputs are blocked, silently from here on.
    """
    info = running.info
    for index, arguments in enumerate(calls(running.inputs, info)):
        block = blocked(arguments, info)
        if block is not None:
            running.block = running.block or block.message
            running.answers.append(Outcome((Blocked(),) * len(info.lists)))
            continue
        context = make_context(index)
        running.contexts.append(context)
        CURRENT.set(context)
        answer = _call(info, arguments, context, retry)
        if isinstance(answer, Outcome):
            running.answers.append(answer)
        else:
            running.answers.append(start(_later(answer, info, arguments, context, retry)))


async def _later(
    answer: Awaitable[Outcome],
    info: ClassInfo,
    arguments: Mapping[str, Any],
    context: RunningContext,
    retry: Retry | None,
) -> Outcome:
    try:
        return await answer
    except Stopped:
        raise
    except SystemExit as error:
        # A task that exits would end the event loop, and with it the process.
        raise NodeError(error_text(error)) from error
    except Exception as error:
        if retry is None or not retry(error):
            raise
    again = info.node.run(arguments, context)
    return again if isinstance(again, Outcome) else await again


def _call(
    info: ClassInfo, arguments: Mapping[str, Any], context: RunningContext, retry: Retry | None
) -> Outcome | Awaitable[Outcome]:
    try:
        return info.node.run(arguments, context)
    except Stopped:
        raise
    except Exception as error:
        if retry is None or not retry(error):
            raise
    return info.node.run(arguments, context)


def merge(outcomes: list[tuple[Any, ...]], info: ClassInfo) -> tuple[list[Any], ...]:
    """Each call's values, put together by output.

    A call may give none at all: a node that only shows something.

    Raises:
        NodeError: a call gave fewer values than it has outputs, or no list where one is due.
    """
    lists = info.lists
    for values in outcomes:
        if values and len(values) < len(lists):
            raise NodeError(
                f"{info.schema.class_type} has {len(lists)} outputs and returned {len(values)} "
                "values; return one per output"
            )
    if len(outcomes) == 1 and not any(lists):
        return tuple([value] for value in outcomes[0])
    slots = max((len(values) for values in outcomes), default=len(lists))
    merged: list[list[Any]] = [[] for _ in range(slots)]
    for values in outcomes:
        for slot, value in enumerate(values):
            if slot >= len(lists) or not lists[slot] or isinstance(value, Blocked):
                merged[slot].append(value)
            elif isinstance(value, list | tuple):
                merged[slot].extend(cast("list[Any]", value))
            else:
                raise NodeError(
                    f"output {info.schema.outputs[slot].name} of {info.schema.class_type} is a "
                    f"list, but a {type(value).__name__} was returned for it"
                )
    return tuple(merged)


def merge_shown(running: Running, outcomes: list[Outcome]) -> dict[str, list[Any]] | None:
    """What all calls show, put together by name; None when they show nothing."""
    shown: dict[str, list[Any]] = {}
    for context in running.contexts:
        for name, items in context.shown.items():
            shown.setdefault(name, []).extend(items)
    for outcome in outcomes:
        for name, items in (outcome.shown or {}).items():
            several = isinstance(items, list | tuple)
            shown.setdefault(name, []).extend(cast("list[Any]", items) if several else [items])
    return shown or None
