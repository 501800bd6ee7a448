"""Blocks of memory beside messages: what arrives, what cannot be changed, what is left behind."""

import os
import socket
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from engine.errors import WireError
from engine.wire import block_pool, shared_memory
from engine.wire.block_pool import SentBlocks
from engine.wire.isolated_messages import (
    Call,
    DictOf,
    IsolatedCommand,
    ListOf,
    StopCall,
    TensorAt,
    TupleOf,
)
from engine.wire.shared_memory import Block, BlockChannel

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def ends(tmp_path):
    one, other = (
        BlockChannel(each, IsolatedCommand, tmp_path / "blocks") for each in socket.socketpair()
    )
    yield one, other
    one.close()
    other.close()


def call(number=1):
    at = TensorAt(0, 0, "uint8", [len(CONTENT)])
    return Call(number, "run", "X", "1", DictOf(["a", TupleOf([1])], [at, ListOf([None, 1.5])]))


def sent(ends, count=1):
    """What the other end receives of as many messages with blocks."""
    parts = [(0, memoryview(CONTENT)), (len(CONTENT), memoryview(b"end"))]
    sender = threading.Thread(
        target=lambda: [ends[0].send_with(call(n), parts, len(CONTENT) + 64) for n in range(count)]
    )
    sender.start()
    found = []
    for _ in range(count):
        message = ends[1].next()
        found.append((message, ends[1].open(message.block)))
    sender.join()
    return found


def test_each_message_comes_with_its_own_block(ends):
    found = sent(ends, 40)
    assert [message.number for message, _ in found] == list(range(40))
    assert all(memory[: len(CONTENT)] == CONTENT for _, memory in found)
    assert found[0][1][len(CONTENT) : len(CONTENT) + 4] == b"end\0"
    assert found[0][0].inputs == call().inputs


def test_what_the_receiver_writes_is_its_own_and_no_descriptor_stays_open(ends, monkeypatch):
    monkeypatch.setattr(block_pool, "MOST_REUSED", 0)  # as for large ones
    before = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    found = sent(ends, 5)
    found[0][1][0:3] = b"new"
    assert found[1][1][0:3] == CONTENT[:3]
    for _, memory in found:
        memory.close()
    if sys.platform == "linux":
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_memory_that_can_be_sent_a_file_is_used_and_deleted(ends, monkeypatch, tmp_path):
    monkeypatch.setattr(shared_memory, "_HAS_MEMFD", False)
    ((message, memory),) = sent(ends)
    assert message.block.path.startswith(str(tmp_path))
    assert memory[: len(CONTENT)] == CONTENT
    assert list((tmp_path / "blocks").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory is sent on Linux alone")
def test_a_block_that_could_be_shortened_or_is_too_small_is_refused(ends):
    for size, seal in ((64, False), (16, True)):
        descriptor = os.memfd_create("test", os.MFD_ALLOW_SEALING)
        os.truncate(descriptor, size)
        if seal:
            shared_memory._seal(descriptor)
        ends[0].send_described(msgspec.structs.replace(call(), block=Block(64)), descriptor)
        os.close(descriptor)
        message = ends[1].next()
        with pytest.raises(WireError, match="is not the 64 bytes"):
            ends[1].open(message.block)


def test_a_block_that_did_not_come_is_an_error(ends):
    with pytest.raises(WireError, match="did not come"):
        ends[1].open(Block(64))


def exchanged(one, other, content):
    """The bytes that arrive of a message with a block, and what it says of the block."""
    sender = threading.Thread(
        target=one.send_with, args=(call(), [(0, memoryview(content))], len(content))
    )
    sender.start()
    message = other.next()
    with other.reading(message.block) as memory:
        found = bytes(memory[: len(content)])
    sender.join()
    return found, message.block


def answered(one, other):
    """The other side sends something without a block."""
    other.send_with(StopCall(1), [], 0)
    other.send(StopCall(2))
    assert [one.next().number, one.next().number] == [1, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each block is a file")
def test_a_block_is_used_again_once_it_was_given_back(ends):
    one, other = ends
    contents = [bytes([number]) * 200_000 for number in range(4)]
    found = [exchanged(one, other, contents[0]), exchanged(one, other, contents[1])]
    answered(one, other)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    found += [exchanged(one, other, contents[2]), exchanged(one, other, contents[3])]
    assert [content for content, _ in found] == contents
    assert [block.number for _, block in found] == [1, 2, 1, 2]
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each block is a file")
def test_what_was_not_given_back_stays_as_it_is(ends):
    one, other = ends
    one.send_with(call(), [(0, memoryview(b"first"))], 5)
    held = other.open(other.next().block)
    content, block = exchanged(one, other, b"other")
    assert (content, block.number) == (b"other", 2)
    assert held[:5] == b"first"


def test_blocks_that_wait_make_room_for_larger_ones_and_no_more_are_held():
    blocks = SentBlocks(most_held=4 << 20)
    small, large = blocks.take(1 << 20), blocks.take(2 << 20)
    assert blocks.take(2 << 20) is None, "nothing is free, and there is no room for another"
    blocks.given_back([small.number, 99, small.number])
    again = blocks.take(1 << 19)
    assert again.number == small.number
    blocks.given_back([again.number])
    third = blocks.take(2 << 20)
    assert third.dropped == (small.number,)
    assert blocks.take(200 << 20) is None
    blocks.given_back([large.number, third.number])
    assert blocks.take(2 << 20).number == large.number
