"""Ends the worker whose node does not react to a stop."""

from __future__ import annotations

import asyncio
import time

from engine.server.running import RunningJob
from engine.server.worker_process import WorkerProcess

_AFTER_ACKNOWLEDGING = 30.0
"""Seconds that a node has for its way out."""


async def enforce_stop(process: WorkerProcess, job: RunningJob, grace: float) -> None:
    """Kill a worker that was told to stop a prompt, if the prompt does not end.

    Args:
        process: the worker.
        job: what it runs.
        grace: seconds until the running node has to have acknowledged the stop.
    """
    await asyncio.sleep(grace)
    if job.acknowledged is not None and not job.has_ended:
        until = job.acknowledged + _AFTER_ACKNOWLEDGING
        await asyncio.sleep(max(0.0, until - time.monotonic()))
    if not job.has_ended:
        process.kill(f"a stop was asked for and not acknowledged for {grace:.0f} s")
