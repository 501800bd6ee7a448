"""Frames between two processes: four bytes of length, then msgpack. Never pickle.

Hides what differs between systems: how a child inherits its end, and how it ends with its parent.
Independent of the messages: the creator of a channel says which types may arrive.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

from engine.errors import WireError
from engine.json_text import replace_lone_surrogates

MOST_BYTES = 256 << 20
"""Of one frame. Larger ones are refused before anything is read."""
_LENGTH = 4
_TOGETHER = 64 << 10
"""Bytes of messages that are held back for the one that follows."""
_PIECE = 1 << 18
"""Bytes that are read at once."""
_PEEK_SECONDS = 0.5
"""Between two looks for the end, on systems that do not report it."""
_TURN = 64
"""After this number of frames that were ready, other tasks of the event loop get a turn."""
_PR_SET_PDEATHSIG = 1

M = TypeVar("M")


class Channel(Generic[M]):
    """One end, for threads: several may call `send` concurrently, one at a time may read."""

    def __init__(self, connection: socket.socket, incoming: Any) -> None:
        """Take over a socket; `incoming` is the union of message types that may arrive."""
        self._socket = connection
        self._arrived = bytearray()
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(incoming)
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_any_text)
        self._lock = threading.Lock()
        self._pending = bytearray()

    def send(self, message: msgspec.Struct, *, more: bool = False) -> None:
        """Send a message; waits while the other side is busy.

        Args:
            message: what to send.
            more: whether another message or a `flush` follows: it is then sent with that.

        Raises:
            WireError: it is too large, or the other side is gone.
        """
        self._send_frame(_frame(self._encoder, message), more)

    def flush(self) -> None:
        """Send what was held back for a message that has not come yet.

        Raises:
            WireError: the other side is gone.
        """
        if self._pending:
            self._send_frame(b"")

    def _send_frame(self, frame: bytes, more: bool = False) -> None:
        try:
            with self._lock:
                if more and len(self._pending) + len(frame) <= _TOGETHER:
                    self._pending += frame
                    return
                if self._pending:
                    frame = bytes(self._pending) + frame
                    self._pending.clear()
                self._socket.sendall(frame)
        except OSError as error:
            raise WireError(f"the other process is gone: {error.strerror}") from error

    def send_described(self, message: msgspec.Struct, descriptor: int | None) -> None:
        """Send a message, and a copy of a file descriptor with its first byte (not on Windows).

        Raises:
            WireError: as `send`.
        """
        if descriptor is None:
            self.send(message)
            return
        frame = memoryview(_frame(self._encoder, message))
        try:
            with self._lock:
                if self._pending:
                    self._socket.sendall(self._pending)
                    self._pending.clear()
                sent = socket.send_fds(self._socket, [frame], [descriptor])
                self._socket.sendall(frame[sent:])
        except OSError as error:
            raise WireError(f"the other process is gone: {error.strerror}") from error

    def receive(self) -> Iterator[M]:
        """Each message that arrives, until the other side closes.

        Raises:
            WireError: what arrives is no message of a known type, or is too large.
        """
        while (message := self.next()) is not None:
            yield message

    def next(self) -> M | None:
        """The next message, as soon as it arrives; None where the other side has closed.

        Raises:
            WireError: as `receive`.
        """
        while (body := _first_body(self._arrived)) is None:
            if not self._read():
                return None
        return _decode(self._decoder, body)

    def poll(self) -> M | None:
        """A message that has arrived wholly; None where there is none now.

        Raises:
            WireError: as `receive`.
        """
        body = _first_body(self._arrived)
        if body is None and select.select([self._socket], (), (), 0)[0] and self._read():
            body = _first_body(self._arrived)
        return None if body is None else _decode(self._decoder, body)

    def wait_for_end(self) -> None:
        """Wait until the other side has closed; what was not read yet may stay unread."""
        if hasattr(select, "poll"):
            hangup = select.poll()
            hangup.register(self._socket, 0)
            hangup.poll()
            return
        with suppress(OSError):
            while self._socket.recv(1, socket.MSG_PEEK):
                time.sleep(_PEEK_SECONDS)

    def _read(self) -> bool:
        """Wait for more; False where the other side has closed."""
        try:
            piece = self._socket.recv(_PIECE)
        except OSError:
            return False
        self._arrived += piece
        return bool(piece)

    def close(self) -> None:
        """Let the other side read the end."""
        self._socket.close()


class AsyncChannel(Generic[M]):
    """The same for an event loop."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, incoming: Any
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(incoming)
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_any_text)

    async def send(self, message: msgspec.Struct) -> None:
        """Send a message.

        Raises:
            WireError: it is too large, or the other side is gone.
        """
        frame = _frame(self._encoder, message)
        try:
            self._writer.write(frame)
            await self._writer.drain()
        except OSError as error:
            raise WireError(f"the other process is gone: {error.strerror}") from error

    def put(self, message: msgspec.Struct) -> None:
        """Send a message without waiting for the other side: it may be busy, or stopped.

        Where the other side is gone nothing is sent; the end of `receive` says so.

        Raises:
            WireError: it is too large, or cannot be sent.
        """
        frame = _frame(self._encoder, message)
        if not self._writer.is_closing():
            self._writer.write(frame)

    async def receive(self) -> AsyncIterator[M]:
        """Each message that arrives, until the other side closes.

        Raises:
            WireError: what arrives is no message of a known type, or is too large.
        """
        count = 0
        pending = bytearray()
        while piece := await self._read():
            pending += piece
            while (body := _first_body(pending)) is not None:
                yield _decode(self._decoder, body)
                count += 1
                if count % _TURN == 0:
                    await asyncio.sleep(0)

    async def _read(self) -> bytes:
        """What has arrived; nothing where the other side has closed."""
        try:
            return await self._reader.read(_PIECE)
        except OSError:
            return b""

    def close(self) -> None:
        """Let the other side read the end."""
        with suppress(OSError):
            self._writer.close()


async def start_child(
    module: str,
    arguments: list[str],
    incoming: Any,
    *,
    environment: dict[str, str] | None = None,
    keep_open: tuple[int, ...] = (),
) -> tuple[asyncio.subprocess.Process, AsyncChannel[Any]]:
    """Start `python -m module` with one end of a channel; what it prints arrives at its `stdout`.

    Args:
        module: its `__main__` calls `connect`.
        arguments: for its command line.
        incoming: the union of message types that it sends.
        environment: variables to add.
        keep_open: file descriptors that it inherits, so that locks on them outlive us in it.

    Raises:
        OSError: the system cannot start a process now; nothing is left of the attempt.
    """
    ours, theirs = socket.socketpair()
    try:
        options = _inheriting(theirs, keep_open)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            "--channel",
            str(theirs.fileno()),
            "--parent",
            str(os.getpid()),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            **options,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    try:
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
    except BaseException:
        ours.close()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return process, AsyncChannel(reader, writer, incoming)


def connect(number: int, parent: int, incoming: Any) -> Channel[Any]:
    """In the child: its end of the channel. From now on it ends with its parent, if possible.

    Linux ends the process itself; elsewhere the end of the channel does, as soon as it is read.
    """
    end_with(parent)
    return Channel(socket.socket(fileno=number), incoming)


def end_with(parent: int) -> None:
    """Have the system end this process when the thread that started it ends, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def start_joined(
    command: list[str], environment: dict[str, str], *, output: int
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a process, in the group of this one, with one end of a socket.

    Args:
        command: its program and arguments; `--channel NUMBER --parent PID` are added.
        environment: all of its variables.
        output: a file descriptor for what it prints.

    Raises:
        OSError: the system cannot start a process now; nothing is left of the attempt.
    """
    ours, theirs = socket.socketpair()
    try:
        options = _inheriting(theirs, ())
        options.pop("start_new_session", None)  # what ends the group of this process ends it, too
        arguments: dict[str, Any] = {
            "args": [*command, "--channel", str(theirs.fileno()), "--parent", str(os.getpid())],
            "stdin": subprocess.DEVNULL,
            "stdout": output,
            "stderr": output,
            "env": environment,
            **options,
        }
        process = subprocess.Popen[bytes](**arguments)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def _inheriting(theirs: socket.socket, keep_open: tuple[int, ...]) -> dict[str, Any]:
    """Options of the process by which it inherits a socket."""
    if sys.platform != "win32":
        # A separate session: Ctrl+C reaches the server alone, which ends its children itself.
        return {"pass_fds": (theirs.fileno(), *keep_open), "start_new_session": True}
    theirs.set_inheritable(True)
    startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [theirs.fileno()]})
    return {"close_fds": True, "startupinfo": startup}


def _frame(encoder: msgspec.msgpack.Encoder, message: msgspec.Struct) -> bytes:
    try:
        body = _encoded(encoder, message)
    except (OverflowError, TypeError, ValueError, RecursionError) as error:
        raise WireError(f"a {type(message).__name__} cannot be sent: {error}") from error
    if len(body) > MOST_BYTES:
        raise WireError(
            f"a {type(message).__name__} of {len(body):,} bytes cannot be sent, "
            f"the limit is {MOST_BYTES:,}"
        )
    return len(body).to_bytes(_LENGTH) + body


def _encoded(encoder: msgspec.msgpack.Encoder, message: msgspec.Struct) -> bytes:
    try:
        return encoder.encode(message)
    except UnicodeEncodeError:
        # Half of a character, in a plugin's text or in the name of a file.
        plain = msgspec.to_builtins(message, builtin_types=(bytes,), enc_hook=_any_text)
        return encoder.encode(replace_lone_surrogates(plain))


def _any_text(value: Any) -> str:
    """The text of a value that cannot be sent; a plugin's own class may fail to give one."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - see above
        return type(value).__name__


def _first_body(pending: bytearray) -> bytes | None:
    """Take the first frame out of what has arrived; None where none is whole."""
    if len(pending) < _LENGTH:
        return None
    end = _LENGTH + _length(pending[:_LENGTH])
    if len(pending) < end:
        return None
    body = bytes(pending[_LENGTH:end])
    del pending[:end]
    return body


def _length(head: bytes | bytearray) -> int:
    length = int.from_bytes(head)
    if length > MOST_BYTES:
        raise WireError(f"a frame of {length:,} bytes was refused, the limit is {MOST_BYTES:,}")
    return length


def _decode(decoder: msgspec.msgpack.Decoder[M], body: bytes) -> M:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WireError(f"a frame was refused: {error}") from error
