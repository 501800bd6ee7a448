"""Makes prompts pending again that a worker had and did not end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.errors import StoreError
from engine.server.running import RunningJob
from engine.server.tasks import Tasks
from engine.store.queue import Queue

_RETRY_SECONDS = 1.0


class Requeueing:
    """The prompts that are on their way back into the queue. Used in one event loop."""

    def __init__(self, queue: Queue, tasks: Tasks, *, on_done: Callable[[], None]) -> None:
        """Start empty; `on_done` is called when a prompt is pending again."""
        self._queue = queue
        self._tasks = tasks
        self._on_done = on_done
        self._jobs: dict[str, RunningJob] = {}

    def begin(self, job: RunningJob, *, counted: bool) -> None:
        """Queue a prompt again; `counted` is whether its beginning counts as an attempt."""
        self._jobs[job.entry.id] = job
        self._tasks.spawn(self._requeue(job, counted=counted))

    def stop(self, prompt_id: str) -> bool:
        """Have a prompt deleted instead; False where it is not one of these."""
        job = self._jobs.get(prompt_id)
        if job is not None:
            job.stopping = True
        return job is not None

    async def _requeue(self, job: RunningJob, *, counted: bool) -> None:
        prompt_id = job.entry.id
        await job.stored.wait()
        while True:
            try:
                await self._queue.requeue(prompt_id, counted=counted)
                break
            except StoreError:
                await asyncio.sleep(_RETRY_SECONDS)
        del self._jobs[prompt_id]
        if job.stopping:
            await self._queue.delete([prompt_id])
        self._on_done()
