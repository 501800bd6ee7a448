"""Starts, watches, feeds and restarts the worker: a process that may crash, at the price of a job.

A prompt is claimed only when a worker waits for it. A worker's death ends its prompt with the
reason; the next one runs in a fresh worker. Knows what a prompt is called, not what it means.
"""

from __future__ import annotations

import asyncio
import signal
import time
import traceback
from asyncio.subprocess import Process
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from engine.errors import StoreError, WireError
from engine.forecast.forecast import Forecast
from engine.server import messages
from engine.server.hub import Hub
from engine.server.logs import LogBook
from engine.server.running import RunningJob
from engine.settings import Settings, settings_to_json
from engine.store.history import History
from engine.store.queue import End, Entry, Queue
from engine.wire.channel import AsyncChannel, start_child
from engine.wire.messages import (
    AnyEvent,
    Device,
    Free,
    Freed,
    Held,
    Interrupt,
    Looked,
    Ready,
    Run,
    Upward,
)

GRACE_SECONDS = 10.0
"""After a stop was asked for, a node that has not looked for so long is ended with its worker."""
_GRACE_AFTER_LOOKING = 30.0
_LONGEST_PAUSE = 30.0
_TRIM_EVERY = 100


class Workers:
    """The worker of one device, whichever process it is now.

    Attributes:
        ready: what the worker said when it had loaded; None before.
        devices: what it computes on, as last told.
        restarts: how often a worker has died.
    """

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        history: History,
        hub: Hub,
        logs: LogBook,
        forecast: Forecast,
        *,
        module: str = "engine.worker",
        lock: int | None = None,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.ready: Ready | None = None
        self.devices: tuple[Device, ...] = ()
        self.restarts = 0
        self._settings = settings
        self._queue = queue
        self._history = history
        self._hub = hub
        self._logs = logs
        self._forecast = forecast
        self._module = module
        self._lock = lock
        self._grace = grace
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._link: _Link | None = None
        self._watches: set[asyncio.Task[None]] = set()
        self._finished = 0
        self._turning = False
        self._stop_early: set[str] = set()

    @property
    def current(self) -> RunningJob | None:
        """The prompt that runs."""
        return self._link.job if self._link else None

    @property
    def pid(self) -> int | None:
        """The process of the worker."""
        return self._link.process.pid if self._link else None

    def start(self) -> None:
        """Begin to keep a worker, in the background."""
        self._task = asyncio.create_task(self._keep())

    def wake(self) -> None:
        """There may be something to run."""
        self._wake.set()

    async def stop(self) -> None:
        """End the worker at once; what it ran is queued again at the next start."""
        for task in (self._task, *self._watches):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._link is not None:
            await self._link.kill("the server ends")

    async def interrupt(self, prompt_id: str | None = None) -> bool:
        """Stop the prompt that runs, or only if it is this one; whether there was one."""
        link = self._link
        job = link.job if link else None
        if link is None or job is None or (prompt_id is not None and job.entry.id != prompt_id):
            if self._turning and prompt_id is not None:
                self._stop_early.add(prompt_id)  # it may be just on its way to the worker
            return False
        with suppress(WireError):
            await link.channel.send(Interrupt(job.entry.id))
        if not link.stopping:
            link.stopping = True
            watch = asyncio.create_task(self._watch(link, job))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)
        return True

    async def free(self, *, weights: bool, results: bool) -> None:
        """Have the worker give memory back, as soon as nothing runs."""
        if self._link is not None and (weights or results):
            with suppress(WireError):
                await self._link.channel.send(Free(weights=weights, results=results))

    async def tell_status(self, remaining: int | None = None) -> None:
        """Tell all how many prompts wait or run; without a number, the store is asked."""
        if remaining is None:
            remaining = await self._queue.remaining()
        status = messages.Status(messages.StatusBody(messages.ExecInfo(remaining)))
        self._hub.send(None, [status])

    async def _keep(self) -> None:
        """One worker after another, for as long as the server runs."""
        pause = 1.0
        while True:
            link = await self._begin()
            self._link = link
            try:
                await self._feed(link)
            except Exception:  # noqa: BLE001 - the next worker must come to its turn
                self._logs.write(traceback.format_exc())
            finally:
                await link.kill(None)
                self._link = None
            if link.ready.is_set():
                pause = 1.0
            else:
                self._logs.write(
                    f"Calotype: the worker ended before it was ready ({link.reason()}); "
                    f"another one starts in {pause:.0f} s\n"
                )
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            self.ready = None
            self.restarts += 1

    async def _begin(self) -> _Link:
        process, channel = await start_child(
            self._module,
            ["--settings", settings_to_json(self._settings)],
            Upward,
            keep_open=() if self._lock is None else (self._lock,),
        )
        self._forecast.begin_process()
        link = _Link(process, channel)
        link.listen(self._listen(link), self._logs)
        return link

    async def _listen(self, link: _Link) -> None:
        """Take in what a worker says until it is gone. One that says nonsense is ended."""
        try:
            async for message in link.channel.receive():
                match message:
                    case Ready():
                        self.ready, self.devices = message, message.devices
                        link.ready.set()
                    case Freed():
                        self.devices = message.devices
                    case Held():
                        self._forecast.hold(message)
                    case Looked():
                        link.looked = time.monotonic()
                    case _:
                        self._pass_on(link, message)
        except WireError as error:
            link.blame = f"it broke the protocol: {error}"
        except Exception as error:  # noqa: BLE001 - whatever a worker sends, the server goes on
            link.blame = f"what it sent could not be passed on: {error}"
        finally:
            link.gone.set()

    def _pass_on(self, link: _Link, event: AnyEvent) -> None:
        job = link.job
        if job is None or event.prompt_id != job.entry.id or job.ending is not None:
            return
        self._forecast.hear(event)
        self._hub.send(job.entry.client, job.take(event))
        if job.ending is not None:
            link.over.set()

    async def _feed(self, link: _Link) -> None:
        """Give a worker prompts, one after another, until it is gone."""
        await link.until(link.ready)
        ended: RunningJob | None = None
        while ended is not None or not link.gone.is_set():
            self._wake.clear()
            entry, remaining = await self._turn(ended)
            if ended is not None:
                await self._tell_end(ended, remaining)
                ended = None
            if entry is None:
                await link.until(self._wake)
            elif link.gone.is_set():
                await self._queue.give_back(entry.id)
            else:
                ended = RunningJob(entry)
                await self._run(link, ended, remaining)

    async def _run(self, link: _Link, job: RunningJob, remaining: int) -> None:
        """Have a prompt run, up to its end, one way or another."""
        entry = job.entry
        await self._forecast.begin(entry)
        link.begin(job)
        await self.tell_status(remaining)
        with suppress(WireError):
            await link.channel.send(
                Run(
                    entry.id,
                    msgspec.json.encode(entry.prompt),
                    tuple(entry.wanted),
                    msgspec.json.encode(entry.extra.get("extra_pnginfo") or {}),
                    job.wants_all_progress or self._hub.wants_all_progress(entry.client),
                )
            )
            if entry.id in self._stop_early:
                await self.interrupt(entry.id)
            self._stop_early.clear()
            await link.until(link.over)
        if job.ending is None:
            await link.kill(None)
            self._hub.send(entry.client, job.take(job.crashed(link.reason())))

    async def _turn(self, ended: RunningJob | None) -> tuple[Entry | None, int]:
        """Record an end and claim what is next, however long the disk is full."""
        self._forecast.end()
        now = time.time()
        end: End | None = None
        if ended is not None and ended.ending is not None:
            end = End(ended.entry.id, ended.ending, ended.outcome(), now, ended.summary())
        self._turning = True
        try:
            while True:
                try:
                    return await self._queue.turn(end, now)
                except StoreError as error:
                    self._logs.write(f"Calotype: {error}; trying again\n")
                    await asyncio.sleep(1.0)
        finally:
            self._turning = False

    async def _tell_end(self, job: RunningJob, remaining: int) -> None:
        """History can be read: tell those who wait for it."""
        if self._link is not None and self._link.job is job:
            self._link.job = None
        await self.tell_status(remaining)
        client = job.entry.client
        if client is not None:
            self._hub.send(client, [messages.Executing(None, prompt_id=job.entry.id)])
        self._finished += 1
        if self._finished % _TRIM_EVERY == 0:
            await self._history.trim()

    async def _watch(self, link: _Link, job: RunningJob) -> None:
        """End the worker whose node does not look."""
        await asyncio.sleep(self._grace)
        if link.looked is not None and job.ending is None:
            await asyncio.sleep(max(0.0, link.looked + _GRACE_AFTER_LOOKING - time.monotonic()))
        if link.job is job and job.ending is None:
            await link.kill(f"a stop was asked for, and nothing looked for {self._grace:.0f} s")


class _Link:
    """One process of a worker, and what it is doing."""

    def __init__(self, process: Process, channel: AsyncChannel[Upward]) -> None:
        self.process = process
        self.channel = channel
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self.over = asyncio.Event()
        self.job: RunningJob | None = None
        self.blame: str | None = None
        self.stopping = False
        self.looked: float | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def listen(self, hearing: Coroutine[Any, Any, None], logs: LogBook) -> None:
        self._tasks.append(asyncio.create_task(hearing))
        if self.process.stdout is not None:
            self._tasks.append(asyncio.create_task(logs.copy(self.process.stdout)))

    def begin(self, job: RunningJob) -> None:
        self.over.clear()
        self.stopping, self.looked = False, None
        self.job = job

    async def until(self, event: asyncio.Event) -> None:
        """Wait for the event, or for the end of the process."""
        if event.is_set() or self.gone.is_set():
            return
        waits = [asyncio.create_task(each.wait()) for each in (event, self.gone)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def kill(self, blame: str | None) -> None:
        """End the process, if it lives; `blame` is why."""
        if self.blame is None:
            self.blame = blame
        self.channel.close()
        if not self.gone.is_set() or self.blame is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
        try:
            async with asyncio.timeout(5.0):
                await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.gone.set()

    def reason(self) -> str:
        """Why the process ended, in words."""
        if self.blame is not None:
            return f"the worker was ended because {self.blame},"
        code = self.process.returncode
        if code is None or code >= 0:
            return f"the worker process ended by itself (exit code {code})"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        hint = "; the system may have run out of memory" if -code == signal.SIGKILL else ""
        return f"the worker process was ended by signal {-code} ({name}{hint})"
