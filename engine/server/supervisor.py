"""Starts a worker process, and another one when it is gone; a start that fails is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.server.logs import LogBook
from engine.server.pack_watch import PackWatch
from engine.server.worker_process import WorkerProcess
from engine.settings import Settings
from engine.wire.messages import JobMessage, WorkerMessage
from engine.wire.pack_messages import PackMessage

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_USEFUL_SECONDS = 10.0
"""A worker that ended sooner and ran nothing is not replaced at once."""


class Supervisor:
    """The worker process of one device, whichever it is now. Used in one event loop.

    Attributes:
        process: the process; None while there is none.
        finished: how many prompts have ended, as counted by the caller.
        problem: why there is no worker, as a sentence; None while one runs or starts.
        packs: what is known of packs.
        restarts: how often a worker has ended, or could not be started.
    """

    def __init__(
        self,
        module: str,
        settings: Settings,
        lock: int | None,
        logs: LogBook,
        *,
        on_start: Callable[[], None],
        on_message: Callable[[JobMessage], None],
        packs: PackWatch,
        on_lost: Callable[[WorkerProcess], None],
    ) -> None:
        """Start nothing yet.

        Args:
            module: the `__main__` of workers.
            settings: what they are given.
            lock: a file descriptor that they inherit, or None.
            logs: gets their output, and a line for each that is lost.
            on_start: called before a process is started.
            on_message: called with each other message of a worker.
            packs: decides what workers do with packs.
            on_lost: called when a worker is gone, unless `stop` ended it.
        """
        self.process: WorkerProcess | None = None
        self.finished = 0
        self.problem: str | None = None
        self.restarts = 0
        self._module = module
        self._settings = settings
        self._lock = lock
        self._logs = logs
        self._on_start = on_start
        self._on_message = on_message
        self.packs = packs
        self._reloading = False
        self._on_lost = on_lost
        self._stopped = False

    @property
    def is_idle(self) -> bool:
        """Whether the process has loaded and can be given work."""
        process = self.process
        return process is not None and process.is_idle and not self._reloading

    def ready(self) -> None:
        """The process has loaded."""
        self.problem = None
        if self.process is not None:
            self.process.ready.set()

    def reload(self) -> None:
        """Have the process replaced by one that loads packs anew; see `end_for_reload`."""
        self._reloading = True

    def end_for_reload(self, *, is_busy: bool) -> None:
        """End a process that is to be replaced, once no prompt runs in it."""
        if self._reloading and not is_busy and self.process is not None:
            self.process.kill("packs are loaded anew")

    async def run(self) -> None:
        """One worker after another, until `stop`."""
        pause = _FIRST_PAUSE
        while True:
            try:
                fault = await self._run_one()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next worker is tried
                fault = f"the worker could not be started: {error or type(error).__name__}"
            if self._stopped:
                return
            self.restarts += 1
            if fault is None:
                pause = _FIRST_PAUSE
                continue
            self.problem = f"{fault}; another one is started every {pause:.0f} s or so"
            self._logs.write(f"Calotype: {fault}; the next one starts in {pause:.0f} s\n")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def stop(self) -> None:
        """End the worker immediately, and start no other."""
        self._stopped = True
        if self.process is not None:
            self.process.kill("the server ends")
            await self.process.end()

    def _receive(self, message: WorkerMessage) -> None:
        if isinstance(message, PackMessage):
            if self.process is not None:
                self.packs.receive(message, self.process.kill)
        else:
            self._on_message(message)

    async def _run_one(self) -> str | None:
        """Run one worker until it is gone; returns what was wrong if it was of no use."""
        self._on_start()
        self._reloading = False
        plan = await self.packs.begin()
        process = await WorkerProcess.start(
            self._module, self._settings, self._lock, self._logs, self._receive, plan
        )
        self.process = process
        began = self.finished
        try:
            await process.gone.wait()
        finally:
            await process.end()
            self.process = None
            if not self._stopped:
                self._logs.write(f"Calotype: {process.reason()}; another one is started\n")
                self._on_lost(process)
        if self._reloading or await self._blames_pack(process):
            return None
        if not process.ready.is_set():
            return f"the worker ended before it was ready ({process.reason()})"
        used = self.finished > began or process.seconds >= _USEFUL_SECONDS
        return (
            None if used else f"the worker ended without having run anything ({process.reason()})"
        )

    async def _blames_pack(self, process: WorkerProcess) -> bool:
        """Whether a pack ended the process: the next one does without it, at once."""
        return not self._stopped and await self.packs.lost(process.reason())
