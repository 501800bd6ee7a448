"""Background tasks of a service: an error in one is logged and ends no other."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine
from typing import Any

from engine.server.logs import LogBook


class Tasks:
    """Tasks that run until they are done or all are cancelled. Used in one event loop."""

    def __init__(self, logs: LogBook) -> None:
        self._logs = logs
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin work in the background."""
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self) -> None:
        """Cancel all, and wait until they have ended."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - an error of one task is logged, and ends no other
            self._logs.write(traceback.format_exc())
