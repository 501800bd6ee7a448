"""`python -m engine.decoding`: the helper that reads untrusted files of video and sound.

Imports no torch. Has little memory and, on Linux, no network: a file that crashes FFmpeg or makes
it grow ends the helper, not the worker.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import signal
import socket
import sys
import traceback
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from engine.decoding.containers import Source, opened, texts_of, too_large
from engine.decoding.copying import copied_as, copy_video
from engine.decoding.frames import frames_of, head_of
from engine.decoding.messages import (
    ChooseCopy,
    Content,
    CopyVideo,
    DecodingAnswer,
    DecodingCommand,
    DescribeVideo,
    Done,
    Failed,
    FileSource,
    ReadFrames,
    ReadSound,
    ReadTexts,
    Shown,
    Silence,
    SoundDescribed,
    Texts,
    VideoDescribed,
    Working,
    Written,
)
from engine.decoding.sound import Pause, SoundHead, sound_of
from engine.errors import MediaError, WireError
from engine.media.isolation import leave_network
from engine.wire.channel import end_with
from engine.wire.content import ContentChannel

IDLE_SECONDS = 60.0
"""After which a helper that nobody uses ends."""
MOST_AT_ONCE = 512 << 20
"""Bytes of one allocation of FFmpeg's: 178 million pixels, or half as many of 16 bits."""


def main() -> int:
    """Serve commands until the worker is gone, or nothing is asked for a while."""
    parser = argparse.ArgumentParser(prog="python -m engine.decoding")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True)
    flags = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(flags.memory)
    _limit_allocations()
    with suppress(OSError):
        # When the machine runs out of memory, Linux ends this process before the worker.
        Path("/proc/self/oom_score_adj").write_text("900", encoding="ascii")
    end_with(flags.parent)
    channel: ContentChannel[DecodingCommand] = ContentChannel(
        socket.socket(fileno=flags.channel), DecodingCommand
    )
    reason = leave_network()
    if reason is not None and sys.platform.startswith("linux"):
        logging.getLogger(__name__).warning("media is decoded with the network: %s", reason)
    try:
        while (command := _next(channel)) is not None:
            answer(channel, command)
    except WireError:
        return 1
    return 0


def _next(channel: ContentChannel[DecodingCommand]) -> DecodingCommand | None:
    """The next command; None when the worker is gone, or has had none for a while."""
    return channel.next() if channel.wait(IDLE_SECONDS) else None


def answer(channel: ContentChannel[DecodingCommand], command: DecodingCommand) -> None:
    """Carry out one command; whatever goes wrong with a file is an answer, too.

    Raises:
        WireError: the worker is gone.
    """
    name = command.source.name
    try:
        source = _source(channel, command.source)
        channel.send(_answered(channel, command, source, name))
    except MediaError as error:
        channel.send(Failed(str(error)))
    except MemoryError:
        channel.send(Failed(too_large(name)))
    except WireError:
        raise
    except Exception as error:  # noqa: BLE001 - of a damaged file anything may come; the log has it
        traceback.print_exc()
        channel.send(
            Failed(
                f"{name}: it cannot be read ({type(error).__name__}: {error}); the file is damaged "
                "or of an unusual kind. Convert it to MP4, WebM or FLAC"
            )
        )


def _answered(
    channel: ContentChannel[DecodingCommand], command: DecodingCommand, source: Source, name: str
) -> DecodingAnswer:
    """Send all answers but the last, which is returned."""
    match command:
        case DescribeVideo():
            head = head_of(source, name)
            return VideoDescribed(
                head.width,
                head.height,
                (head.rate.numerator, head.rate.denominator),
                head.seconds,
                head.frames,
                head.is_deep,
                head.has_alpha,
                head.format,
            )
        case ReadTexts():
            with opened(source, name) as container:
                return Texts(texts_of(container))
        case ReadFrames():
            _send_frames(channel, command, source)
        case ReadSound():
            return Done(_send_sound(channel, command, source))
        case ChooseCopy():
            with opened(source, name) as container:
                found = copied_as(container, command.container, command.codec)
            return Texts({} if found is None else {"container": found})
        case CopyVideo():
            target = Path(command.path) if command.path else _SentFile(channel)
            with opened(source, name) as container:
                copy_video(container, target, command.container, command.texts)
    return Done()


def _send_frames(
    channel: ContentChannel[DecodingCommand], command: ReadFrames, source: Source
) -> None:
    name, start, duration = command.source.name, command.start, command.duration
    for found in frames_of(source, start=start, duration=duration, name=name):
        if found is None:
            channel.send(Working())
        elif isinstance(found, int):
            channel.send(Shown(found))
        else:
            _send_array(channel, found)


def _send_sound(
    channel: ContentChannel[DecodingCommand], command: ReadSound, source: Source
) -> int:
    """Send sound; returns its length by the head of the file, in samples."""
    name, start, duration = command.source.name, command.start, command.duration
    length = 0
    for found in sound_of(source, start=start, duration=duration, name=name):
        if found is None:
            channel.send(Working())
        elif isinstance(found, SoundHead):
            length = found.samples
            channel.send(SoundDescribed(found.rate, found.channels, found.seconds))
        elif isinstance(found, Pause):
            channel.send(Silence(found.samples))
        else:
            _send_array(channel, found)
    return length


def _send_array(channel: ContentChannel[DecodingCommand], array: np.ndarray[Any, Any]) -> None:
    channel.send_content(Content(array.shape, array.dtype.name), array.data.cast("B"))


def _source(channel: ContentChannel[DecodingCommand], source: FileSource) -> Source:
    if source.path:
        return Path(source.path)
    content = bytearray(source.size)
    channel.receive_content(memoryview(content))
    return BytesIO(content)


class _SentFile:
    """A file of which every piece is sent when it is written."""

    def __init__(self, channel: ContentChannel[DecodingCommand]) -> None:
        self._channel = channel
        self._place = self._size = 0

    def write(self, content: bytes) -> int:
        """Send a piece; returns its length."""
        self._channel.send_content(Written(self._place, len(content)), memoryview(content))
        self._place += len(content)
        self._size = max(self._size, self._place)
        return len(content)

    def seek(self, place: int, whence: int = 0) -> int:
        """Where the next piece belongs."""
        self._place = place + (0, self._place, self._size)[whence]
        return self._place

    def tell(self) -> int:
        """Where the next piece belongs."""
        return self._place


def _limit_memory(most: int) -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    # The process of an isolated pack, which may start a helper, too, can have a lower limit.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_allocations() -> None:
    """Have FFmpeg refuse to make room for a length that only a damaged file can name.

    Some of its readers fill all of it with zeros before they read what is there. PyAV has no
    function for that; the library is the one that it has loaded, which Linux names.
    """
    with suppress(OSError, AttributeError):
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        path = next((line.split()[-1] for line in maps.splitlines() if "/libavutil" in line), None)
        if path is not None:
            ctypes.CDLL(path).av_max_alloc(ctypes.c_size_t(MOST_AT_ONCE))


if __name__ == "__main__":
    sys.exit(main())
