"""Supervises a worker and sends it prompts; a crash of the process costs one job.

The supervisor starts a worker, and another one when it is gone; a start that fails is tried again.
The next prompt is read ahead and sent as soon as the last one ends; its result is stored meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from engine.errors import StoreError, WireError
from engine.server import messages
from engine.server.disk_space import DiskSpaceGuard
from engine.server.hub import Hub
from engine.server.logs import LogBook
from engine.server.lookahead import Lookahead
from engine.server.observer import Observer
from engine.server.recorder import Recorder
from engine.server.running import RunningJob, run_message
from engine.server.stopping import enforce_stop
from engine.server.tasks import Tasks
from engine.server.worker_process import WorkerProcess
from engine.settings import Settings
from engine.store.entries import Entry, Texts
from engine.store.history import History
from engine.store.queue import MOST_ATTEMPTS, Queue
from engine.store.queue_answers import Accepted
from engine.wire.messages import (
    AnyEvent,
    CacheChanged,
    Device,
    Failed,
    Free,
    Freed,
    Interrupt,
    InterruptAcknowledged,
    Ready,
    WorkerMessage,
)

GRACE_SECONDS = 10.0
"""Seconds from a stop request until the worker of a node that ignores it is killed."""
DISK_CHECK_SECONDS = 5.0
"""Between two checks for space on a full disk."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_STORE_RETRY = 1.0
_USEFUL_SECONDS = 10.0
"""A worker that ended sooner and ran nothing is not replaced at once."""
_TRIM_EVERY = 100


class Workers:
    """The worker of one device, whichever process it is now. Used in one event loop.

    Attributes:
        ready: the worker's message after loading; None before.
        devices: what it computes on, as last reported.
        restarts: how often a worker has crashed, or could not be started.
    """

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        history: History,
        hub: Hub,
        logs: LogBook,
        observer: Observer,
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
        self._observer = observer
        self._module = module
        self._lock = lock
        self._grace = grace
        self._recorder = Recorder(queue, logs, on_begun=self._on_begun, on_ended=self._on_ended)
        self._lookahead = Lookahead(
            queue, logs, on_available=self._dispatch_next, on_damaged=self._fail_damaged
        )
        folders = (settings.output_directory, settings.temp_directory)
        self._disk_space = DiskSpaceGuard(
            folders, logs, on_change=self._on_hold_changed, check_seconds=DISK_CHECK_SECONDS
        )
        self._process: WorkerProcess | None = None
        self._job: RunningJob | None = None
        self._requeueing: dict[str, RunningJob] = {}
        self._tasks = Tasks(logs)
        self._problem: str | None = None
        self._finished = 0
        self._beginning: RunningJob | None = None
        self._stopped = False

    @property
    def current(self) -> RunningJob | None:
        """The prompt that runs."""
        return self._job

    @property
    def pid(self) -> int | None:
        """The process of the worker."""
        return self._process.pid if self._process else None

    @property
    def hold_reason(self) -> str | None:
        """Why pending prompts do not run now, as a sentence; None while nothing is wrong."""
        problems = (self._disk_space.reason, self._recorder.problem, self._lookahead.problem)
        return next((each for each in problems if each is not None), self._problem)

    def start(self) -> None:
        """Start to supervise a worker, in the background."""
        for part in (self._recorder, self._lookahead, self._observer):
            self._tasks.spawn(part.run())
        self._tasks.spawn(self._supervise())

    async def accept(
        self, entry: Entry, texts: Texts, *, front: bool = False, number: float | None = None
    ) -> Accepted:
        """Put a prompt into the queue, and give it to the worker where that is its turn.

        Where the worker is idle, its beginning is stored in the same flush (see `Queue.put`).
        """
        job = None
        if self._can_begin() and not self._lookahead.has_next:
            job = self._beginning = RunningJob(entry)  # no other prompt is sent meanwhile
        try:
            put = await self._queue.put(
                entry,
                texts=texts,
                front=front,
                number=number,
                begin_at=time.time() if job else None,
            )
        finally:
            if job is not None:
                self._beginning = None
        self._lookahead.offer(put.following)
        if job is not None and put.begun:
            job.entry = put.entry
            self._begin_stored(job)
            self._hub.send_status(put.remaining)  # of the beginning, as clients expect it
        elif job is not None and job.stopping:
            await self._queue.delete([entry.id])
        self._dispatch_next()
        self._hub.send_status(put.remaining)
        return put

    def wake(self) -> None:
        """The queue has changed."""
        self._lookahead.refresh()
        self._dispatch_next()

    def resume(self) -> None:
        """Run the queue at the user's request, whatever held it."""
        self._disk_space.release()
        self.wake()

    async def stop(self) -> None:
        """End the worker immediately; what it ran is queued again at the next start."""
        self._stopped = True
        self._disk_space.stop()
        if self._process is not None:
            self._process.kill("the server ends")
            await self._process.end()
        await self._recorder.drain()
        await self._tasks.cancel()

    def interrupt(self, prompt_id: str | None = None) -> bool:
        """Stop the running prompt, or only if it is this one; whether there was one.

        A prompt can be stopped as soon as it is claimed; this does not wait for the worker.
        """
        job = self._job
        if job is not None and prompt_id in (None, job.entry.id):
            self._stop_job(job)
            return True
        for each in (self._beginning, self._requeueing.get(prompt_id or "")):
            if each is not None and each.entry.id == prompt_id:
                each.stopping = True
                return True
        return False

    def free(self, *, weights: bool, results: bool) -> None:
        """Have the worker free memory, as soon as nothing runs."""
        if self._process is not None and (weights or results):
            self._process.send(Free(weights=weights, results=results))

    async def send_status(self, remaining: int | None = None) -> None:
        """Send all clients how many prompts are pending or run; None reads it from the store."""
        if remaining is None:
            remaining = await self._queue.remaining()
        self._hub.send_status(remaining)

    async def _supervise(self) -> None:
        """One worker after another, for as long as the server runs."""
        pause = _FIRST_PAUSE
        while True:
            try:
                fault = await self._run_worker()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next worker is tried
                fault = f"the worker could not be started: {error or type(error).__name__}"
            if self._stopped:
                return
            self.restarts += 1
            if fault is None:
                pause = _FIRST_PAUSE
                continue
            self._problem = f"{fault}; another one is started every {pause:.0f} s or so"
            self._logs.write(f"Calotype: {fault}; the next one starts in {pause:.0f} s\n")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _run_worker(self) -> str | None:
        """Run one worker until it is gone; returns what was wrong if it was of no use."""
        self._observer.process_started()
        process = await WorkerProcess.start(
            self._module, self._settings, self._lock, self._logs, self._receive
        )
        self._process = process
        began = self._finished
        try:
            await process.gone.wait()
        finally:
            await process.end()
            self._process, self.ready = None, None
            self._worker_lost(process)
        if not process.ready.is_set():
            return f"the worker ended before it was ready ({process.reason()})"
        used = self._finished > began or process.seconds >= _USEFUL_SECONDS
        return (
            None if used else f"the worker ended without having run anything ({process.reason()})"
        )

    def _worker_lost(self, process: WorkerProcess) -> None:
        """Requeue or end the prompt that a worker ran when it ended."""
        if self._stopped:
            return
        self._logs.write(f"Calotype: {process.reason()}; another one is started\n")
        job = self._job
        if job is None:
            return
        if job.stopping:
            self._handle_event(job, job.interrupted_event())
        elif not job.started and job.entry.attempts + 1 < MOST_ATTEMPTS:
            self._job = None
            self._tasks.spawn(self._requeue(job, counted=True))
        else:
            self._handle_event(job, job.crash_event(process.reason()))

    def _receive(self, message: WorkerMessage) -> None:
        job = self._job
        match message:
            case Ready():
                self.ready, self.devices = message, message.devices
                self._problem = None
                if self._process is not None:
                    self._process.ready.set()
                self._dispatch_next()
            case Freed():
                self.devices = message.devices
            case CacheChanged():
                self._observer.event_received(message)
            case InterruptAcknowledged():
                if job is not None and job.entry.id == message.prompt_id:
                    job.acknowledged = time.monotonic()
            case _:
                if job is not None and job.entry.id == message.prompt_id:
                    self._handle_event(job, message)

    def _handle_event(self, job: RunningJob, event: AnyEvent) -> None:
        """Record an event of the running prompt, and send it to its client."""
        self._observer.event_received(event)
        if isinstance(event, Failed) and event.full_disk is not None and not job.stopping:
            self._job = None
            self._observer.job_ended()
            self._disk_space.hold(event.full_disk)
            self._tasks.spawn(self._requeue(job, counted=False))
            return
        found = job.handle(event)
        if job.stored.is_set():
            self._hub.send(job.entry.client, found)
        else:
            job.unsent += found
        if job.ending is not None:
            self._job = None
            self._finished += 1
            if job.ending == "done":
                self._disk_space.confirm()
            self._recorder.end(job)
            self._observer.job_ended()
            self._dispatch_next()

    def _can_begin(self) -> bool:
        """Whether the worker is idle and nothing holds the queue."""
        if self._process is None or not self._process.is_idle or self._job is not None:
            return False
        return not (self._beginning or self._disk_space.reason or self._recorder.is_behind)

    def _dispatch_next(self) -> None:
        """Give the worker the next prompt, if it is idle and nothing holds the queue."""
        if not self._can_begin():
            return
        entry = self._lookahead.claim()
        if entry is None:
            return
        job = RunningJob(entry)
        self._recorder.begin(job)
        self._hand_over(job)

    def _begin_stored(self, job: RunningJob) -> None:
        """Give the worker a prompt whose beginning is stored, or make it pending again."""
        job.stored.set()
        if job.stopping:
            self._handle_event(job, job.interrupted_event())
        elif self._can_begin():
            self._hand_over(job)
        else:  # the worker is gone, or the disk has become full meanwhile
            self._tasks.spawn(self._requeue(job, counted=False))

    def _hand_over(self, job: RunningJob) -> None:
        self._job, entry = job, job.entry
        fault = None
        if self._process is not None:
            try:
                every = job.wants_all_progress or self._hub.wants_all_progress(entry.client)
                self._process.send(run_message(entry, all_progress=every))
            except WireError as error:
                fault = error
        self._observer.job_started(entry)  # the worker computes meanwhile
        if fault is not None:
            self._handle_event(job, job.crash_event(str(fault), "WireError"))

    def _fail_damaged(self, damaged: Mapping[str, str]) -> None:
        """End prompts whose rows cannot be read."""
        for prompt_id, reason in damaged.items():
            self._logs.write(f"Calotype: {prompt_id}: {reason}\n")
            self._recorder.fail(prompt_id, reason, "DamagedPrompt")

    async def _requeue(self, job: RunningJob, *, counted: bool) -> None:
        """Queue a prompt again that ran and did not end."""
        prompt_id = job.entry.id
        self._requeueing[prompt_id] = job
        await job.stored.wait()
        while True:
            try:
                await self._queue.requeue(prompt_id, counted=counted)
                break
            except StoreError:
                await asyncio.sleep(_STORE_RETRY)
        del self._requeueing[prompt_id]
        if job.stopping:
            await self._queue.delete([prompt_id])
        self.wake()
        await self.send_status()

    def _on_begun(self, job: RunningJob, remaining: int | None) -> None:
        """The start is stored: send the events since."""
        job.stored.set()
        self._hub.send_status(remaining)
        self._hub.send(job.entry.client, job.unsent)
        job.unsent = []

    def _on_ended(self, job: RunningJob, remaining: int | None) -> None:
        """The end is stored: send it to clients."""
        self._hub.send_status(remaining)
        client = job.entry.client
        if client is not None:
            self._hub.send(client, [messages.Executing(None, prompt_id=job.entry.id)])
        self._dispatch_next()
        if self._finished % _TRIM_EVERY == 0:
            self._tasks.spawn(self._history.trim())

    def _on_hold_changed(self) -> None:
        """Have clients read the queue again."""
        if not self._stopped:
            self._tasks.spawn(self.send_status())
            self._dispatch_next()

    def _stop_job(self, job: RunningJob) -> None:
        process = self._process
        if job.stopping or process is None:
            return
        job.stopping = True
        process.send(Interrupt(job.entry.id))
        self._tasks.spawn(enforce_stop(process, job, self._grace))
