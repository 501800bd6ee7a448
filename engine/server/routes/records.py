"""Records of runs: what differs now from when a file was made."""

from __future__ import annotations

import asyncio
import platform
from typing import Any

import msgspec
from aiohttp import web

from engine.record.compare import differences
from engine.record.record import Computing, RecordError, read_record
from engine.server.answers import answer, read_object, refusal
from engine.server.services import SERVICES, Services


async def post_compare(request: web.Request) -> web.Response:
    """What differs between a record and this installation, a sentence each."""
    services = request.app[SERVICES]
    asked = await read_object(request)
    try:
        record = read_record(asked.get("record"))
    except RecordError as error:
        raise refusal(400, str(error)) from error
    services.recorder.forget_packs()
    found = await asyncio.to_thread(differences, record, services.recorder, computing(services))
    listed: list[Any] = [msgspec.to_builtins(each) for each in found]
    return answer({"differences": listed})


def computing(services: Services) -> Computing | None:
    """What computes here; None while no worker is ready."""
    ready = services.workers.ready
    if ready is None or not ready.devices:
        return None
    device = ready.devices[0]
    name = platform.machine() if device.type == "cpu" else device.name.partition(" ")[2]
    return Computing(ready.dtype, device.type, name, ready.torch)
