"""Sends prompts to a worker and stores how they end; a crash of the process costs one job.

The next prompts are read ahead and sent as soon as the last one ends, quick ones before; results
are stored meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from engine.server import messages
from engine.server.disk_space import DiskSpaceGuard
from engine.server.dispatch import Dispatch
from engine.server.hub import Hub, Outgoing
from engine.server.logs import LogBook
from engine.server.lookahead import Lookahead
from engine.server.messages import Body
from engine.server.observer import Observer
from engine.server.pack_watch import PackWatch
from engine.server.recorder import Recorder
from engine.server.requeueing import Requeueing
from engine.server.running import RunningJob
from engine.server.stopping import enforce_stop
from engine.server.supervisor import Supervisor
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
    Ended,
    Failed,
    Free,
    Freed,
    Interrupt,
    InterruptAcknowledged,
    JobMessage,
    Ready,
    Withdrawn,
)

GRACE_SECONDS = 10.0
"""Seconds from a stop request until the worker of a node that ignores it is killed."""
DISK_CHECK_SECONDS = 5.0
"""Between two checks for space on a full disk."""
_TRIM_EVERY = 100


class Workers:
    """The worker of one device, whichever process it is now. Used in one event loop.

    Attributes:
        ready: the worker's message after loading; None before.
        devices: what it computes on, as last reported.
        supervisor: starts its processes.
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
        packs: PackWatch,
        module: str = "engine.worker",
        lock: int | None = None,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.ready: Ready | None = None
        self.devices: tuple[Device, ...] = ()
        self._queue = queue
        self._history = history
        self._hub = hub
        self._logs = logs
        self._observer = observer
        self.supervisor = Supervisor(
            module,
            settings,
            lock,
            logs,
            on_start=observer.process_started,
            on_message=self._receive,
            packs=packs,
            on_lost=self._worker_lost,
        )
        self._grace = grace
        self._recorder = Recorder(
            queue, logs, on_begun=self._on_begun, on_missing=self._discard, on_ended=self._on_ended
        )
        self._lookahead = Lookahead(
            queue, logs, on_available=self._on_available, on_damaged=self._recorder.fail_damaged
        )
        folders = (settings.output_directory, settings.temp_directory)
        self._disk_space = DiskSpaceGuard(
            folders, logs, on_change=self._on_hold_changed, check_seconds=DISK_CHECK_SECONDS
        )
        self._dispatch = Dispatch(
            queue,
            self._lookahead,
            self._recorder,
            hub,
            supervisor=self.supervisor,
            disk_space=self._disk_space,
            observer=observer,
            on_fault=self._handle_event,
        )
        self._tasks = Tasks(logs)
        self._requeueing = Requeueing(queue, self._tasks, on_done=self._on_requeued)
        self._arriving = 0
        self._stopped = False

    @property
    def current(self) -> RunningJob | None:
        """The prompt that runs."""
        return self._dispatch.job

    @property
    def pid(self) -> int | None:
        """The process of the worker."""
        return process.pid if (process := self.supervisor.process) else None

    @property
    def hold_reason(self) -> str | None:
        """Why pending prompts do not run now, as a sentence; None while nothing is wrong."""
        problems = (self._disk_space.reason, self._recorder.problem, self._lookahead.problem)
        return next((each for each in problems if each is not None), self.supervisor.problem)

    def start(self) -> None:
        """Start to supervise a worker, in the background."""
        for part in (self._recorder, self._lookahead, self._observer, self.supervisor):
            self._tasks.spawn(part.run())

    async def accept(
        self, entry: Entry, texts: Texts, *, front: bool = False, number: float | None = None
    ) -> Accepted:
        """Put a prompt into the queue, and run it where that is its turn.

        An idle worker gets it at once and computes while it is stored, with its beginning in the
        same flush. Until then nothing of the run is sent or recorded. If the prompt cannot be
        stored, its run is stopped.
        """
        job = self._begin_early(entry, texts)
        self._arriving += 1
        try:
            put = await self._queue.put(
                entry,
                texts=texts,
                front=front,
                number=number,
                begin_at=time.time() if job else None,
            )
        except BaseException:
            if job is not None:
                self._discard(job)
            raise
        finally:
            self._arriving -= 1
        self._lookahead.offer(put)
        if job is None:
            self._hub.send_status(put.remaining)
        elif put.begun:
            await self._confirm(job, put)
        else:
            self._discard(job)
        self._dispatch.next()
        return put

    def wake(self) -> None:
        """The queue has changed."""
        self._lookahead.refresh()
        self._dispatch.next()

    def resume(self) -> None:
        """Run the queue at the user's request, whatever held it."""
        self._disk_space.release()
        self.wake()

    async def stop(self) -> None:
        """End the worker immediately; what it ran is queued again at the next start."""
        self._stopped = True
        self._disk_space.stop()
        await self.supervisor.stop()
        await self._recorder.drain()
        await self._tasks.cancel()

    def interrupt(self, prompt_id: str | None = None) -> bool:
        """Stop the running prompt, or only if it is this one; whether there was one.

        A prompt can be stopped as soon as it is sent; this does not wait for the worker.
        """
        job = self._dispatch.job
        if job is not None and prompt_id in (None, job.entry.id):
            self._stop_job(job)
            return True
        return prompt_id is not None and self._requeueing.stop(prompt_id)

    def reload_packs(self) -> None:
        """Load all packs anew, in a fresh worker, once the running prompt has ended."""
        self.supervisor.reload()
        self._dispatch.next()

    def free(self, *, weights: bool, results: bool) -> None:
        """Have the worker free memory, as soon as nothing runs."""
        process = self.supervisor.process
        if process is not None and (weights or results):
            process.send(Free(weights=weights, results=results))

    async def send_status(self, remaining: int | None = None) -> None:
        """Send all clients how many prompts are pending or run; None reads it from the store."""
        if remaining is None:
            remaining = await self._queue.remaining()
        self._hub.send_status(remaining)

    def _worker_lost(self, process: WorkerProcess) -> None:
        """Requeue or end the prompt that a worker ran when it ended."""
        self.ready = None
        self._dispatch.in_order(partial(self._lose, process.reason()))

    def _lose(self, reason: str) -> None:
        self._dispatch.lost()
        job = self._dispatch.job
        if job is not None:
            job.once_accepted(partial(self._end_lost, job, reason))

    def _end_lost(self, job: RunningJob, reason: str) -> None:
        if job.stopping:
            self._handle_event(job, job.interrupted_event())
        elif not job.started and job.entry.attempts + 1 < MOST_ATTEMPTS:
            self._dispatch.end()
            self._requeueing.begin(job, counted=True)
        else:
            self._handle_event(job, job.crash_event(reason))

    def _receive(self, message: JobMessage) -> None:
        if isinstance(message, Failed) and message.full_disk is not None:
            self._dispatch.withdraw()  # the worker waits for this
        self._dispatch.in_order(partial(self._apply, message))

    def _apply(self, message: JobMessage) -> None:
        job = self._dispatch.job
        match message:
            case Ready():
                self.ready, self.devices = message, message.devices
                self.supervisor.ready()
                self._dispatch.next()
            case Freed():
                self.devices = message.devices
            case CacheChanged():
                self._observer.event_received(message)
            case InterruptAcknowledged():
                if job is not None and job.entry.id == message.prompt_id:
                    job.acknowledged = time.monotonic()
            case Withdrawn():
                self._dispatch.given_back()
            case _:
                if job is None:
                    job = self._dispatch.begun_unasked(message.prompt_id)
                if job is not None and job.entry.id == message.prompt_id:
                    self._handle_event(job, message)

    def _handle_event(self, job: RunningJob, event: AnyEvent) -> None:
        """Record an event of the running prompt, and send it to its client."""
        if isinstance(event, Ended):
            job.once_accepted(partial(self._end, job, event))
            return
        self._observer.event_received(event)
        self._send(job, job.handle(event))

    def _end(self, job: RunningJob, event: Ended) -> None:
        self._observer.event_received(event)
        if isinstance(event, Failed) and event.full_disk is not None and not job.stopping:
            self._dispatch.end()
            self._observer.job_ended()
            self._disk_space.hold(event.full_disk)
            self._requeueing.begin(job, counted=False)
            return
        self._send(job, job.handle(event))
        self._dispatch.end()
        self.supervisor.finished += 1
        if job.ending == "done":
            self._disk_space.confirm()
        self._recorder.end(job)
        self._observer.job_ended()
        self._dispatch.next()

    def _send(self, job: RunningJob, found: Sequence[Body | Outgoing]) -> None:
        """Send messages of a prompt to its client, once its beginning is stored."""
        if job.stored.is_set():
            self._hub.send(job.entry.client, found)
        else:
            job.unsent += found

    def _begin_early(self, entry: Entry, texts: Texts) -> RunningJob | None:
        """Give the worker a prompt that is not stored yet; None where it has to wait for its turn.

        An id that another prompt may have waits as well: the database decides which is meant.
        """
        if not self._dispatch.can_begin or self._arriving or not self._lookahead.is_empty:
            return None
        if not self._queue.is_new(entry.id):
            return None
        job = RunningJob(replace(entry, prompt_json=texts.prompt), accepted=False)
        self._dispatch.hand_over(job)
        return job

    async def _confirm(self, job: RunningJob, put: Accepted) -> None:
        """A prompt that the worker has already is on disk."""
        job.entry = put.entry
        job.accept()
        if job.has_ended:  # the store gets the end before the response is written
            await asyncio.sleep(0)
        # Clients hear of the run after the response to the request that began it.
        loop = asyncio.get_running_loop()
        loop.call_soon(self._hub.send_status, put.remaining)
        loop.call_soon(self._on_begun, job, put.remaining)

    def _discard(self, job: RunningJob) -> None:
        """Stop a run whose prompt was not stored; nothing of it is recorded or sent."""

        def forget() -> None:
            self._dispatch.end()
            self._observer.job_ended()
            self._dispatch.next()

        if job.discard(forget):
            self._stop_job(job)

    def _on_available(self) -> None:
        """The next prompts are known."""
        self._dispatch.next()

    def _on_requeued(self) -> None:
        """A prompt is pending again."""
        self.wake()
        self._tasks.spawn(self.send_status())

    def _on_begun(self, job: RunningJob, remaining: int | None) -> None:
        """The start is stored: send the events since."""
        if not job.accepted:
            job.accept()
        job.stored.set()
        self._hub.send_status(remaining)
        unsent, job.unsent = job.unsent, []
        self._hub.send(job.entry.client, unsent)

    def _on_ended(self, job: RunningJob, remaining: int | None) -> None:
        """The end is stored: send it to clients."""
        self._hub.send_status(remaining)
        client = job.entry.client
        if client is not None:
            self._hub.send(client, [messages.Executing(None, prompt_id=job.entry.id)])
        self._dispatch.next()
        if self.supervisor.finished % _TRIM_EVERY == 0:
            self._tasks.spawn(self._history.trim())

    def _on_hold_changed(self) -> None:
        """Have clients read the queue again."""
        if not self._stopped:
            self._tasks.spawn(self.send_status())
            self._dispatch.next()

    def _stop_job(self, job: RunningJob) -> None:
        process = self.supervisor.process
        if job.stopping or process is None:
            return
        job.stopping = True
        process.send(Interrupt(job.entry.id))
        self._tasks.spawn(enforce_stop(process, job, self._grace))
