"""The log of the server and its workers: the last few hundred lines, and their subscribers."""

from __future__ import annotations

import asyncio
import codecs
import errno
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.http import HttpProcessingError

from engine.server.hub import Hub
from engine.server.messages import LogEntry, Logs

MOST_KEPT = 300
_CHUNK = 1 << 16
_MALFORMED = (HttpProcessingError, web.RequestPayloadError)
_LONGEST_ADDRESS = 100
_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_REFUSALS_EVERY = 60.0
"""Seconds between two lines about connections that were not accepted."""
_REFUSED = (
    "New connections are not accepted for now: the system gives this process no more open files. "
    "Close some pages or clients, or raise the limit (ulimit -n)\n"
)


class LogBook:
    """The last lines, and the subscribers to new ones."""

    def __init__(self, hub: Hub, show: Callable[[str], None]) -> None:
        """Make a log; `show` writes to the terminal without blocking."""
        self._hub = hub
        self._show = show
        self._lines: deque[LogEntry] = deque(maxlen=MOST_KEPT)
        self._subscribers: set[str] = set()

    @property
    def entries(self) -> tuple[LogEntry, ...]:
        """The last lines, oldest first."""
        return tuple(self._lines)

    def write(self, text: str) -> None:
        """Log a text: store it, show it in the terminal, and send it to the subscribers."""
        self._show(text)
        entry = LogEntry(datetime.now(UTC).isoformat(), text)
        self._lines.append(entry)
        self._subscribers = {each for each in self._subscribers if each in self._hub}
        for client in tuple(self._subscribers):
            self._hub.send(client, [Logs((entry,))])

    def subscribe(self, client_id: str, *, enabled: bool) -> None:
        """Subscribe a client to new lines, or unsubscribe it."""
        if enabled:
            self._subscribers.add(client_id)
        else:
            self._subscribers.discard(client_id)

    async def copy(self, stream: asyncio.StreamReader) -> None:
        """Log what a process prints, until it ends."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while chunk := await stream.read(_CHUNK):
            if text := decoder.decode(chunk):
                self.write(text)

    @contextmanager
    def capture_logging(self, level: int = logging.WARNING) -> Generator[None]:
        """Within this context, log what Python's `logging` emits. Called on the loop."""
        handler = _Handler(self.write)
        handler.setLevel(level)
        root = logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(min(before, level))
        logging.captureWarnings(capture=True)
        try:
            yield
        finally:
            logging.captureWarnings(capture=False)
            root.setLevel(before)
            root.removeHandler(handler)


class _Handler(logging.Handler):
    """Passes log records of any thread to a `LogBook`, which belongs to the loop's thread."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._refused_at = -math.inf

    def emit(self, record: logging.LogRecord) -> None:
        if _is_refused_connection(record):
            # The event loop reports every one that is pending, a hundred a second.
            if record.created - self._refused_at < _REFUSALS_EVERY:
                return
            self._refused_at = record.created
        try:
            text = self._text_of(record)
        except Exception:  # noqa: BLE001 - as logging does: a bad record ends nothing
            self.handleError(record)
            return
        if threading.get_ident() == self._loop_thread:
            self._write(text)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._write, text)

    def _text_of(self, record: logging.LogRecord) -> str:
        if _is_malformed(record):
            return _line_of(record)
        if _is_refused_connection(record):
            return _REFUSED
        return f"{self.format(record)}\n"


def _is_refused_connection(record: logging.LogRecord) -> bool:
    """Whether the event loop reports that it could not accept a connection."""
    error = record.exc_info[1] if record.exc_info else None
    return (
        record.name == "asyncio"
        and isinstance(error, OSError)
        and error.errno in _NO_DESCRIPTORS
        and "accept" in record.getMessage()
    )


def _is_malformed(record: logging.LogRecord) -> bool:
    """Whether the HTTP library reports a malformed request."""
    error = record.exc_info[1] if record.exc_info else None
    return record.name.startswith("aiohttp") and isinstance(error, _MALFORMED)


def _line_of(record: logging.LogRecord) -> str:
    """One line for a malformed request. The library's own text quotes headers, and so tokens."""
    error = record.exc_info[1] if record.exc_info else None
    address = str(record.args[0]) if isinstance(record.args, tuple) and record.args else "somebody"
    plain = "".join(each if each.isprintable() else "?" for each in address)[:_LONGEST_ADDRESS]
    return f"{plain} sent a request that is no HTTP ({type(error).__name__})\n"
