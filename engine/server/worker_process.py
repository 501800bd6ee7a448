"""One worker process as the server sees it: its channel, its output, its end."""

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
from engine.packs.plan import Plan, plan_to_json
from engine.server.logs import LogBook
from engine.settings import Settings, settings_to_json
from engine.wire.channel import AsyncChannel, start_child
from engine.wire.messages import WorkerMessage

_EXIT_SECONDS = 5.0
"""How long a process may take to exit after its channel closed, before it is killed."""
_DRAIN_SECONDS = 1.0
"""How long the remaining output of an ended process is read."""
_SOON, _LATER = 0.01, 0.5
"""Seconds between two checks for its exit, when that is expected and when it is not."""
Receive = Callable[[WorkerMessage], None]


class WorkerProcess:
    """A running worker.

    Attributes:
        ready: set when it has loaded.
        gone: set when nothing more comes from it.
    """

    def __init__(
        self,
        process: Process,
        channel: AsyncChannel[WorkerMessage],
        logs: LogBook,
        receive: Receive,
    ) -> None:
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self._process = process
        self._channel = channel
        self._logs = logs
        self._kill_reason: str | None = None
        self._began = time.monotonic()
        self._listening = _task(self._listen(receive))
        self._copying = _task(self._copy())
        self._watching = _task(self._watch())

    @classmethod
    async def start(
        cls,
        module: str,
        settings: Settings,
        lock: int | None,
        logs: LogBook,
        receive: Receive,
        plan: Plan,
    ) -> WorkerProcess:
        """Start a worker.

        Args:
            module: its `__main__`.
            settings: what it is given.
            lock: a file descriptor that it inherits, or None.
            logs: where its output goes.
            receive: called with each message that it sends.
            plan: what it does with packs.

        Raises:
            OSError: the system cannot start a process now.
        """
        process, channel = await start_child(
            module,
            ["--settings", settings_to_json(settings), "--plan", plan_to_json(plan)],
            WorkerMessage,
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
        return self.ready.is_set() and not self.gone.is_set() and self._kill_reason is None

    def send(self, message: msgspec.Struct) -> None:
        """Send a message, without waiting for the worker to read it.

        Raises:
            WireError: the message is too large, or the worker is gone.
        """
        self._channel.put(message)

    def kill(self, reason: str) -> None:
        """Kill it and everything it started; `reason` is why."""
        if self._kill_reason is None:
            self._kill_reason = reason
        kill_tree(self._process)

    async def end(self) -> None:
        """Wait until it has exited, read its last output, and kill what it left running."""
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
        """Why it ended, as a sentence."""
        if self._kill_reason is not None:
            return f"the worker was ended because {self._kill_reason}"
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
        """Receive its messages until it is gone. A worker that breaks the protocol is killed."""
        try:
            async for message in self._channel.receive():
                receive(message)
        except WireError as error:
            self.kill(f"it broke the protocol: {error}")
        except Exception as error:  # noqa: BLE001 - whatever a worker sends, the server continues
            self.kill(f"what it sent could not be passed on: {error}")
        finally:
            self.gone.set()

    async def _watch(self) -> None:
        """Detect its exit even where one of its children keeps the channel open."""
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
            # Where the log cannot be written, this output is lost, but not what follows.
            with suppress(OSError, ValueError):
                await self._logs.copy(stream)


def kill_tree(process: Process) -> None:
    """Kill a child that leads its own session, and its descendants."""
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
    """Close our ends: children of an ended process may keep the others open indefinitely."""
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


def _task(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)
