"""Passes the events of workers to the forecast, in order, and prompts to what else notes them.

Immediately where that is quick, else in a separate task. A forecast is a convenience: nothing waits
for it, and its errors are only logged.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable

from engine.forecast.forecast import Forecast, ForecastEvent
from engine.server.logs import LogBook
from engine.store.entries import Entry
from engine.wire.messages import AnyEvent, CacheChanged

_PROCESS_STARTED, _JOB_ENDED = "a new process", "the end of a prompt"
_Observation = Entry | ForecastEvent | CacheChanged | str


class Observer:
    """The events of workers that the forecast has not processed yet.

    `on_started` is called with each prompt that is sent to a worker.
    """

    def __init__(self, forecast: Forecast, logs: LogBook) -> None:
        self._forecast = forecast
        self._logs = logs
        self._pending: asyncio.Queue[_Observation] = asyncio.Queue()
        self._unseen = 0
        self.on_started: Callable[[Entry], None] = lambda _: None

    def process_started(self) -> None:
        """A worker was started: it has no results."""
        self._take(_PROCESS_STARTED)

    def job_started(self, entry: Entry) -> None:
        """A prompt was sent to the worker."""
        self.on_started(entry)
        self._take(entry)

    def event_received(self, event: AnyEvent | CacheChanged) -> None:
        """The worker sent an event; most are ignored."""
        if isinstance(event, ForecastEvent | CacheChanged):
            self._take(event)

    def job_ended(self) -> None:
        """The prompt has ended."""
        self._take(_JOB_ENDED)

    async def wait_until_idle(self) -> None:
        """Wait until the forecast has processed all events."""
        await self._pending.join()

    async def run(self) -> None:
        """Apply slow observations, and those after them, for as long as the server runs."""
        while True:
            observation = await self._pending.get()
            try:
                slow = self._apply(observation)
                if slow is not None:
                    await self._forecast.begin(slow)
            except Exception:  # noqa: BLE001 - see above
                self._report_fault()
            finally:
                self._unseen -= 1
                self._pending.task_done()

    def _take(self, observation: _Observation) -> None:
        """Apply it now, unless an earlier one is not applied yet, or it takes long."""
        if not self._unseen:
            try:
                if self._apply(observation) is None:
                    return
            except Exception:  # noqa: BLE001 - see above
                self._report_fault()
                return
        self._unseen += 1
        self._pending.put_nowait(observation)

    def _report_fault(self) -> None:
        self._logs.write(f"Calotype: a forecast failed: {traceback.format_exc()}")

    def _apply(self, observation: _Observation) -> Entry | None:
        """Apply one observation; returns a prompt that takes longer and was not applied."""
        match observation:
            case Entry():
                return None if self._forecast.begin_quick(observation) else observation
            case CacheChanged():
                self._forecast.update_cached(observation)
            case str():
                if observation == _PROCESS_STARTED:
                    self._forecast.begin_process()
                else:
                    self._forecast.end()
            case _:
                self._forecast.observe(observation)
        return None
