"""Frames arrive whole, in order, and only those of known types and sizes."""

import asyncio
import socket
import threading

import msgspec
import pytest

from engine.errors import WireError
from engine.wire import channel
from engine.wire.channel import AsyncChannel, Channel
from engine.wire.messages import (
    Command,
    Free,
    Interrupt,
    NodeRef,
    Preview,
    Progress,
    Run,
    WorkerMessage,
)

PLACE = NodeRef("1", "1", None, "1")


@pytest.fixture
def pair():
    """Two ends of a channel, in both directions."""
    a, b = socket.socketpair()
    up, down = Channel(a, Command | WorkerMessage), Channel(b, WorkerMessage)
    yield up, down
    up.close()
    down.close()


@pytest.fixture
def sockets():
    a, b = socket.socketpair()
    yield a, b
    a.close()
    b.close()


def test_messages_arrive_in_order_and_the_end_is_an_end(pair):
    up, down = pair
    sent = [Run("p", b'{"1": 18446744073709551616}', ("1",)), Interrupt("p"), Free(weights=True)]
    for each in sent:
        down.send(each)
    down._socket.shutdown(socket.SHUT_WR)
    assert list(up.receive()) == sent


def test_what_has_arrived_is_read_without_waiting(pair):
    up, down = pair
    assert up.poll() is None
    down.send(Free(weights=True), more=True)
    down.send(Interrupt("p"))
    assert up.poll() == Free(weights=True)
    assert up.next() == Interrupt("p")
    frame = channel._frame(down._encoder, Interrupt("q"))
    down._socket.sendall(frame[:5])
    assert up.poll() is None, "half a message"
    down._socket.sendall(frame[5:])
    assert up.poll() == Interrupt("q")
    down.close()
    assert up.poll() is None
    assert up.next() is None


@pytest.mark.parametrize("reported", [True, False])
def test_the_end_is_noticed_while_nothing_is_read(pair, reported, monkeypatch):
    """On systems that report it and on others."""
    monkeypatch.setattr(channel, "_PEEK_SECONDS", 0.01)
    if not reported:
        monkeypatch.delattr(channel.select, "poll")
    up, down = pair
    waiting = threading.Thread(target=up.wait_for_end)
    waiting.start()
    down.send(Interrupt("p"))
    waiting.join(0.1)
    assert waiting.is_alive()
    assert up.next() == Interrupt("p")
    down.close()
    waiting.join(10)
    assert not waiting.is_alive()


def test_messages_with_more_to_come_go_in_one_piece(sockets):
    a, b = sockets
    up, pieces = Channel(a, WorkerMessage), []
    sent = [Interrupt("1"), Interrupt("2"), Interrupt("3")]
    for each in sent[:2]:
        up.send(each, more=True)
    b.setblocking(False)
    with pytest.raises(BlockingIOError):
        b.recv(1)
    up.send(sent[2])
    pieces.append(b.recv(1 << 16))
    up.send(Preview("p", PLACE, b"x" * (1 << 17)), more=True)
    pieces.append(b.recv(1 << 20))
    assert pieces[0] == b"".join(channel._frame(up._encoder, each) for each in sent)
    assert pieces[1], "what is large is not held back"


def test_frames_are_taken_out_of_pieces_of_any_size(sockets):
    """Each frame is one message, however its bytes are split."""

    async def scenario():
        reader = asyncio.StreamReader()
        end = AsyncChannel(reader, None, Command)
        sent = [Interrupt(str(number) * (number * 97 % 400)) for number in range(40)]
        whole = b"".join(channel._frame(end._encoder, each) for each in sent)

        async def feed():
            start = 0
            for number in range(1, len(whole)):
                piece = whole[start : start + number % 701 + 1]
                if not piece:
                    break
                reader.feed_data(piece)
                start += len(piece)
                await asyncio.sleep(0)
            reader.feed_data(whole[:3])  # cut off in the middle
            reader.feed_eof()

        feeding = asyncio.ensure_future(feed())
        found = [each async for each in end.receive()]
        await feeding
        return sent, found

    sent, found = asyncio.run(scenario())
    assert found == sent


def test_pictures_pass_as_bytes(pair):
    up, down = pair
    sent = Preview("p", PLACE, b"\xff\xd8" * 300_000)
    thread = threading.Thread(target=down.send, args=(sent,))
    thread.start()
    assert next(up.receive()) == sent
    thread.join()


def test_a_frame_of_another_type_is_refused(pair):
    up, down = pair
    up.send(Interrupt("p"))
    with pytest.raises(WireError, match="refused"):
        next(down.receive())


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\1\xc1",
        b"\0\0\0\3abc",
        len(deep := b"\x91" * 100_000).to_bytes(4) + deep,
    ],
    ids=["huge", "no msgpack", "no message", "deep"],
)
def test_hostile_frames_are_refused(frame, sockets):
    a, b = sockets
    thread = threading.Thread(target=lambda: (b.sendall(frame), b.close()))
    thread.start()
    end = Channel(a, WorkerMessage)
    with pytest.raises(WireError):
        next(end.receive())
    thread.join()
    end.close()


def test_a_message_that_is_too_large_is_not_sent(monkeypatch, pair):
    monkeypatch.setattr(channel, "MOST_BYTES", 100)
    _, down = pair
    with pytest.raises(WireError, match="the limit is 100"):
        down.send(Run("p", b"x" * 200, ()))


def test_a_number_that_msgpack_has_not_is_an_error_of_the_sender(pair):
    class Any(msgspec.Struct):
        value: object

    _, down = pair
    with pytest.raises(WireError, match="cannot be sent"):
        down.send(Any(2**70))


def test_half_a_frame_is_the_end(sockets):
    a, b = sockets
    b.sendall(b"\0\0\0\x10half")
    b.close()
    end = Channel(a, WorkerMessage)
    assert list(end.receive()) == []
    end.close()


async def _talk():
    a, b = socket.socketpair()
    a.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=a)
    ours = AsyncChannel(reader, writer, WorkerMessage)
    theirs = Channel(b, Command)
    await ours.send(Interrupt("p"))
    told = await asyncio.to_thread(lambda: next(theirs.receive()))
    sent = [Progress("p", PLACE, step, 200) for step in range(200)]
    for each in sent:
        theirs.send(each)
    b.shutdown(socket.SHUT_WR)
    got = [each async for each in ours.receive()]
    ours.close()
    b.close()
    return told, got == sent


def test_an_event_loop_and_a_thread_talk():
    assert asyncio.run(_talk()) == (Interrupt("p"), True)
