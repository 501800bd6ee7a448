"""Every client gets its messages; one that does not read does not affect the others."""

import asyncio
import json
import time

import pytest
from aiohttp import WSMsgType

from engine.server.app import SERVICES
from engine.server.hub import MOST_PENDING, Client, Outgoing, frame


async def next_text(socket):
    while True:
        message = await socket.receive(timeout=10)
        assert message.type in {WSMsgType.TEXT, WSMsgType.BINARY}, message
        if message.type is WSMsgType.TEXT:
            return json.loads(message.data)


def test_the_first_message_says_who_and_how_many(serving):
    async def scenario(client):
        named = await client.ws_connect("/ws?clientId=me")
        unnamed = await client.ws_connect("/api/ws")
        first = await next_text(named)
        other = await next_text(unnamed)
        await named.close()
        await unnamed.close()
        return first, other

    first, other = serving(scenario)
    assert first == {
        "type": "status",
        "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "me"},
    }
    assert len(other["data"]["sid"]) == 32


def test_features_are_answered_and_remembered(serving):
    async def scenario(client):
        socket = await client.ws_connect("/ws?clientId=me")
        await next_text(socket)
        flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
        await socket.send_json(flags)
        answer = await next_text(socket)
        same = await (await client.get("/features")).json()
        hub = client.app[SERVICES].hub
        hub.send("me", [Outgoing(b"old", b"new"), Outgoing(b"old", b"")])
        hub.send("me", [Outgoing('{"type":"end"}')])
        preview = await socket.receive()
        end = await socket.receive()
        await socket.close()
        return answer, same, preview.data, end.data

    answer, same, preview, end = serving(scenario)
    assert answer == {"type": "feature_flags", "data": same}
    assert preview == b"new"
    assert end == '{"type":"end"}'


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"type": 1}', "[" * 50_000, '{"data": 5}'])
def test_odd_texts_are_passed_over(text, serving):
    async def scenario(client):
        socket = await client.ws_connect("/ws?clientId=me")
        await socket.send_str(text)
        await socket.send_str(text)
        client.app[SERVICES].hub.send("me", [Outgoing('{"type":"here"}')])
        await next_text(socket)
        found = await next_text(socket)
        await socket.close()
        return found

    assert serving(scenario) == {"type": "here"}


def test_a_second_socket_of_a_client_takes_the_place_of_the_first(serving):
    async def scenario(client):
        first = await client.ws_connect("/ws?clientId=me")
        await next_text(first)
        second = await client.ws_connect("/ws?clientId=me")
        await next_text(second)
        closed = await first.receive(timeout=10)
        client.app[SERVICES].hub.send("me", [Outgoing('{"type":"here"}')])
        found = await next_text(second)
        await second.close()
        return closed.type, found

    kind, found = serving(scenario)
    assert kind in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert found == {"type": "here"}


def test_a_change_of_the_queue_is_told_to_all(serving):
    prompt = {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 0},
        },
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }

    async def scenario(client):
        sockets = [await client.ws_connect("/ws") for _ in range(3)]
        for socket in sockets:
            await next_text(socket)
        await client.post("/prompt", json={"prompt": prompt})
        told = [await next_text(socket) for socket in sockets]
        for socket in sockets:
            await socket.close()
        return told

    for told in serving(scenario):
        assert told["data"] == {"status": {"exec_info": {"queue_remaining": 1}}}


async def _stalled(server):
    """A client that opens a socket and never reads from it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.transport.pause_reading()
    writer.write(
        b"GET /ws?clientId=stalled HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n" % server.port
    )
    await writer.drain()
    return reader, writer


def test_a_stalled_client_is_closed_and_costs_nobody(serving):
    async def scenario(client):
        hub = client.app[SERVICES].hub
        _, writer = await _stalled(client.server)
        healthy = await client.ws_connect("/ws?clientId=healthy")
        await next_text(healthy)
        async with asyncio.timeout(10):
            while len(hub) < 2:
                await asyncio.sleep(0.01)
        big = Outgoing('{"type":"big","data":"' + "x" * 100_000 + '"}')
        slowest, got = 0.0, 0
        for _ in range(400):
            began = time.monotonic()
            hub.send(None, [big])
            found = await next_text(healthy)
            got += found["type"] == "big"
            slowest = max(slowest, time.monotonic() - began)
        left = len(hub)
        await healthy.close()
        writer.close()
        return got, left, slowest

    got, left, slowest = serving(scenario)
    assert got == 400
    assert left == 1
    assert slowest < 5.0


def test_a_client_that_is_behind_gets_no_progress(serving):
    async def scenario(client):
        hub = client.app[SERVICES].hub
        socket = await client.ws_connect("/ws?clientId=me")
        await next_text(socket)
        # Without a pause, so that nothing is written meanwhile.
        for number in range(3000):
            hub.send("me", [Outgoing('{"type":"step"}', skippable=True)])
            if number % 100 == 0:
                hub.send("me", [Outgoing('{"type":"end"}')])
        hub.send("me", [Outgoing('{"type":"last"}')])
        kinds = []
        while not kinds or kinds[-1] != "last":
            kinds.append((await next_text(socket))["type"])
        await socket.close()
        return kinds

    kinds = serving(scenario)
    assert kinds.count("end") == 30
    assert 0 < kinds.count("step") < 600


def test_too_many_messages_close_a_client(serving):
    async def scenario(client):
        hub = client.app[SERVICES].hub
        socket = await client.ws_connect("/ws?clientId=me")
        await next_text(socket)
        for _ in range(MOST_PENDING + 1):
            hub.send("me", [Outgoing("{}")])
        gone = len(hub)
        while not socket.closed:
            message = await socket.receive(timeout=10)
            if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}:
                break
        return gone

    assert serving(scenario) == 0


class Transport:
    """Records what is written."""

    def __init__(self, *, unsent=0):
        self.pieces, self._unsent = [], unsent

    def write(self, piece):
        self.pieces.append(piece)

    def get_write_buffer_size(self):
        return self._unsent

    def is_closing(self):
        return False


class Socket:
    """Records what is sent."""

    closed = False

    def __init__(self):
        self.sent = []

    async def send_str(self, text):
        self.sent.append(text)

    send_bytes = send_str


@pytest.mark.parametrize(
    ("texts", "unsent", "together"),
    [
        (["a", "b", "c"], 0, True),
        (["a", "b", "c"], 1, False),  # the client has not read what came before
        (["a", "b" * 40_000], 0, False),
    ],
)
def test_what_is_pending_is_written_in_one_piece_to_a_client_that_keeps_up(texts, unsent, together):
    async def scenario():
        socket, transport = Socket(), Transport(unsent=unsent)
        client = Client("me", socket)
        writing = asyncio.ensure_future(client.write(transport))
        for each in texts:
            client.enqueue(Outgoing(each))
        await asyncio.sleep(0.01)
        writing.cancel()
        return socket.sent, transport.pieces

    sent, pieces = asyncio.run(scenario())
    assert sent == ([] if together else texts)
    assert pieces == ([b"".join(map(frame, texts))] if together else [])


def test_frames_of_every_size_are_read_as_they_were_sent(serving):
    texts = ["", "x" * 125, "ü" * 63, "x" * 126, "y" * 20_000, "end"]

    async def scenario(client):
        socket = await client.ws_connect("/ws?clientId=me")
        await next_text(socket)
        hub = client.app[SERVICES].hub
        hub.send("me", [Outgoing(each) for each in texts] + [Outgoing(b"\x00picture")])
        found = [(await socket.receive()).data for _ in texts]
        await socket.close()
        return found

    assert serving(scenario) == [*texts[1:], b"\x00picture"]


def test_a_frame_has_the_shortest_length_there_is():
    assert frame("ab") == b"\x81\x02ab"
    assert frame(b"a" * 126)[:4] == b"\x82\x7e\x00\x7e"
    assert frame(b"a" * (1 << 16))[:10] == b"\x82\x7f" + (1 << 16).to_bytes(8)
