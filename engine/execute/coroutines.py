"""The event loop of one run: made when the first node is a coroutine, closed with the run.

Knows tasks; nothing of nodes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from inspect import isawaitable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Coroutines:
    """Starts tasks and lets them go on while the caller has other things to do."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, coroutine: Coroutine[Any, Any, Value]) -> asyncio.Task[Value]:
        """Begin a task and let it run until it first waits for something."""
        loop = self._running()
        task = loop.create_task(coroutine)
        self._tasks.append(task)
        self.turn(0)
        return task

    def now(self, value: Value | Awaitable[Value]) -> Value:
        """A value, awaited if need be."""
        if isawaitable(value):
            return self._running().run_until_complete(_awaited(value))
        return value

    def turn(self, seconds: float) -> None:
        """Let tasks go on: one turn of each, or until one is done or the seconds are over."""
        loop = self._running()
        unfinished = [task for task in self._tasks if not task.done()]
        if not seconds or not unfinished:
            loop.run_until_complete(asyncio.sleep(0))
            return
        loop.run_until_complete(
            asyncio.wait(unfinished, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        )

    def close(self) -> None:
        """Cancel what is unfinished, and close the loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        for task in self._tasks:
            task.cancel()
        loop.run_until_complete(_settled(self._tasks))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop


async def _awaited(value: Awaitable[Value]) -> Value:
    return await value


async def _settled(tasks: list[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
