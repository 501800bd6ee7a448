"""`python -m engine.worker`: the process that the server starts. Takes commands, reports events.

The main thread computes. One small thread reads commands and sets flags, and ends the process when
the server is gone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from engine.errors import CalotypeError, WireError
from engine.settings import Settings, settings_from_json
from engine.wire.channel import Channel, connect
from engine.wire.messages import Command, Free, Interrupt, InterruptAcknowledged, Run

if TYPE_CHECKING:
    from engine.worker.service import Service

OUT_OF_MEMORY_SCORE = "800"
"""When the machine runs out of memory, Linux ends a worker, and not the server or the desktop."""


class Inbox:
    """What the reading thread passes to the computing one.

    Attributes:
        jobs: runs and releases of memory, in the order they came.
    """

    def __init__(self, channel: Channel[Command]) -> None:
        self.jobs: SimpleQueue[Run | Free] = SimpleQueue()
        self._channel = channel
        self._stopped: set[str] = set()
        self._acknowledged: set[str] = set()

    def read(self) -> None:
        """Read until the server is gone, then end this process."""
        with suppress(WireError):
            for message in self._channel.receive():
                if isinstance(message, Interrupt):
                    self._stopped.add(message.prompt_id)
                else:
                    self.jobs.put(message)
        os._exit(0)

    def stopped(self, prompt_id: str) -> bool:
        """Whether the user pressed stop; acknowledges it the first time."""
        if prompt_id not in self._stopped:
            return False
        if prompt_id not in self._acknowledged:
            self._acknowledged.add(prompt_id)
            self._channel.send(InterruptAcknowledged(prompt_id))
        return True

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
    threading.Thread(target=inbox.read, name="calotype-commands", daemon=True).start()
    settings = settings_from_json(flags.settings)
    try:
        service = _load(settings, channel)
    except CalotypeError as error:
        sys.stderr.write(f"Calotype: the worker cannot start: {error}\n")
        return 1
    while True:
        job = inbox.jobs.get()
        if isinstance(job, Free):
            service.free(job)
        else:
            service.run(job, lambda job=job: inbox.stopped(job.prompt_id))
            inbox.discard(job.prompt_id)


def _load(settings: Settings, channel: Channel[Command]) -> Service:
    """Load nodes and torch. Imported here, so that commands are read meanwhile."""
    from engine.worker.service import Service  # noqa: PLC0415 - see above

    service = Service(settings, channel.send)
    service.ready()
    return service


if __name__ == "__main__":
    sys.exit(main())
