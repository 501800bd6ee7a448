"""Stores which prompts began and how prompts ended; retries while the disk is full.

The worker computes meanwhile. Beginnings and ends share one flush, and one that cannot be stored
does not delay the others.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress

from engine.server.logs import LogBook
from engine.server.running import RunningJob
from engine.store.entries import End, Entry
from engine.store.queue import Queue
from engine.store.queue_answers import Recorded

MOST_UNSTORED = 8
"""Ends that are not on disk while quick prompts run, with what the worker has: so many are repeated
at most after a crash of the server."""
_LONGEST_FLUSH = 0.1
"""Seconds after which a flush is slow: then no more than one end may be outstanding."""
_RETRY_SECONDS = 1.0
_DRAIN_SECONDS = 2.0


class Recorder:
    """The beginnings and ends that are not on disk yet.

    Attributes:
        problem: why nothing can be stored now, as a sentence; None if it can.
    """

    def __init__(
        self,
        queue: Queue,
        logs: LogBook,
        *,
        on_begun: Callable[[RunningJob, int | None], None],
        on_missing: Callable[[RunningJob], None],
        on_ended: Callable[[RunningJob, int | None], None],
    ) -> None:
        """Start empty.

        Args:
            queue: where to store.
            logs: gets a line when a write fails.
            on_begun: called when a beginning is on disk, with how many are pending or run.
            on_missing: called instead where a run that began unasked was not pending any more.
            on_ended: as `on_begun`, for an end.
        """
        self.problem: str | None = None
        self._queue = queue
        self._logs = logs
        self._on_begun = on_begun
        self._on_missing = on_missing
        self._on_ended = on_ended
        self._beginnings: dict[str, tuple[RunningJob, float]] = {}
        self._ends: dict[str, tuple[RunningJob, End, float]] = {}
        self._due = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_behind(self) -> bool:
        """Whether too much is not on disk for more to run: a crash would repeat it."""
        if len(self._ends) <= 1:
            return False
        oldest = next(iter(self._ends.values()))[2]
        return (
            len(self._ends) >= MOST_UNSTORED
            or self.problem is not None
            or time.monotonic() - oldest > _LONGEST_FLUSH
        )

    @property
    def unstored(self) -> int:
        """How many ends are not on disk."""
        return len(self._ends)

    def begin(self, job: RunningJob) -> None:
        """A prompt was sent to the worker."""
        self._beginnings[job.entry.id] = (job, time.time())
        self._change()

    def end(self, job: RunningJob) -> None:
        """A prompt has ended."""
        self._ends[job.entry.id] = (job, job.end(time.time()), time.monotonic())
        self._change()

    def fail(self, prompt_id: str, reason: str, kind: str) -> None:
        """A prompt has ended without a worker; `kind` is the type of the error."""
        job = RunningJob(Entry(prompt_id, {}, []))
        self.begin(job)
        job.handle(job.crash_event(reason, kind))
        self.end(job)

    def fail_damaged(self, damaged: Mapping[str, str]) -> None:
        """End prompts whose rows cannot be read; by id, with the reason."""
        for prompt_id, reason in damaged.items():
            self._logs.write(f"Calotype: {prompt_id}: {reason}\n")
            self.fail(prompt_id, reason, "DamagedPrompt")

    async def drain(self) -> None:
        """Wait until all is stored, but not for a disk that fails."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._idle.wait()

    async def run(self) -> None:
        """Store what is given, for as long as the server runs."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self._store()
            except Exception:  # noqa: BLE001 - the next prompts must be stored, too
                self._logs.write(traceback.format_exc())

    def _change(self) -> None:
        self._idle.clear()
        self._due.set()

    async def _store(self) -> None:
        beginnings, ends = dict(self._beginnings), dict(self._ends)
        began = {each: at for each, (_, at) in beginnings.items()}
        found = await self._queue.record(began, [end for _, end, _ in ends.values()])
        for each in found.began:
            del self._beginnings[each]
        for each in found.ended:
            del self._ends[each]
        # One prompt after another: the first one's last message comes before the next one's first.
        for each in dict.fromkeys((*ends, *beginnings)):
            if each in found.began:
                self._begun(beginnings[each][0], found, each)
            if each in found.ended:
                self._on_ended(ends[each][0], found.remaining)
        if not self._beginnings and not self._ends:
            self._idle.set()
        await self._note(found.error)

    def _begun(self, job: RunningJob, found: Recorded, prompt_id: str) -> None:
        if prompt_id in found.missing and not job.accepted:
            self._on_missing(job)
        else:
            self._on_begun(job, found.remaining)

    async def _note(self, error: Exception | None) -> None:
        """Log a failed write once; it is tried again."""
        if error is None:
            self.problem = None
            return
        problem = f"{error}; it is tried again every second"
        if problem != self.problem:
            self._logs.write(f"Calotype: {problem}\n")
        self.problem = problem
        await asyncio.sleep(_RETRY_SECONDS)
        self._due.set()
