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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import CalotypeError, WireError
from engine.packs.plan import Plan, plan_from_json
from engine.settings import Settings, settings_from_json
from engine.wire.channel import Channel, connect
from engine.wire.messages import (
    Command,
    Free,
    Interrupt,
    InterruptAcknowledged,
    Run,
    Withdraw,
    Withdrawn,
)
from engine.wire.pack_messages import ReloadCatalog, ServerAnswer

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

    Attributes:
        on_answer: gets the answers to what plugins ask the server, in the thread that read them.
    """

    def __init__(self, channel: Channel[Command]) -> None:
        self._channel = channel
        self.on_answer: Callable[[ServerAnswer], None] = lambda _: None
        self._runs: deque[Run] = deque()
        self._between: deque[Free | ReloadCatalog] = deque()
        self._is_held = False
        self._stopped: set[str] = set()
        self._acknowledged: set[str] = set()
        self._reading = threading.Lock()
        self._next_look = 0.0

    def next(self) -> Run | Free | ReloadCatalog | None:
        """The next run, or what is to be done before it; None at the server's end.

        All that has arrived is read first: a run may have been withdrawn.
        """
        with self._reading, suppress(WireError):
            while (message := self._channel.poll()) is not None:
                self._sort(message)
            while not self._between and (self._is_held or not self._runs):
                message = self._channel.next()
                if message is None:
                    return None
                self._sort(message)
            self._next_look = 0.0
            return self._between.popleft() if self._between else self._runs.popleft()
        return None

    def stopped(self, prompt_id: str) -> bool:
        """Whether the user pressed stop; acknowledges it the first time."""
        now = time.monotonic()
        if now >= self._next_look:
            if self._next_look:  # not at the beginning of a run: its first node follows
                self._channel.flush()
            self._next_look = now + _LOOK_SECONDS
            self.look()
        if prompt_id not in self._stopped:
            return False
        if prompt_id not in self._acknowledged:
            self._acknowledged.add(prompt_id)
            self._channel.send(InterruptAcknowledged(prompt_id))
        return True

    def look(self) -> None:
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
        elif isinstance(message, Withdraw):
            self._withdraw(frozenset(message.prompt_ids))
        elif isinstance(message, ServerAnswer):
            self.on_answer(message)
        elif isinstance(message, Run):
            self._runs.append(message)
        else:
            self._between.append(message)

    def hold(self) -> None:
        """Begin no run until the server has said which of them it withdraws."""
        self._is_held = True

    def _withdraw(self, unwanted: frozenset[str]) -> None:
        """Drop runs that have not begun, and report which."""
        self._is_held = False
        found = tuple(each.prompt_id for each in self._runs if each.prompt_id in unwanted)
        self._runs = deque(each for each in self._runs if each.prompt_id not in unwanted)
        self._channel.send(Withdrawn(found))

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
    parser.add_argument("--plan", default="{}")
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
        service = _load(settings, plan_from_json(flags.plan), channel, inbox)
    except CalotypeError as error:
        sys.stderr.write(f"Calotype: the worker cannot start: {error}\n")
        return 1
    while (job := inbox.next()) is not None:
        if isinstance(job, Free):
            service.free(job)
        elif isinstance(job, ReloadCatalog):
            service.describe_packs()
        else:
            if service.run(job, lambda job=job: inbox.stopped(job.prompt_id)):
                inbox.hold()
            inbox.discard(job.prompt_id)
    os._exit(0)  # whatever threads nodes have left


def _end_with_server(channel: Channel[Command]) -> None:
    """End this process, whatever it computes, when the server is gone."""
    channel.wait_for_end()
    os._exit(0)


def _load(settings: Settings, plan: Plan, channel: Channel[Command], inbox: Inbox) -> Service:
    """Load nodes and torch. Imported here: it takes seconds, and the server may end meanwhile."""
    from engine.worker.service import Service  # noqa: PLC0415 - see above

    service = Service(settings, channel.send, plan, inbox.look)
    inbox.on_answer = service.answered
    service.ready()
    return service


if __name__ == "__main__":
    sys.exit(main())
