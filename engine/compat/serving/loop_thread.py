"""An event loop in a thread of its own, started when it is first wanted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """The loop that plugins' routes run in, beside the thread that computes."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; it runs."""
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, name="routes", daemon=True)
                self._thread.start()
            return self._loop

    @property
    def is_running(self) -> bool:
        """Whether the loop was wanted so far."""
        return self._loop is not None

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in it."""
        return threading.current_thread() is self._thread

    def run(self, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """Run a coroutine in it, and wait for the result.

        Raises:
            TimeoutError: it takes longer than that.
        """
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in it, and go on."""
        asyncio.run_coroutine_threadsafe(work, self.loop)

    def _run(self) -> None:
        assert self._loop is not None  # noqa: S101 - set before the thread starts
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
