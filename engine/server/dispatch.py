"""Which prompts the worker has: the running one, and those that were handed to it ahead."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from engine.errors import WireError
from engine.server.ahead import HandedAhead
from engine.server.disk_space import DiskSpaceGuard
from engine.server.hub import Hub
from engine.server.lookahead import Lookahead
from engine.server.observer import Observer
from engine.server.recorder import MOST_UNSTORED, Recorder
from engine.server.running import RunningJob, run_message
from engine.server.supervisor import Supervisor
from engine.store.queue import Queue
from engine.wire.messages import Failed


class Dispatch:
    """Gives prompts to the worker, in their order. Used in one event loop.

    Attributes:
        job: the prompt that runs; None while there is none.
    """

    def __init__(
        self,
        queue: Queue,
        lookahead: Lookahead,
        recorder: Recorder,
        hub: Hub,
        *,
        supervisor: Supervisor,
        disk_space: DiskSpaceGuard,
        observer: Observer,
        on_fault: Callable[[RunningJob, Failed], None],
    ) -> None:
        """Start with an idle worker.

        Args:
            queue: where prompts are claimed.
            lookahead: knows the next ones.
            recorder: stores that they began.
            hub: knows which clients read every step.
            supervisor: has the worker's process.
            disk_space: may hold the queue.
            observer: is informed of prompts that begin.
            on_fault: called when a prompt cannot be sent, with its end.
        """
        self.job: RunningJob | None = None
        self._queue = queue
        self._lookahead = lookahead
        self._recorder = recorder
        self._hub = hub
        self._supervisor = supervisor
        self._disk_space = disk_space
        self._observer = observer
        self._on_fault = on_fault
        self._ahead = HandedAhead(lookahead, hub)
        self._deferred: deque[Callable[[], None]] = deque()

    @property
    def can_begin(self) -> bool:
        """Whether the worker is idle and nothing holds the queue."""
        is_free = self.job is None and self._ahead.is_empty
        return is_free and not self._is_held and not self._recorder.is_behind

    @property
    def _is_held(self) -> bool:
        """Whether no other prompt may begin, however the running one ends."""
        return not self._supervisor.is_idle or self._disk_space.reason is not None

    def next(self) -> None:
        """Give the worker the next prompt, if it is idle and nothing holds the queue.

        While it runs quick ones, it gets those after it as well.
        """
        process, is_held = self._supervisor.process, self._is_held
        self._ahead.check(may_begin=not is_held)
        self._supervisor.end_for_reload(is_busy=self.job is not None or not self._ahead.is_empty)
        if self.job is None and (job := self._ahead.take_turn()) is not None:
            self._begin(job)
        elif self.can_begin and (entry := self._lookahead.claim()) is not None:
            job = RunningJob(entry)
            self._recorder.begin(job)
            self.hand_over(job)
        job = self.job
        if process is None or is_held or job is None or job.stopping or not job.accepted:
            return
        if not self._recorder.is_behind:
            self._ahead.hand_over(process, MOST_UNSTORED - 1 - self._recorder.unstored)

    def hand_over(self, job: RunningJob) -> None:
        """Give an idle worker a prompt."""
        self.job, entry = job, job.entry
        self._ahead.job_began()
        fault = None
        if (process := self._supervisor.process) is not None:
            try:
                process.send(run_message(entry, self._hub))
            except WireError as error:
                fault = error
        # The worker computes meanwhile, and what is to be stored is passed on before.
        asyncio.get_running_loop().call_soon(self._observer.job_started, entry)
        if fault is not None:
            self._on_fault(job, job.crash_event(str(fault), "WireError"))

    def begun_unasked(self, prompt_id: str) -> RunningJob | None:
        """The worker has begun a prompt that was withdrawn too late; None for any other.

        It may have been deleted: whether it counts is known when its beginning is to be stored.
        """
        job = self._ahead.begun_before(prompt_id)
        if job is not None:
            job.accepted = False
            self._queue.claim_begun(prompt_id)
            self._lookahead.refresh()
            self._begin(job)
        return job

    def end(self) -> None:
        """The running prompt has ended, or goes back to the queue."""
        self.job = None
        self._ahead.job_ended()
        if self._deferred:
            asyncio.get_running_loop().call_soon(self._catch_up)

    def in_order(self, action: Callable[[], None]) -> None:
        """Act on what comes from a worker, now or after the end of the running prompt.

        That end waits while the prompt is not stored; the worker may have begun another since.
        """
        if self._deferred or (self.job is not None and self.job.has_ended):
            self._deferred.append(action)
        else:
            action()

    def _catch_up(self) -> None:
        while self._deferred and (self.job is None or not self.job.has_ended):
            self._deferred.popleft()()

    def withdraw(self) -> None:
        """Have the worker return what was handed to it ahead."""
        if self._supervisor.process is not None:
            self._ahead.withdraw(self._supervisor.process)

    def lost(self) -> None:
        """The worker is gone."""
        self._ahead.lost()

    def given_back(self) -> None:
        """The worker has returned what was handed to it ahead."""
        self._ahead.given_back()
        self.next()

    def _begin(self, job: RunningJob) -> None:
        """The worker begins a prompt that it has already."""
        self.job = job
        self._ahead.job_began()
        self._recorder.begin(job)
        self._observer.job_started(job.entry)
