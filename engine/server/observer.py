"""Shows the forecast what workers do, in order, in a task of its own.

A forecast is a convenience: nothing waits for it, and what goes wrong in it is logged and harms
nothing.
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

    def fresh_process(self) -> None:
        """A worker was started: it has no results."""
        self._sights.put_nowait(_FRESH)

    def begin(self, entry: Entry) -> None:
        """A prompt was handed to the worker."""
        self._sights.put_nowait(entry)

    def see(self, event: AnyEvent | CacheChanged) -> None:
        """The worker said something; most of it is of no concern."""
        if isinstance(event, ForecastEvent | CacheChanged):
            self._sights.put_nowait(event)

    def end(self) -> None:
        """The prompt has ended."""
        self._sights.put_nowait(_END)

    async def settled(self) -> None:
        """Wait until the forecast has seen all that has happened."""
        await self._sights.join()

    async def run(self) -> None:
        """Show the forecast one thing after another, for as long as the server runs."""
        while True:
            sight = await self._sights.get()
            try:
                await self._show(sight)
            except Exception:  # noqa: BLE001 - see above
                self._logs.write(f"Calotype: a forecast failed: {traceback.format_exc()}")
            finally:
                self._sights.task_done()

    async def _show(self, sight: _Sight) -> None:
        match sight:
            case Entry():
                await self._forecast.begin(sight)
            case CacheChanged():
                self._forecast.update_cached(sight)
            case str():
                if sight == _FRESH:
                    self._forecast.begin_process()
                else:
                    self._forecast.end()
            case _:
                self._forecast.observe(sight)
