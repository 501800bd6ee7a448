"""Messages to every open socket. A client that does not read is closed and delays no other.

Each socket has its own bounded queue, written by its own task. Progress is skipped for a client
that is behind; other messages are not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import WSCloseCode, web

from engine.server.messages import (
    Body,
    DownloadsChanged,
    ExecInfo,
    Executing,
    Progress,
    ProgressState,
    Status,
    StatusBody,
    text_frame,
)

MOST_PENDING = 20_000
"""Pending messages of one client. A graph of ten thousand nodes makes as many at once."""
MOST_PENDING_BYTES = 16 << 20
BEHIND = 512
"""A client with more pending messages than this gets no progress until it has caught up."""
STALLED_SECONDS = 20.0
"""A client that took nothing for so long is closed."""
_TOGETHER = 32 << 10
"""Characters and bytes of messages that are written in one piece."""
_TEXT, _BINARY = 0x81, 0x82
_SHORT, _MEDIUM = 126, 1 << 16


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message.

    Attributes:
        content: a text or a binary frame; an empty one is not sent.
        with_metadata: the frame for clients that read previews with metadata, if it differs.
        skippable: whether a client that is behind may miss it.
    """

    content: str | bytes
    with_metadata: bytes | None = None
    skippable: bool = False


def frame(content: str | bytes) -> bytes:
    """A whole message as a WebSocket frame of a server (RFC 6455, 5.2): final, not masked.

    Encoded here, since `aiohttp` writes each frame with a separate system call.
    """
    payload = content.encode() if isinstance(content, str) else content
    kind, size = (_TEXT if isinstance(content, str) else _BINARY), len(payload)
    if size < _SHORT:
        return bytes((kind, size)) + payload
    if size < _MEDIUM:
        return bytes((kind, _SHORT)) + size.to_bytes(2) + payload
    return bytes((kind, _SHORT + 1)) + size.to_bytes(8) + payload


def outgoing(body: Body) -> Outgoing:
    """A message with its frame. The last step of a node is never skipped."""
    match body:
        case Progress():
            skippable = body.value < body.max
        case ProgressState():
            skippable = not any(1 < each.max <= each.value for each in body.nodes.values())
        case Executing():
            skippable = body.node is not None
        case DownloadsChanged():
            skippable = not body.gone and all(each.state == "running" for each in body.changed)
        case _:
            skippable = False
    return Outgoing(text_frame(body), skippable=skippable)


class Client:
    """One open socket.

    Attributes:
        id: chosen by the client.
        features: that the client declared.
    """

    def __init__(self, client_id: str, socket: web.WebSocketResponse) -> None:
        self.id = client_id
        self.features: dict[str, object] = {}
        self._socket = socket
        self._pending: deque[str | bytes] = deque()
        self._bytes = 0
        self._has_pending = asyncio.Event()
        self._closing = False

    @property
    def wants_all_progress(self) -> bool:
        """Whether the client said that it reads every step."""
        return self.features.get("all_progress") is True

    def enqueue(self, message: Outgoing) -> bool:
        """Queue a message for the client; False where too many are pending already."""
        if message.skippable and len(self._pending) >= BEHIND and not self.wants_all_progress:
            return True
        content = message.content
        if message.with_metadata is not None and self.features.get("supports_preview_metadata"):
            content = message.with_metadata
        if not content:
            return True
        self._pending.append(content)
        self._bytes += len(content)
        self._has_pending.set()
        return len(self._pending) <= MOST_PENDING and self._bytes <= MOST_PENDING_BYTES

    async def write(self, transport: asyncio.Transport | None) -> None:
        """Write pending messages until the socket closes or the client stops reading."""
        try:
            while not self._closing:
                await self._has_pending.wait()
                self._has_pending.clear()
                if transport is not None:
                    self._write_together(transport)
                if self._pending:
                    await self._write_singly()
        except (TimeoutError, ConnectionError):
            if transport is not None:
                transport.abort()

    def _write_together(self, transport: asyncio.Transport) -> None:
        """Write all that is pending in one piece, where that is little and the client keeps up."""
        if len(self._pending) < 2 or self._bytes > _TOGETHER or self._closing:
            return
        if self._socket.closed or transport.is_closing() or transport.get_write_buffer_size():
            return
        transport.write(b"".join(map(frame, self._pending)))
        self._pending.clear()
        self._bytes = 0

    async def _write_singly(self) -> None:
        """Write one message after another, each when the client has room for it."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as patience:
            while self._pending and not self._closing:
                patience.reschedule(loop.time() + STALLED_SECONDS)
                content = self._pending.popleft()
                self._bytes -= len(content)
                if isinstance(content, str):
                    await self._socket.send_str(content)
                else:
                    await self._socket.send_bytes(content)

    async def close(self, transport: asyncio.Transport | None, why: str) -> None:
        """Close, without waiting for a client that does not read."""
        self._closing = True
        self._has_pending.set()
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(1.0):
                await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=why.encode())
        if transport is not None:
            transport.abort()


class Hub:
    """The open sockets by client."""

    def __init__(self) -> None:
        self._clients: dict[str, tuple[Client, asyncio.Transport | None]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._clients)

    def __contains__(self, client_id: object) -> bool:
        return client_id in self._clients

    def join(self, client: Client, transport: asyncio.Transport | None) -> asyncio.Task[None]:
        """Add a client; a socket that it had before is closed. Returns the writing task."""
        before = self._clients.pop(client.id, None)
        if before is not None:
            self._end(*before, "the same client opened another socket")
        self._clients[client.id] = (client, transport)
        return asyncio.create_task(client.write(transport))

    def leave(self, client: Client) -> None:
        """A socket has closed."""
        current = self._clients.get(client.id)
        if current is not None and current[0] is client:
            del self._clients[client.id]

    def wants_all_progress(self, client_id: str | None) -> bool:
        """Whether that client is connected and reads every step."""
        current = self._clients.get(client_id or "")
        return current is not None and current[0].wants_all_progress

    def send(self, client_id: str | None, messages: Iterable[Outgoing | Body]) -> None:
        """To one client, if connected; to all for None. Encoded only if a client is connected."""
        targets = (
            list(self._clients.values())
            if client_id is None
            else [each for each in (self._clients.get(client_id),) if each is not None]
        )
        if not targets:
            return
        for each in messages:
            message = each if isinstance(each, Outgoing) else outgoing(each)
            for client, transport in targets:
                if not client.enqueue(message) and self._clients.get(client.id) == (
                    client,
                    transport,
                ):
                    del self._clients[client.id]
                    self._end(client, transport, "too many messages wait; read them faster")

    def send_status(self, remaining: int | None) -> None:
        """Send all clients how many prompts are pending or run; nothing where that is not known."""
        if remaining is not None:
            self.send(None, [Status(StatusBody(ExecInfo(remaining)))])

    async def close(self) -> None:
        """Close all."""
        for client, transport in list(self._clients.values()):
            self._end(client, transport, "the server ends")
        self._clients.clear()
        if self._closing:
            await asyncio.wait(self._closing, timeout=1.5)

    def _end(self, client: Client, transport: asyncio.Transport | None, why: str) -> None:
        task = asyncio.create_task(client.close(transport, why))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
