"""The helper that reads video and sound, as the worker uses it: started when needed, kept a while.

A file that crashes the helper, makes it grow or never ends costs one sentence.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from engine.decoding.containers import Source, check_room
from engine.decoding.messages import (
    Content,
    DecodingAnswer,
    DecodingCommand,
    Done,
    Failed,
    FileSource,
    Texts,
    VideoDescribed,
    Working,
    Written,
)
from engine.errors import MediaError, WireError
from engine.machine import available_memory
from engine.wire.channel import start_joined
from engine.wire.content import ContentChannel

_ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 60.0
"""For a single frame, or whatever comes next."""
LEAST_MEMORY, MOST_MEMORY = 1 << 30, 4 << 30
"""Of a helper: half of what is free, within these bounds."""
_EXIT_SECONDS = 1.0
"""Until a process that closed its channel has ended."""
_USED_AGAIN = 30.0
"""Seconds for which an idle helper is used again; it ends by itself later."""
_LARGE = 64 << 20
"""Bytes of an array for which the room is looked at."""
_KINDS = frozenset({"uint8", "uint16", "float32"})
_LAST = (Done, Failed, Texts, VideoDescribed)
A = TypeVar("A", bound=msgspec.Struct)

_idle: list[Helper] = []


class Helper:
    """One process that carries out one command at a time.

    Attributes:
        memory: bytes that it may use.
        patience: seconds to wait for its next word.
        used: when it was last used, by the monotonic clock.
        kill: ends it at once.
    """

    def __init__(self, *, memory: int | None = None, patience: float = PATIENCE_SECONDS) -> None:
        """Start it.

        Args:
            memory: bytes that it may use; None: half of what is free, within bounds.
            patience: seconds to wait for its next word.

        Raises:
            MediaError: the system cannot start a process now.
        """
        half = available_memory() // 2
        self.memory = memory or min(max(half, LEAST_MEMORY), MOST_MEMORY)
        paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        command = [sys.executable, "-m", "engine.decoding", "--memory", str(self.memory)]
        try:
            self._process, connection = start_joined(command, environment, output=2)
        except OSError as error:
            raise MediaError(
                f"the process that reads video and sound cannot be started: {error.strerror}"
            ) from error
        connection.settimeout(patience)
        self.patience = patience
        self._channel: ContentChannel[DecodingAnswer] = ContentChannel(connection, DecodingAnswer)
        self.used = time.monotonic()
        # At the end of this process, too.
        self.kill = weakref.finalize(self, _kill, self._process, self._channel)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def is_fresh(self) -> bool:
        """Whether it can take another command."""
        return time.monotonic() - self.used < _USED_AGAIN and self._process.poll() is None

    def send(self, command: DecodingCommand, content: memoryview | None) -> None:
        """Begin a command."""
        if content is None:
            self._channel.send(command)
        else:
            self._channel.send_content(command, content)

    def next(self) -> DecodingAnswer | None:
        """What it says next; None where it has ended, or says nothing for too long."""
        return self._channel.next()

    def receive(self, into: memoryview) -> None:
        """The bytes that follow its last message."""
        self._channel.receive_content(into)

    def ended(self) -> str | None:
        """How it ended, for a sentence; None where it still runs."""
        try:
            code = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        return f"({_signal_name(-code)})" if code < 0 else f"(exit code {code})"


def _kill(process: subprocess.Popen[bytes], channel: ContentChannel[DecodingAnswer]) -> None:
    process.kill()
    process.wait()
    channel.close()


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


class Exchange:
    """A command that was begun, and its answers.

    Attributes:
        is_over: whether the last one has come, so that the helper can take another command.
    """

    def __init__(self, helper: Helper, name: str) -> None:
        self._helper, self._name = helper, name
        self.is_over = False

    def next(self) -> DecodingAnswer:
        """The next answer.

        Raises:
            MediaError: there is none.
        """
        while True:
            answer = self._helper.next()
            if answer is None:
                raise WireError("the helper has ended, or says nothing")
            self.is_over = isinstance(answer, _LAST)
            if isinstance(answer, Failed):
                raise MediaError(answer.reason)
            if not isinstance(answer, Working):
                return answer

    def only(self, kind: type[A]) -> A:
        """The single answer.

        Raises:
            MediaError: as `next`.
        """
        answer = self.next()
        if not isinstance(answer, kind):
            raise WireError(f"a {type(answer).__name__} came where {kind.__name__} belongs")
        return answer

    def array(self, content: Content) -> np.ndarray[Any, Any]:
        """The array that follows a message.

        Raises:
            MediaError: it does not fit into memory.
        """
        if content.numbers not in _KINDS or min(content.shape, default=0) < 0:
            raise WireError(f"an array {content.shape} of {content.numbers} is none of ours")
        kind = np.dtype(content.numbers)
        size = kind.itemsize * int(np.prod(content.shape, dtype=object))
        if size > _LARGE:
            shape = " x ".join(map(str, content.shape))
            check_room(size, f"{self._name}: a part of {shape} numbers", "make the file smaller")
        made = np.empty(content.shape, kind)
        if made.size:
            self._helper.receive(made.data.cast("B"))
        return made

    def content(self, written: Written) -> bytearray:
        """The bytes that follow a message."""
        made = bytearray(written.size)
        self._helper.receive(memoryview(made))
        return made


@contextmanager
def asked(
    make: Callable[[FileSource], DecodingCommand],
    source: Source,
    name: str,
    *,
    helper: Helper | None = None,
) -> Generator[Exchange]:
    """A command for a file; within the block its answers are taken, to the last.

    Args:
        make: the command for that file.
        source: the file, or its content.
        name: for messages; empty: the file's.
        helper: which one does it; None: an idle one, or a new one.

    Raises:
        MediaError: the file cannot be read, or was too much for the helper.
    """
    name = name or (source.name if isinstance(source, Path) else "the video")
    content = source.getbuffer() if isinstance(source, BytesIO) else None
    path = str(source.absolute()) if isinstance(source, Path) else ""
    used = helper or _taken()
    exchange = Exchange(used, name)
    try:
        used.send(make(FileSource(path, len(content or b""), name)), content)
        yield exchange
    except WireError as error:
        raise MediaError(_fault(name, used)) from error
    finally:
        if exchange.is_over:
            _put_back(used)
        else:
            used.kill()


def _fault(name: str, helper: Helper) -> str:
    how = helper.ended()
    if how is None:
        return (
            f"{name}: nothing more of it could be read for {helper.patience:g} s, so it was "
            "given up; the file is damaged, or much too large. Convert it with another program"
        )
    return (
        f"{name}: the process that reads video and sound ended while it read it {how}; the file "
        "is damaged, or made to do harm. Convert it with another program, or use another file"
    )


def _taken() -> Helper:
    while _idle:
        found = _idle.pop()
        if found.is_fresh:
            return found
        found.kill()
    return Helper()


def _put_back(helper: Helper) -> None:
    helper.used = time.monotonic()
    if _idle:
        helper.kill()
    else:
        _idle.append(helper)
