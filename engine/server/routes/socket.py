"""The WebSocket that sends messages to a browser."""

from __future__ import annotations

import uuid
from contextlib import suppress

import msgspec
from aiohttp import WSMsgType, web

from engine.server.answers import is_object, refusal
from engine.server.hub import Client, outgoing
from engine.server.messages import ExecInfo, Executing, FeatureFlags, Status, StatusBody
from engine.server.routes.catalog import features
from engine.server.services import SERVICES

MOST_CLIENTS = 2000
MOST_MESSAGE = 1 << 20
_HEARTBEAT_SECONDS = 20.0
_LONGEST_ID = 200


async def get_socket(request: web.Request) -> web.WebSocketResponse:
    """Serve one client until it disconnects."""
    services = request.app[SERVICES]
    if len(services.hub) >= MOST_CLIENTS:
        raise refusal(503, "too many clients are connected")
    socket = web.WebSocketResponse(
        heartbeat=_HEARTBEAT_SECONDS, max_msg_size=MOST_MESSAGE, compress=False
    )
    remaining = await services.queue.remaining()
    await socket.prepare(request)
    # From here to `join` nothing is awaited, so that no message is missed.
    client_id = request.query.get("clientId", "")[:_LONGEST_ID] or uuid.uuid4().hex
    client = Client(client_id, socket)
    client.enqueue(outgoing(Status(StatusBody(ExecInfo(remaining)), sid=client_id)))
    job = services.workers.current
    if job is not None and job.accepted and job.entry.client == client_id and job.node:
        client.enqueue(outgoing(Executing(job.node.id)))
        if (state := job.state()) is not None:
            client.enqueue(outgoing(state))
    writing = services.hub.join(client, request.transport)
    try:
        await _read(client, socket, features(services))
    finally:
        services.hub.leave(client)
        writing.cancel()
    return socket


async def _read(client: Client, socket: web.WebSocketResponse, ours: FeatureFlags) -> None:
    """Read a client's first text, which may list its features; the rest is ignored."""
    first = True
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        if first:
            with suppress(msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
                _exchange_features(client, message.data, ours)
        first = False


def _exchange_features(client: Client, text: str, ours: FeatureFlags) -> None:
    found = msgspec.json.decode(text)
    if not is_object(found) or found.get("type") != "feature_flags":
        return
    data = found.get("data")
    client.features = data if is_object(data) else {}
    client.enqueue(outgoing(ours))
