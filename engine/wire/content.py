"""A channel on which bytes may follow a message: large arrays, without a copy into the message."""

from __future__ import annotations

import select
from typing import TypeVar

import msgspec

from engine.errors import WireError
from engine.wire.channel import Channel

M = TypeVar("M")


class ContentChannel(Channel[M]):
    """A channel between two processes; the receiver of a message knows how many bytes follow it."""

    def send_content(self, message: msgspec.Struct, content: memoryview) -> None:
        """Send a message, and bytes that follow it; waits while the other side is busy.

        Raises:
            WireError: as `send`.
        """
        self.send(message, more=True)
        try:
            with self._lock:
                self._socket.sendall(self._pending)
                self._pending.clear()
                self._socket.sendall(content)
        except OSError as error:
            raise WireError(f"the other process is gone: {error.strerror}") from error

    def receive_content(self, into: memoryview) -> None:
        """The bytes that follow the message that was received last, as many as `into` holds.

        Raises:
            WireError: the other side has closed, or sends nothing for too long.
        """
        there = min(len(into), len(self._arrived))
        into[:there] = self._arrived[:there]
        del self._arrived[:there]
        try:
            while there < len(into):
                count = self._socket.recv_into(into[there:])
                if not count:
                    raise WireError(
                        f"the other process ended after {there:,} of {len(into):,} bytes"
                    )
                there += count
        except OSError as error:
            raise WireError(f"the other process is gone: {error.strerror}") from error

    def wait(self, seconds: float) -> bool:
        """Whether something arrives, or the other side closes, within so many seconds."""
        return bool(self._arrived or select.select([self._socket], (), (), seconds)[0])
