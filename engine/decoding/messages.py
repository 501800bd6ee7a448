"""What the worker and the helper that reads video and sound tell each other.

Pixels and samples are not in the messages: their bytes follow on the same channel, after the
message that gives their size.
"""

from __future__ import annotations

import msgspec

from engine.wire.message import Message


class FileSource(msgspec.Struct, frozen=True):
    """What is read.

    Attributes:
        path: of a file; empty where the content itself follows the command.
        size: of the content that follows, in bytes.
        name: for messages.
    """

    path: str
    size: int
    name: str


class DescribeVideo(Message, frozen=True):
    """Answered by `VideoDescribed`."""

    source: FileSource


class ReadTexts(Message, frozen=True):
    """The texts inside a file. Answered by `Texts`."""

    source: FileSource


class ReadFrames(Message, frozen=True):
    """Answered by `Content` and `Shown` for each frame, then `Done`; times in seconds."""

    source: FileSource
    start: float
    duration: float


class ReadSound(Message, frozen=True):
    """Answered by `SoundDescribed`, by `Content` for each piece, then `Done`; times in seconds."""

    source: FileSource
    start: float
    duration: float | None


class ChooseCopy(Message, frozen=True):
    """In which format the streams can be written as they are. Answered by `Texts`, see `copied_as`.

    Attributes:
        container, codec: the wanted ones, or `auto`.
    """

    source: FileSource
    container: str
    codec: str


class CopyVideo(Message, frozen=True):
    """Write the streams as they are. Answered by `Written` for each piece, then `Done`.

    Attributes:
        path: of the new file; empty: its pieces are sent.
        container: its format.
        texts: are added to those of the file.
    """

    source: FileSource
    path: str
    container: str
    texts: dict[str, str]


DecodingCommand = DescribeVideo | ReadTexts | ReadFrames | ReadSound | ChooseCopy | CopyVideo


class VideoDescribed(Message, frozen=True):
    """The head of a video; see `frames.VideoHead`."""

    width: int
    height: int
    rate: tuple[int, int]
    seconds: float
    frames: int
    is_deep: bool
    has_alpha: bool
    format: str


class Texts(Message, frozen=True):
    """Texts by keyword."""

    found: dict[str, str]


class SoundDescribed(Message, frozen=True):
    """Sound that follows; a file without any is `Done` at once.

    Attributes:
        rate: samples per second.
        channels: how many.
        seconds: how long it is by the head of the file.
    """

    rate: int
    channels: int
    seconds: float


class Silence(Message, frozen=True):
    """So many samples are zero."""

    samples: int


class Content(Message, frozen=True):
    """An array, whose bytes follow.

    Attributes:
        shape: of it.
        numbers: numpy's name of their type.
    """

    shape: tuple[int, ...]
    numbers: str


class Shown(Message, frozen=True):
    """The last frame that was sent comes so many times."""

    times: int


class Written(Message, frozen=True):
    """Bytes of a file, which follow.

    Attributes:
        place: where they belong.
        size: how many.
    """

    place: int
    size: int


class Working(Message, frozen=True):
    """Something was decoded that is not wanted; there is progress."""


class Done(Message, frozen=True):
    """That was all.

    Attributes:
        length: samples of a sound by the head of the file; 0 where it is not said.
    """

    length: int = 0


class Failed(Message, frozen=True):
    """It cannot be read.

    Attributes:
        reason: a sentence.
    """

    reason: str


DecodingAnswer = (
    VideoDescribed
    | Texts
    | SoundDescribed
    | Silence
    | Content
    | Shown
    | Written
    | Working
    | Done
    | Failed
)
