"""A worker of a few lines that speaks the protocol and loads no torch.

The colour of a prompt's picture tells it what to do. It writes the ids it receives to a file.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

from engine.wire.channel import connect
from engine.wire.messages import (
    CacheChanged,
    Cached,
    Command,
    Device,
    Failed,
    Finished,
    Free,
    Freed,
    Interrupt,
    InterruptAcknowledged,
    Interrupted,
    NodeOutput,
    NodeRef,
    Ready,
    Running,
    Signatures,
    Started,
    Succeeded,
)

PLACE = NodeRef("1", "1", None, "1")
DIES, CRASHES, BABBLES, HANGS, LOOKS, STARTS_OTHERS, FULL, LAST_WORDS = range(1, 9)
STATE = Path(os.environ["STATE"])


def read(channel, jobs, stops):
    for message in channel.receive():
        if isinstance(message, Interrupt):
            stops.add(message.prompt_id)
        else:
            jobs.put(message)
    os._exit(0)


def start_others():
    """Start two processes, one in its own session, that hold every descriptor open."""
    quiet = {"close_fds": False, "stdin": subprocess.DEVNULL}
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    children = [subprocess.Popen(sleeping, start_new_session=each, **quiet) for each in (0, 1)]
    (STATE / "starting").write_text(" ".join(str(each.pid) for each in children))
    (STATE / "starting").rename(STATE / "started")


def misbehave(color, channel, name, stops):
    """Do what the colour says; returns True if the prompt has ended."""
    if color == DIES:
        os._exit(7)
    if color == CRASHES:
        os.kill(os.getpid(), 11)
    if color == BABBLES:
        channel._socket.sendall(b"\xff\xff\xff\xffnonsense")
    if color == STARTS_OTHERS:
        start_others()
    if color == LAST_WORDS:
        sys.stdout.buffer.write(("ß" * 20_000 + "\nand these are the last words\n").encode())
        sys.stdout.flush()
        os.kill(os.getpid(), 11)
    if color in {BABBLES, HANGS, STARTS_OTHERS}:
        time.sleep(600)
    if color == FULL and not (STATE / "room").exists():
        failed = (PLACE, "EmptyImage", "No space left on device", "OSError", (), {}, ())
        channel.send(Failed(name, *failed, time.time(), "/full/folder"))
        return True
    if color == LOOKS:
        while name not in stops:
            time.sleep(0.01)
        channel.send(InterruptAcknowledged(name))
        time.sleep(0.6)
        channel.send(Interrupted(name, PLACE, "EmptyImage", (), time.time()))
    return color == LOOKS


def run(job, channel, stops):
    name, now = job.prompt_id, time.time()
    color = json.loads(job.prompt)["1"]["inputs"]["color"]
    with (STATE / "seen").open("a") as seen:
        seen.write(f"{name}\n")
    signatures = {each: f"{each} {color}".encode() for each in ("1", "2")}
    for event in (
        Started(name, now),
        Signatures(name, signatures),
        Cached(name, (), now),
        Running(name, PLACE),
    ):
        channel.send(event)
    if not misbehave(color, channel, name, stops):
        channel.send(NodeOutput(name, PLACE, {"text": ["done"]}))
        channel.send(Finished(name, PLACE, 0.5, 1 << 20))
        channel.send(CacheChanged(tuple(signatures.values()), ()))
        channel.send(Succeeded(name, time.time()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--settings")
    flags = parser.parse_args()
    if (STATE / "broken").exists():
        sys.exit("this worker cannot load")
    channel = connect(flags.channel, flags.parent, Command)
    jobs, stops = queue.SimpleQueue(), set()
    threading.Thread(target=read, args=(channel, jobs, stops), daemon=True).start()
    sys.stdout.write("fake worker is here\n")
    channel.send(Ready("fake", "0", (Device("cpu", "cpu", None, 2, 1),)))
    while True:
        job = jobs.get()
        if isinstance(job, Free):
            channel.send(CacheChanged((), (b"1 0", b"2 0")))
            channel.send(Freed(5, (Device("cpu", "cpu", None, 2, 2),)))
        else:
            run(job, channel, stops)


if __name__ == "__main__":
    main()
