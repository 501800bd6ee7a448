"""Opens files of video and sound, which may be hostile, with FFmpeg through PyAV; in the helper.

Only self-contained formats are read: a playlist names other files and addresses, and is refused.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import av
import av.container
from av.error import FFmpegError

from engine.errors import MediaError
from engine.machine import available_memory

Source = Path | BytesIO
"""A file, or its content."""
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,apng,asf,au,avi,caf,dts,eac3,flac,flv,gif,h264,hevc,ivf,m4v,matroska,"
    "webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,tta,w64,wav,"
    "webp_anim,wv,yuv4mpegpipe"
)
_OPTIONS: Mapping[str, str] = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}
_SHARE = 0.8
"""Of the memory that is free; the rest is for what follows."""
_OFTEN = 32 << 20
"""Bytes after which the room is looked at again."""
ACCURATE = 0x4 | 0x2000 | 0x4000 | 0x40000
"""Flags of libswscale: bicubic, all colours of each pixel, exact rounding. Its default rounds down,
which makes pictures darker by 0.5 % at each conversion of 8-bit video."""


@contextmanager
def opened(source: Source, name: str = "") -> Iterator[av.container.InputContainer]:
    """A file's container, closed at the end.

    Args:
        source: what to read.
        name: for messages; empty: the file's.

    Raises:
        MediaError: it cannot be read, or decoding it failed inside the block.
    """
    name = name or (source.name if isinstance(source, Path) else "the video")
    if isinstance(source, BytesIO):
        source.seek(0)
    try:
        with av.open(
            str(source) if isinstance(source, Path) else source,
            mode="r",
            options=dict(_OPTIONS),
            metadata_errors="replace",
        ) as container:
            yield container
    except FileNotFoundError as error:
        raise MediaError(f"{name}: there is no such file") from error
    except FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise MediaError(too_large(name)) from error
        raise MediaError(
            f"{name}: no video or sound that can be read ({error.strerror}); the file is damaged, "
            "or of a format that is not supported. Convert it to MP4, WebM or FLAC."
        ) from error


def too_large(name: str) -> str:
    """The sentence on a file that takes more memory to decode than the helper may use."""
    return (
        f"{name}: decoding it takes more memory than is given to a file; make it smaller or "
        "convert it first. If it is no large file, it is damaged"
    )


def texts_of(container: av.container.InputContainer) -> dict[str, str]:
    """The texts inside a file by keyword, in lower case as Matroska writes them in capitals."""
    streams = container.streams
    found: dict[str, str] = {}
    for each in (*(stream.metadata for stream in streams), container.metadata):
        found |= {key.lower(): value for key, value in each.items()}
    return found


def documents_of(texts: Mapping[str, str]) -> dict[str, Any]:
    """The texts of a file, those that hold JSON read."""
    return {key: _read(value) for key, value in texts.items()}


def as_texts(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    """Metadata as the texts of a file: what is no text as JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in (metadata or {}).items()
    }


def check_room(wanted: int, what: str, advice: str) -> None:
    """Refuse what does not fit into memory, before it is begun.

    Raises:
        MediaError: fewer than `wanted` bytes are free.
    """
    free = int(_SHARE * available_memory())
    if wanted > free:
        raise MediaError(
            f"{what} takes {wanted / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free; "
            f"{advice}"
        )


class Growth:
    """What grows piece by piece, and is refused as soon as the whole would not fit."""

    def __init__(self, what: str, advice: str) -> None:
        """Begin with nothing; for the words see `check_room`."""
        self._what, self._advice = what, advice
        self._later = self._unchecked = 0

    def add(self, now: int, later: int) -> None:
        """Say that so many bytes are added, and how many they need in the end beside themselves.

        Raises:
            MediaError: they do not fit, as `check_room`.
        """
        self._later += later
        self._unchecked += now + later
        if self._unchecked >= _OFTEN:
            check_room(now + self._later, self._what, self._advice)
            self._unchecked = 0


def _read(text: str) -> Any:
    if text[:1] not in "{[":
        return text
    try:
        return cast("Any", json.loads(text))
    except (ValueError, RecursionError):
        return text
