"""Prompts that the worker has before their turn: it begins the next one without asking.

Only while prompts are quick; a longer one gains nothing from it. Until its turn such a prompt is
pending like any other: it may be deleted or moved, and the worker then gives it back.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from engine.errors import WireError
from engine.server.hub import Hub
from engine.server.lookahead import Lookahead
from engine.server.running import RunningJob, run_message
from engine.server.worker_process import WorkerProcess
from engine.wire.messages import Withdraw

QUICK_SECONDS = 0.1
"""A prompt that takes less is quick."""
MOST_AHEAD = 4
"""The event loop is busy with requests for as long as some quick prompts run."""


class HandedAhead:
    """The prompts after the running one that the worker has already. Used in one event loop."""

    def __init__(self, lookahead: Lookahead, hub: Hub) -> None:
        """Hand over nothing yet.

        Args:
            lookahead: knows and claims the next prompts.
            hub: knows which clients read every step.
        """
        self._lookahead = lookahead
        self._hub = hub
        self._jobs: deque[RunningJob] = deque()
        self._process: WorkerProcess | None = None
        self._withdrawals = 0
        self._began = 0.0
        self._is_quick = False

    @property
    def is_empty(self) -> bool:
        """Whether the worker has none of them."""
        return not self._jobs and not self._withdrawals

    def job_began(self) -> None:
        """A prompt runs."""
        self._began = time.monotonic()

    def job_ended(self) -> None:
        """It has ended; whether it was quick decides about the next ones."""
        self._is_quick = time.monotonic() - self._began < QUICK_SECONDS

    def hand_over(self, process: WorkerProcess, most: int) -> None:
        """Send the worker the prompts after the running one, until it has `most` of them."""
        if self._withdrawals or not self._is_quick or self._is_long():
            return
        before, self._process = len(self._jobs), process
        while len(self._jobs) < min(most, MOST_AHEAD):
            entry = self._lookahead.peek(len(self._jobs))
            if entry is None:
                break
            try:
                process.send(run_message(entry, self._hub))
            except WireError:  # it is reported when the prompt's turn comes
                break
            self._jobs.append(RunningJob(entry))
        if len(self._jobs) > before:
            asyncio.get_running_loop().call_later(QUICK_SECONDS, self._check_length)

    def take_turn(self) -> RunningJob | None:
        """The prompt before has ended: claim the one that the worker begins now.

        None where there is none, or where another one is next by now.
        """
        if not self._jobs or self._withdrawals or not self._are_next():
            return None
        self._lookahead.claim()
        return self._jobs.popleft()

    def check(self, *, may_begin: bool) -> None:
        """Have the worker return them where others are next by now, or none may begin."""
        if self._process is None or not self._jobs or self._withdrawals:
            return
        if not may_begin or not self._are_next():
            self.withdraw(self._process)

    def withdraw(self, process: WorkerProcess) -> None:
        """Have the worker return them. It answers also where it has none."""
        self._withdrawals += 1
        process.send(Withdraw(tuple(job.entry.id for job in self._jobs)))

    def begun_before(self, prompt_id: str) -> RunningJob | None:
        """The worker has begun a prompt before it read that it is withdrawn; None for others."""
        if self._withdrawals and self._jobs and self._jobs[0].entry.id == prompt_id:
            return self._jobs.popleft()
        return None

    def given_back(self) -> None:
        """The worker has answered: it has none of them any more."""
        self._withdrawals -= 1
        if not self._withdrawals:
            self._jobs.clear()

    def lost(self) -> None:
        """The worker is gone."""
        self._withdrawals = 0
        self._jobs.clear()

    def _are_next(self) -> bool:
        """Whether they are the next prompts of the queue, in this order."""
        known = map(self._lookahead.peek, range(len(self._jobs)))
        return all(
            entry is not None and entry.id == job.entry.id
            for entry, job in zip(known, self._jobs, strict=True)
        )

    def _is_long(self) -> bool:
        return time.monotonic() - self._began >= QUICK_SECONDS

    def _check_length(self) -> None:
        """While a prompt turns out to be long, those after it come back to the queue."""
        if self._is_long():
            self.check(may_begin=False)
