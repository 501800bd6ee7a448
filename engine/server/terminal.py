"""Writes to the terminal from a separate thread, so that a slow reader blocks nothing.

A terminal may stop reading (Ctrl+S, a full pipe) or be gone. Then texts are dropped and counted.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque

MOST_PENDING = 256 << 10
"""Bytes that are buffered for a terminal that does not read."""


class Terminal:
    """One stream of this process, as standard error is."""

    def __init__(self, descriptor: int) -> None:
        """Write to this file descriptor; it stays open."""
        self._descriptor = descriptor
        self._pending: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_gone = False

    def write(self, text: str) -> None:
        """Queue a text for writing. Never blocks, whatever the terminal does."""
        content = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._is_gone or not content:
                return
            if self._bytes + len(content) > MOST_PENDING:
                self._dropped += 1
                return
            self._pending.append(content)
            self._bytes += len(content)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until everything is written, at most this many seconds."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._bytes and not self._is_gone and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._pending:
                    self._changed.wait()
                content = self._pending.popleft()
            try:
                self._write(content)
            except OSError:  # the terminal is gone; the log panel still shows everything
                with self._changed:
                    self._is_gone = True
                    self._pending.clear()
                    self._changed.notify_all()
                return
            with self._changed:
                self._bytes -= len(content)
                if self._dropped and self._bytes + 100 < MOST_PENDING:
                    note = f"({self._dropped} messages were left out: nobody read them)\n".encode()
                    self._pending.append(note)
                    self._bytes += len(note)
                    self._dropped = 0
                self._changed.notify_all()

    def _write(self, content: bytes) -> None:
        while content:
            try:
                content = content[os.write(self._descriptor, content) :]
            except BlockingIOError:  # another process has made the stream non-blocking
                select.select((), (self._descriptor,), ())
