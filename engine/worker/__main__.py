"""`python -m engine.worker`: the process that the server starts. Takes commands, reports events.

The main thread reads commands and computes. One small thread ends the process when the server is
gone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import CalotypeError, WireError
from engine.settings import Settings, settings_from_json
from engine.wire.channel import Channel, connect
from engine.wire.messages import Command, Free, Interrupt, InterruptAcknowledged, Run

if TYPE_CHECKING:
    from engine.worker.service import Service

OUT_OF_MEMORY_SCORE = "800"
"""When the machine runs out of memory, Linux ends a worker, and not the server or the desktop."""
_LOOK_SECONDS = 0.002
"""Between two looks for commands while a prompt runs."""


class Inbox:
    """The commands of the server.

    They are read by the computing thread itself: while it is idle, and while a prompt runs each
    time its nodes look for a stop.
    """

    def __init__(self, channel: Channel[Command]) -> None:
        self._channel = channel
        self._jobs: deque[Run | Free] = deque()
        self._stopped: set[str] = set()
        self._acknowledged: set[str] = set()
        self._reading = threading.Lock()
        self._next_look = 0.0

    def next(self) -> Run | Free | None:
        """The next run or release of memory, in the order they came; None at the server's end."""
        with self._reading, suppress(WireError):
            while not self._jobs:
                message = self._channel.next()
                if message is None:
                    return None
                self._sort(message)
            self._next_look = 0.0
            return self._jobs.popleft()
        return None

    def stopped(self, prompt_id: str) -> bool:
        """Whether the user pressed stop; acknowledges it the first time."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._look()
        if prompt_id not in self._stopped:
            return False
        if prompt_id not in self._acknowledged:
            self._acknowledged.add(prompt_id)
            self._channel.send(InterruptAcknowledged(prompt_id))
        return True

    def _look(self) -> None:
        """Read what has arrived, unless another thread of a node does so now."""
        if not self._reading.acquire(blocking=False):
            return
        try:
            while (message := self._channel.poll()) is not None:
                self._sort(message)
        except WireError:
            os._exit(0)  # as when nothing runs: what the server sends cannot be understood
        finally:
            self._reading.release()

    def _sort(self, message: Command) -> None:
        if isinstance(message, Interrupt):
            self._stopped.add(message.prompt_id)
        else:
            self._jobs.append(message)

    def discard(self, prompt_id: str) -> None:
        """A prompt has ended: drop its stop."""
        self._stopped.discard(prompt_id)
        self._acknowledged.discard(prompt_id)


def main() -> int:
    """Serve until the server is gone."""
    parser = argparse.ArgumentParser(prog="python -m engine.worker")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--settings", required=True)
    flags = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel: Channel[Command] = connect(flags.channel, flags.parent, Command)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OUT_OF_MEMORY_SCORE, encoding="ascii")
    inbox = Inbox(channel)
    ending = threading.Thread(target=_end_with_server, args=(channel,), daemon=True)
    ending.start()
    settings = settings_from_json(flags.settings)
    try:
        service = _load(settings, channel)
    except CalotypeError as error:
        sys.stderr.write(f"Calotype: the worker cannot start: {error}\n")
        return 1
    while (job := inbox.next()) is not None:
        if isinstance(job, Free):
            service.free(job)
        else:
            service.run(job, lambda job=job: inbox.stopped(job.prompt_id))
            inbox.discard(job.prompt_id)
    os._exit(0)  # whatever threads nodes have left


def _end_with_server(channel: Channel[Command]) -> None:
    """End this process, whatever it computes, when the server is gone."""
    channel.wait_for_end()
    os._exit(0)


def _load(settings: Settings, channel: Channel[Command]) -> Service:
    """Load nodes and torch. Imported here: it takes seconds, and the server may end meanwhile."""
    from engine.worker.service import Service  # noqa: PLC0415 - see above

    service = Service(settings, channel.send)
    service.ready()
    return service


if __name__ == "__main__":
    sys.exit(main())
