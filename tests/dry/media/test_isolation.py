"""The helper for pictures cannot reach the network, nor can processes it starts."""

import platform
import subprocess
import sys

import pytest

from engine.media import isolation

SCRIPT = """
import socket, subprocess, sys, threading
ours, theirs = socket.socketpair()
before = socket.socket()
from engine.media.isolation import leave_network
print("left", leave_network())
def attempt(what):
    try:
        what()
    except OSError as error:
        return error.errno
    return None
print("tcp", attempt(lambda: socket.socket(socket.AF_INET)))
print("udp6", attempt(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)))
print("unix", attempt(lambda: socket.socket(socket.AF_UNIX)))
print("old", attempt(lambda: before.connect(("127.0.0.1", 9))))
print("listen", attempt(lambda: before.listen()))
found = []
thread = threading.Thread(target=lambda: found.append(attempt(socket.socket)))
thread.start(); thread.join()
print("thread", *found)
code = "import socket\\ntry: socket.socket()\\nexcept OSError as e: print('child', e.errno)"
subprocess.run([sys.executable, "-c", code], stdout=sys.stdout, check=True)
ours.sendall(b"hello")
print("channel", theirs.recv(5).decode())
"""

on_linux = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in isolation._MACHINES,
    reason="there is a filter on Linux alone",
)


@on_linux
def test_no_socket_can_be_opened_and_the_channel_goes_on():
    done = subprocess.run(
        [sys.executable, "-u", "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "left None",
        *(f"{name} 13" for name in ("tcp", "udp6", "unix", "old", "listen", "thread", "child")),
        "channel hello",
    ], done.stderr


@on_linux
def test_sockets_of_the_file_system_can_stay_allowed():
    script = SCRIPT.replace("leave_network()", "leave_network(local_sockets=True)")
    done = subprocess.run(
        [sys.executable, "-u", "-c", script], capture_output=True, text=True, check=False
    )
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert found.pop("old") != "13"  # what was open before, it has: nothing is, in a pack's process
    assert found == {
        "left": "None",
        **dict.fromkeys(("tcp", "udp6", "thread", "child"), "13"),
        **dict.fromkeys(("unix", "listen"), "None"),
        "channel": "hello",
    }, done.stderr


def test_where_there_is_no_way_it_is_said(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "darwin" in isolation.leave_network()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "riscv64" in isolation.leave_network()
