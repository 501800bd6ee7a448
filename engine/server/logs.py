"""What the processes print, kept for the log panel: a few hundred lines, and who listens.

Knows the hub; not what lines mean.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from datetime import UTC, datetime

from engine.server.hub import Hub
from engine.server.messages import LogEntry, Logs

MOST_KEPT = 300
_CHUNK = 1 << 16


class LogBook:
    """The last lines, and the clients that want new ones."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lines: deque[LogEntry] = deque(maxlen=MOST_KEPT)
        self._listeners: set[str] = set()

    @property
    def entries(self) -> tuple[LogEntry, ...]:
        """The last lines, oldest first."""
        return tuple(self._lines)

    def write(self, text: str) -> None:
        """Keep a text, show it in the terminal, and tell those who listen."""
        sys.stderr.write(text)
        entry = LogEntry(datetime.now(UTC).isoformat(), text)
        self._lines.append(entry)
        self._listeners = {each for each in self._listeners if each in self._hub}
        for client in tuple(self._listeners):
            self._hub.send(client, [Logs((entry,))])

    def listen(self, client_id: str, *, enabled: bool) -> None:
        """Let a client hear new lines, or no longer."""
        if enabled:
            self._listeners.add(client_id)
        else:
            self._listeners.discard(client_id)

    async def copy(self, stream: asyncio.StreamReader) -> None:
        """Write what a process prints, until it ends."""
        while chunk := await stream.read(_CHUNK):
            self.write(chunk.decode("utf-8", "replace"))
