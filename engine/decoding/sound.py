"""Reads the sound of a file piece by piece; runs in the helper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np

from engine.decoding.containers import Source, opened
from engine.errors import MediaError

_LATEST = 600
"""Seconds by which sound may begin after the picture."""
_INEXACT = frozenset({"mp3", "ogg", "aac", "ac3", "eac3", "amr", "dts"})
"""Formats in which seeking misses the sample: they are decoded from the start."""
MOST_RATE = 1 << 22
"""Samples per second: 4 million is more than any sound card has."""
MOST_CHANNELS = 64
"""FFmpeg names no more of them apart."""


@dataclass(frozen=True, slots=True)
class SoundHead:
    """What a file says of its sound.

    Attributes:
        rate: samples per second.
        channels: how many.
        seconds: how long; 0 where it is not said.
        samples: how long, by the stream itself; 0 where it is not said.
    """

    rate: int
    channels: int
    seconds: float
    samples: int


@dataclass(frozen=True, slots=True)
class Pause:
    """So many samples are zero."""

    samples: int


Piece = np.ndarray[Any, np.dtype[np.float32]]


def sound_of(
    source: Source, *, start: float, duration: float | None, name: str
) -> Iterator[SoundHead | Pause | Piece | None]:
    """The first sound of a file: its head, then pieces [channels, samples]; nothing without sound.

    Args:
        source: the file.
        start: seconds from the beginning.
        duration: seconds; None: to the end.
        name: for messages.

    Yields:
        None for what was decoded and lies before `start`.

    Raises:
        MediaError: it cannot be read.
    """
    with opened(source, name) as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        head = _head(container, stream, name)
        yield head
        rate = head.rate
        # Times count from the picture, or from the sound where there is none.
        clock = container.streams.video[0] if container.streams.video else stream
        origin = float((clock.start_time or 0) * (clock.time_base or 0))
        if start > 0 and not _INEXACT & set(container.format.name.split(",")):
            container.seek(max(int((start - 0.5) * av.time_base), 0))
        first = round(start * rate)
        last = 1 << 62 if duration is None else round((start + duration) * rate)
        # Packed: PyAV's planar frames end the process beyond eight channels.
        resampler = av.AudioResampler(format="flt", layout=stream.layout, rate=rate)
        place = -1
        for frame in container.decode(stream):
            if place < 0:
                place = round((float(frame.time or 0.0) - origin) * rate)
                if first < place < min(first + _LATEST * rate, last):
                    # It begins after the picture.
                    yield Pause(place - first)
            for packed in resampler.resample(frame):
                samples = _planar(packed, head.channels, name)
                begin, end = max(first - place, 0), min(last - place, samples.shape[1])
                place += samples.shape[1]
                yield np.ascontiguousarray(samples[:, begin:end]) if begin < end else None
            if place >= last:
                break


def _planar(packed: av.AudioFrame, channels: int, name: str) -> Piece:
    found = packed.layout.nb_channels
    if found != channels:
        raise MediaError(
            f"{name or 'the file'}: its sound has {found} channels where it announced {channels}; "
            "the file is damaged, convert it anew"
        )
    return cast("Piece", packed.to_ndarray().reshape(-1, channels).T)


def _head(container: Any, stream: Any, name: str) -> SoundHead:
    what = name or "the file"
    if stream.codec_context is None:  # then it has no rate either
        raise MediaError(f"{what}: its sound is of a kind that cannot be decoded")
    rate, channels = int(stream.rate or 0), int(stream.channels or 0)
    if rate <= 0 or channels <= 0:
        raise MediaError(f"{what}: its sound has no rate or no channels")
    if rate > MOST_RATE or channels > MOST_CHANNELS:
        raise MediaError(
            f"{what}: its sound has {channels:,} channels of {rate:,} samples per second; at most "
            f"{MOST_CHANNELS} channels of {MOST_RATE:,} are read. The file is damaged, or must be "
            "converted first"
        )
    return SoundHead(
        rate,
        channels,
        max(float(container.duration or 0) / av.time_base, 0.0),
        max(round(float((stream.duration or 0) * (stream.time_base or 0)) * rate), 0),
    )
