"""The event loop of one run: made when the first node is a coroutine, closed with the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Coroutine
from contextlib import suppress
from inspect import isawaitable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Coroutines:
    """Runs tasks between other work of the caller."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unfinished: set[asyncio.Task[Any]] = set()
        self._done: list[asyncio.Task[Any]] = []
        self._wake: asyncio.Event | None = None

    def start(self, coroutine: Coroutine[Any, Any, Value]) -> asyncio.Task[Value]:
        """Start a task and run it to its first await."""
        loop = self._running()
        task = loop.create_task(coroutine)
        self._unfinished.add(task)
        task.add_done_callback(self._note)
        loop.run_until_complete(asyncio.sleep(0))
        return task

    def now(self, value: Value | Awaitable[Value]) -> Value:
        """A value, awaited if it is awaitable."""
        if isawaitable(value):
            return self._running().run_until_complete(_awaited(value))
        return value

    def turn(self, seconds: float) -> list[asyncio.Task[Any]]:
        """Run tasks: one turn of the loop, or until one is done or the seconds have passed.

        Returns those that were done since the last turn.
        """
        self._running().run_until_complete(self._turn(seconds))
        done, self._done = self._done, []
        return done

    def forget(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        """Do not return these from a later turn: they hold their results in memory."""
        self._done = [each for each in self._done if each not in tasks]

    def close(self) -> None:
        """Cancel what is unfinished, and close the loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        for task in self._unfinished:
            task.cancel()
        loop.run_until_complete(_settled([*self._unfinished]))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    def _note(self, task: asyncio.Task[Any]) -> None:
        self._unfinished.discard(task)
        self._done.append(task)
        if not task.cancelled():
            task.exception()  # retrieved, else asyncio logs that it never was
        if self._wake is not None:
            self._wake.set()

    async def _turn(self, seconds: float) -> None:
        if not seconds or self._done:
            await asyncio.sleep(0)
            return
        self._wake = asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()


async def _awaited(value: Awaitable[Value]) -> Value:
    return await value


async def _settled(tasks: list[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
