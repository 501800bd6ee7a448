"""A worker of a few lines that speaks the protocol and loads no torch.

The colour of a prompt's picture tells it what to do. It writes the ids it receives to a file.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
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
    Run,
    Running,
    Signatures,
    Started,
    Succeeded,
    Withdraw,
    Withdrawn,
)

PLACE = NodeRef("1", "1", None, "1")
DIES, CRASHES, BABBLES, HANGS, LOOKS, STARTS_OTHERS, FULL, LAST_WORDS, WAITS = range(1, 10)
STATE = Path(os.environ["STATE"])


def note(file, *names):
    with (STATE / file).open("a") as noted:
        noted.writelines(f"{name}\n" for name in names)


def seen():
    return (STATE / "seen").read_text().split()


def wait_for_withdrawal(arrived, stops):
    with arrived:
        arrived.wait_for(lambda: "a disk was full" in stops)
        stops.remove("a disk was full")


def is_one_of(message, prompt_ids):
    return isinstance(message, Run) and message.prompt_id in prompt_ids


def read(channel, jobs, arrived, stops):
    for message in channel.receive():
        with arrived:
            if isinstance(message, Interrupt):
                stops.add(message.prompt_id)
            elif isinstance(message, Withdraw):
                note("withdrawn", *message.prompt_ids)
                stops.add("a disk was full")
                if (STATE / "deaf").exists():  # as if the next one had just begun
                    first = message.prompt_ids[0]
                    arrived.wait_for(lambda first=first: first in seen())
                withdrawn = [each for each in jobs if is_one_of(each, message.prompt_ids)]
                for each in withdrawn:
                    jobs.remove(each)
                channel.send(Withdrawn(tuple(each.prompt_id for each in withdrawn)))
            else:
                jobs.append(message)
                note("got", getattr(message, "prompt_id", "-"))
            arrived.notify_all()
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
    while color == WAITS and not (STATE / "go").exists():
        time.sleep(0.01)
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


def run(job, channel, arrived, stops):
    name, now = job.prompt_id, time.time()
    color = json.loads(job.prompt)["1"]["inputs"]["color"]
    with arrived:
        note("seen", name)
        arrived.notify_all()
    signatures = {each: f"{each} {color}".encode() for each in ("1", "2")}
    for event in (
        Started(name, now),
        Signatures(name, signatures),
        Cached(name, (), now),
        Running(name, PLACE),
    ):
        channel.send(event)
    stops.discard("a disk was full")
    is_over = misbehave(color, channel, name, stops)
    if is_over and color == FULL:
        wait_for_withdrawal(arrived, stops)
    if not is_over:
        channel.send(NodeOutput(name, PLACE, {"text": ["done"]}))
        channel.send(Finished(name, PLACE, 0.5, 1 << 20))
        channel.send(CacheChanged(tuple(signatures.values()), ()))
        channel.send(Succeeded(name, time.time()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--settings")
    parser.add_argument("--plan")
    flags = parser.parse_args()
    if (STATE / "broken").exists():
        sys.exit("this worker cannot load")
    channel = connect(flags.channel, flags.parent, Command)
    jobs, arrived, stops = deque(), threading.Condition(), set()
    threading.Thread(target=read, args=(channel, jobs, arrived, stops), daemon=True).start()
    sys.stdout.write("fake worker is here\n")
    channel.send(Ready("fake", "0", (Device("cpu", "cpu", None, 2, 1),)))
    while True:
        with arrived:
            arrived.wait_for(lambda: jobs)
            job = jobs.popleft()
        if isinstance(job, Free):
            channel.send(CacheChanged((), (b"1 0", b"2 0")))
            channel.send(Freed(5, (Device("cpu", "cpu", None, 2, 2),)))
        else:
            run(job, channel, arrived, stops)


if __name__ == "__main__":
    main()
