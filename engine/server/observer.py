"""Shows the forecast what workers do, in order.

At once where that is quick, else in a task of its own. A forecast is a convenience: nothing waits
for it, and what goes wrong in it is logged and harms nothing.
"""

from __future__ import annotations

import asyncio
import traceback

from engine.forecast.forecast import Forecast, ForecastEvent
from engine.server.logs import LogBook
from engine.store.entries import Entry
from engine.wire.messages import AnyEvent, CacheChanged

_FRESH, _END = "a new process", "the end of a prompt"
_Sight = Entry | ForecastEvent | CacheChanged | str


class Observer:
    """What workers did and the forecast has not seen yet."""

    def __init__(self, forecast: Forecast, logs: LogBook) -> None:
        self._forecast = forecast
        self._logs = logs
        self._sights: asyncio.Queue[_Sight] = asyncio.Queue()
        self._unseen = 0

    def fresh_process(self) -> None:
        """A worker was started: it has no results."""
        self._take(_FRESH)

    def begin(self, entry: Entry) -> None:
        """A prompt was handed to the worker."""
        self._take(entry)

    def see(self, event: AnyEvent | CacheChanged) -> None:
        """The worker said something; most of it is of no concern."""
        if isinstance(event, ForecastEvent | CacheChanged):
            self._take(event)

    def end(self) -> None:
        """The prompt has ended."""
        self._take(_END)

    async def settled(self) -> None:
        """Wait until the forecast has seen all that has happened."""
        await self._sights.join()

    async def run(self) -> None:
        """Show the forecast what takes longer, and what came after it, for as long as it runs."""
        while True:
            sight = await self._sights.get()
            try:
                slow = self._show(sight)
                if slow is not None:
                    await self._forecast.begin(slow)
            except Exception:  # noqa: BLE001 - see above
                self._report_fault()
            finally:
                self._unseen -= 1
                self._sights.task_done()

    def _take(self, sight: _Sight) -> None:
        """Show it now, unless something before it is not shown yet, or it takes long."""
        if not self._unseen:
            try:
                if self._show(sight) is None:
                    return
            except Exception:  # noqa: BLE001 - see above
                self._report_fault()
                return
        self._unseen += 1
        self._sights.put_nowait(sight)

    def _report_fault(self) -> None:
        self._logs.write(f"Calotype: a forecast failed: {traceback.format_exc()}")

    def _show(self, sight: _Sight) -> Entry | None:
        """Show the forecast one thing; returns a prompt that takes longer, and was not shown."""
        match sight:
            case Entry():
                return None if self._forecast.begin_quick(sight) else sight
            case CacheChanged():
                self._forecast.update_cached(sight)
            case str():
                if sight == _FRESH:
                    self._forecast.begin_process()
                else:
                    self._forecast.end()
            case _:
                self._forecast.observe(sight)
        return None
