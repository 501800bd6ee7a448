"""What a worker does with commands: in order, freeing memory first, and nothing withdrawn."""

import socket
import time

import pytest

from engine.wire.channel import Channel
from engine.wire.messages import (
    Command,
    Finished,
    Free,
    Interrupt,
    NodeRef,
    Run,
    Started,
    Withdraw,
    Withdrawn,
    WorkerMessage,
)
from engine.worker.__main__ import Inbox


@pytest.fixture
def ends():
    """The inbox, and the server's end of its channel."""
    ours, theirs = socket.socketpair()
    server, worker = Channel(ours, WorkerMessage), Channel(theirs, Command)
    yield Inbox(worker), server
    server.close()
    worker.close()


def test_memory_is_freed_before_the_next_run(ends):
    inbox, server = ends
    for each in (Run("a", b"{}", ()), Run("b", b"{}", ()), Free(weights=True)):
        server.send(each)
    found = [inbox.next() for _ in range(3)]
    assert [getattr(each, "prompt_id", "free") for each in found] == ["free", "a", "b"]


def test_a_run_that_is_withdrawn_does_not_begin(ends):
    inbox, server = ends
    for name in "abc":
        server.send(Run(name, b"{}", ()))
    assert inbox.next().prompt_id == "a"
    server.send(Withdraw(("a", "b")))
    server.send(Interrupt("a"))
    assert inbox.stopped("a")
    assert not inbox.stopped("c")
    assert server.next() == Withdrawn(("b",))
    assert inbox.next().prompt_id == "c"


def test_after_a_full_disk_the_server_says_what_may_begin(ends):
    inbox, server = ends
    for name in "ab":
        server.send(Run(name, b"{}", ()))
    assert inbox.next().prompt_id == "a"
    inbox.hold()
    server.send(Free(results=True))
    assert inbox.next() == Free(results=True)
    server.send(Withdraw(("b",)))
    server.send(Run("c", b"{}", ()))
    assert inbox.next().prompt_id == "c"


def test_what_was_held_back_is_sent_when_a_node_looks_for_a_stop(ends, monkeypatch):
    """A node's end is held for what follows: where that takes long, it goes out by itself."""
    inbox, server = ends
    server.send(Run("a", b"{}", ()))
    inbox.next()
    place = NodeRef("1", "1", None, "1")
    inbox._channel.send(Started("a", 1.0), more=True)
    assert not inbox.stopped("a")
    assert server.poll() is None, "the first node follows at once"
    inbox._channel.send(Finished("a", place), more=True)
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    assert not inbox.stopped("a")
    assert [server.next(), server.next()] == [Started("a", 1.0), Finished("a", place)]
