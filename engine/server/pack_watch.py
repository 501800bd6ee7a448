"""Watches packs load in the worker: which one is to blame when it ends or hangs, what they told.

Nothing of a pack is executed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from engine.errors import FilesError
from engine.packs.found import Pack, has_packs
from engine.packs.plan import Plan, find_pack, make_plan
from engine.packs.records import (
    Fault,
    LastStart,
    last_start,
    read_faults,
    read_last_start,
    write_faults,
    write_last_start,
)
from engine.server.logs import LogBook
from engine.settings import Settings
from engine.wire.pack_messages import (
    CRASHED,
    HUNG,
    PackLoaded,
    PackLoading,
    PackMessage,
    PackReport,
    PacksReady,
)


class PackWatch:
    """What the server knows of packs. Used in one event loop.

    Attributes:
        told: what the last complete start told.
        reports: how each pack of the present start was loaded, as far as it has come.
        loading: the pack that is imported now.
        ready: set while the packs of the present worker are loaded.
        on_change: called when a report came or all packs are loaded.
        on_message: called with each message about packs.
    """

    def __init__(self, settings: Settings, logs: LogBook) -> None:
        """Read what the last start told; starts nothing."""
        self.told: LastStart = read_last_start(settings)
        self.reports: dict[str, PackReport] = {}
        self.loading: str | None = None
        self.ready = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None
        self.on_message: Callable[[PackMessage], None] = lambda _: None
        self._settings = settings
        self._expected = False
        self._logs = logs
        self._blamed: dict[str, Fault] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._hung: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self) -> Plan:
        """A worker is started next: what it is to do with packs."""
        self.reports, self.loading, self._hung = {}, None, None
        self.ready.clear()
        self._expected = has_packs(self._settings)
        if not self._expected:
            return Plan()
        return await asyncio.to_thread(make_plan, self._settings, dict(self._blamed))

    async def wait(self, seconds: float) -> bool:
        """Wait for packs that load now; whether there were any, and they have loaded in time."""
        if self.ready.is_set() or not self._expected:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ready.wait()
        return self.ready.is_set()

    def receive(self, message: PackMessage, kill: Callable[[str], None]) -> None:
        """A message of the worker; `kill` ends it where a pack takes too long."""
        self.on_message(message)
        match message:
            case PackLoading(name=name):
                self.loading = name
                self._wait_for(name, kill)
            case PackLoaded(report=report):
                self._stop_waiting()
                self.reports[report.name] = report
                self.on_change()
            case PacksReady():
                self._stop_waiting()
                self.told = last_start(tuple(self.reports.values()), message)
                self.ready.set()
                self._spawn(self.told)
                self.on_change()
            case _:
                pass

    async def lost(self, reason: str) -> bool:
        """The worker is gone; whether a pack is to blame, which is not loaded any more.

        Args:
            reason: how it ended, as a sentence.
        """
        name, hung = self.loading, self._hung
        self._stop_waiting()
        self.ready.clear()
        if name is None:
            return False
        pack = await asyncio.to_thread(find_pack, self._settings, name)
        if pack is None:
            return False
        seconds = self._settings.pack_seconds
        state, error = CRASHED, f"it ended the worker while it was loaded: {reason}"
        if hung == name:
            state, error = HUNG, f"its import took longer than {seconds:g} s and was ended"
        await asyncio.to_thread(self._blame, pack, state, error)
        self._logs.write(
            f"Calotype: the pack {name} is left out: {error}. It is tried again when its files "
            f"change, or with: python main.py packs enable {name}; in a process of its own it "
            f"harms no other: python main.py packs isolate {name}\n"
        )
        self.on_change()
        return True

    def forgive(self, name: str) -> None:
        """Have a pack tried again at the next start."""
        self._blamed.pop(name, None)

    def _blame(self, pack: Pack, state: str, error: str) -> None:
        fault = Fault(state, error, pack.fingerprint())
        self._blamed[pack.name] = fault
        write_faults(self._settings, {**read_faults(self._settings), pack.name: fault})

    def _wait_for(self, name: str, kill: Callable[[str], None]) -> None:
        self._stop_waiting()
        self.loading = name

        def hung() -> None:
            self._hung = name
            kill(f"the pack {name} was still loading after {self._settings.pack_seconds:g} s")

        self._timer = asyncio.get_running_loop().call_later(self._settings.pack_seconds, hung)

    def _stop_waiting(self) -> None:
        self.loading = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _spawn(self, told: LastStart) -> None:
        async def write() -> None:
            try:
                await asyncio.to_thread(write_last_start, self._settings, told)
            except FilesError as error:
                self._logs.write(f"Calotype: what packs told was not stored: {error}\n")

        task = asyncio.create_task(write())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
