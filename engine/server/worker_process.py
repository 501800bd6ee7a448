"""One process of a worker as the server holds it: its channel, its output, its end.

Knows processes and no prompts.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Coroutine
from contextlib import suppress

import msgspec

from engine.errors import WireError
from engine.server.logs import LogBook
from engine.settings import Settings, settings_to_json
from engine.wire.channel import AsyncChannel, start_child
from engine.wire.messages import Upward

_EXIT_SECONDS = 5.0
"""How long a process may take to exit after its channel closed, before it is killed."""
_DRAIN_SECONDS = 1.0
"""How long what an ended process sent and printed is still read."""
_SOON, _LATER = 0.01, 0.5
"""Seconds between two looks whether it has exited, where that is due and where it is not."""
Receive = Callable[[Upward], None]


class WorkerProcess:
    """A running worker.

    Attributes:
        ready: set when it has loaded.
        gone: set when nothing more comes from it.
    """

    def __init__(
        self, process: Process, channel: AsyncChannel[Upward], logs: LogBook, receive: Receive
    ) -> None:
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self._process = process
        self._channel = channel
        self._logs = logs
        self._blame: str | None = None
        self._began = time.monotonic()
        self._listening = _task(self._listen(receive))
        self._copying = _task(self._copy())
        self._watching = _task(self._watch())

    @classmethod
    async def start(
        cls, module: str, settings: Settings, lock: int | None, logs: LogBook, receive: Receive
    ) -> WorkerProcess:
        """Start a worker.

        Args:
            module: its `__main__`.
            settings: what it is given.
            lock: a file descriptor that it inherits, or None.
            logs: where its output goes.
            receive: called with each message that it sends.

        Raises:
            OSError: the system cannot start a process now.
        """
        process, channel = await start_child(
            module,
            ["--settings", settings_to_json(settings)],
            Upward,
            keep_open=() if lock is None else (lock,),
        )
        return cls(process, channel, logs, receive)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._began

    @property
    def is_idle(self) -> bool:
        """Whether it has loaded and can be given work."""
        return self.ready.is_set() and not self.gone.is_set() and self._blame is None

    def send(self, message: msgspec.Struct) -> None:
        """Send a message, without waiting for the worker to read it.

        Raises:
            WireError: the message is too large, or the worker is gone.
        """
        self._channel.put(message)

    def kill(self, blame: str) -> None:
        """End it and everything it started, at once; `blame` is why."""
        if self._blame is None:
            self._blame = blame
        kill_tree(self._process)

    async def end(self) -> None:
        """Wait until it has exited, read its last words, and leave nothing of it running."""
        self._channel.close()
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                await self._exit(_SOON)
        except TimeoutError:
            self._logs.write("Calotype: the worker did not exit; it is killed\n")
        kill_tree(self._process)  # also what a worker that crashed has left behind
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                await self._exit(_SOON)
        await asyncio.wait([self._copying], timeout=_DRAIN_SECONDS)
        for task in (self._listening, self._copying, self._watching):
            task.cancel()
        await asyncio.gather(self._listening, self._copying, self._watching, return_exceptions=True)
        _close_pipes(self._process)
        self.gone.set()

    def reason(self) -> str:
        """Why it ended, in words."""
        if self._blame is not None:
            return f"the worker was ended because {self._blame}"
        code = self._process.returncode
        if code is None or code >= 0:
            return f"the worker process ended by itself (exit code {code})"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        hint = "; the system may have run out of memory" if -code == signal.SIGKILL else ""
        return f"the worker process was ended by signal {-code} ({name}{hint})"

    async def _listen(self, receive: Receive) -> None:
        """Take in what it says until it is gone. A worker that breaks the protocol is ended."""
        try:
            async for message in self._channel.receive():
                receive(message)
        except WireError as error:
            self.kill(f"it broke the protocol: {error}")
        except Exception as error:  # noqa: BLE001 - whatever a worker sends, the server goes on
            self.kill(f"what it sent could not be passed on: {error}")
        finally:
            self.gone.set()

    async def _watch(self) -> None:
        """See its exit even where something that it started keeps its channel open."""
        await self._exit(_LATER)
        await asyncio.wait([self._listening], timeout=_DRAIN_SECONDS)
        self.gone.set()

    async def _exit(self, interval: float) -> None:
        """Wait for its exit alone: asyncio's `wait` waits for its pipes, which others may hold."""
        while self._process.returncode is None:  # noqa: ASYNC110 - asyncio has no event for it
            await asyncio.sleep(interval)

    async def _copy(self) -> None:
        """Copy its output to the log, so that it never blocks on a full pipe."""
        stream = self._process.stdout
        while stream is not None and not stream.at_eof():
            # Where the log cannot be written, what was read is lost, and what follows is not.
            with suppress(OSError, ValueError):
                await self._logs.copy(stream)


def kill_tree(process: Process) -> None:
    """Kill a child that leads its own session, and all that it has started."""
    import psutil  # noqa: PLC0415 - slow to import, and needed only here

    started: list[psutil.Process] = []
    with suppress(psutil.Error):
        if process.returncode is None:
            started = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        process.kill()
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for each in started:
        with suppress(psutil.Error):
            each.kill()


def _close_pipes(process: Process) -> None:
    """Close our ends: what an ended process started may keep the others open for ever."""
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


def _task(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)
