"""What a worker reports to the server: every event, progress at most ten times a second per node.

The last step of a node is always reported, and every step of a prompt that requests all.

What a node showed is converted here to values that the channel can encode.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from engine.errors import WireError
from engine.wire.messages import (
    AnyEvent,
    Cached,
    Failed,
    Finished,
    Interrupted,
    NodeOutput,
    Preview,
    Progress,
    Signatures,
    Started,
)

SHORTEST = 0.1
"""Seconds between two reports of one node's progress."""


class Send(Protocol):
    """Sends a message; one with `more` may be delayed and sent with the one right after it."""

    def __call__(self, message: msgspec.Struct, *, more: bool = False) -> None:
        """Send it, now or with the next one."""
        ...


class Reporter:
    """Passes a run's events on. Created for each run.

    Attributes:
        begins_quickly: whether the run needs no time before its first node is called.
    """

    def __init__(
        self,
        send: Send,
        *,
        all_progress: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a reporter; with `all_progress`, no step is left out."""
        self._send = send
        self._all = all_progress
        self.begins_quickly = False
        self._delayed: dict[str, tuple[Preview | None, Progress]] = {}
        self._clock = clock
        self._last: dict[str, float] = {}
        self._preview: Preview | None = None

    def __call__(self, event: AnyEvent) -> None:
        """Pass an event on, unless it is progress that came too soon after other progress."""
        match event:
            case Preview():
                self._preview = event
            case Progress():
                self._progress(event)
            case Finished():
                self._release(event.node.id)
                self._send(event, more=True)  # another node or the run's end follows
            case Failed() | Interrupted():
                self._release(None if event.node is None else event.node.id)
                self._send(event)
            case NodeOutput():
                self._show(event)
            case Signatures() | Cached():
                self._send(event, more=True)
            case Started():
                self._send(event, more=self.begins_quickly)
            case _:
                self._send(event)

    def _progress(self, event: Progress) -> None:
        """The first and the last step always pass, each with its preview."""
        preview, self._preview = self._preview, None
        now, node = self._clock(), event.node.id
        last = self._last.get(node)
        soon = last is not None and now - last < SHORTEST
        if soon and event.step < event.steps and not self._all:
            # It may be the last step: reported when the node ends.
            self._delayed[node] = (preview, event)
            return
        self._delayed.pop(node, None)
        self._last[node] = now
        if preview is not None:
            self._send(preview)
        self._send(event)

    def _release(self, node: str | None) -> None:
        """Report the last step of a node that ends, or of all, if it came too soon."""
        for each in [node] if node in self._delayed else [*self._delayed] if node is None else []:
            preview, progress = self._delayed.pop(each)
            if preview is not None:
                self._send(preview)
            self._send(progress)
        if node is not None:
            self._last.pop(node, None)

    def _show(self, event: NodeOutput) -> None:
        try:
            self._send(event, more=True)  # its node's end, another node or the run's end follows
        except WireError:
            # Integers beyond 64 bits, NaN as a key and the like: encoded as JSON would.
            self._send(msgspec.structs.replace(event, shown=_plain(event.shown)), more=True)


def _plain(shown: Any) -> Any:
    def read_integer(number: str) -> int | str:
        value = int(number)
        return value if -(1 << 63) <= value < (1 << 64) else number

    return json.loads(json.dumps(shown, default=str, skipkeys=True), parse_int=read_integer)
