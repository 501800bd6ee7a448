"""The worker events that the forecast receives: all that it learns from, in order, no others."""

import asyncio
from types import SimpleNamespace
from typing import get_args

import pytest

from engine.forecast.forecast import ForecastEvent
from engine.server.observer import Observer
from engine.store.entries import Entry
from engine.wire.messages import CacheChanged, Finished, NodeOutput, NodeRef, Progress, Signatures

ONE = NodeRef("1", "1", None, "1")
SEEN = (
    Signatures("p", {"1": b"signature"}),
    NodeOutput("p", ONE, {"images": [{"filename": "a.png"}]}),
    Finished("p", ONE, 0.5),
    CacheChanged((b"signature",), ()),
)


class Forecast:
    def __init__(self, *, quick: bool) -> None:
        self.seen = []
        self._quick = quick

    def begin_quick(self, entry):
        if self._quick:
            self.seen.append(entry.id)
        return self._quick

    async def begin(self, entry):
        await asyncio.sleep(0)
        self.seen.append(entry.id)

    def observe(self, event):
        self.seen.append(event)

    update_cached = observe

    def end(self):
        self.seen.append("end")


@pytest.mark.parametrize("quick", [True, False])
def test_the_forecast_sees_all_that_it_learns_from(quick):
    async def scenario():
        forecast = Forecast(quick=quick)
        observer = Observer(forecast, SimpleNamespace(write=pytest.fail))
        task = asyncio.ensure_future(observer.run())
        observer.job_started(Entry("p", {}, ["1"]))
        for event in (SEEN[0], Progress("p", ONE, 1, 2), *SEEN[1:]):
            observer.event_received(event)
        observer.job_ended()
        await observer.wait_until_idle()
        task.cancel()
        return forecast.seen

    assert asyncio.run(scenario()) == ["p", *SEEN, "end"]
    assert {type(event) for event in SEEN} == {*get_args(ForecastEvent), CacheChanged}
