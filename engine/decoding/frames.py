"""Reads the frames of a video one by one, upright and at an even rate; runs in the helper."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.reformatter import Colorspace

from engine.decoding.containers import ACCURATE, Source, opened
from engine.errors import MediaError

_HD_LINES = 720
"""Files that do not name their colours: from here on BT.709, below BT.601."""
_UNSPECIFIED = 2
_LONGEST_STILL = 60
"""Seconds for which one frame is repeated at most, as the times in a file may be wrong."""
MOST_RATE = 1000
"""Frames per second; files of more have a wrong number there."""
_MOST_THREADS = 8
"""Each holds frames of its own."""

Pixels = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class VideoHead:
    """What the head of a video file says.

    Attributes:
        width, height: in pixels, upright.
        rate: frames per second.
        seconds: its duration; 0 where it is not said.
        frames: how many; 0 where it is not said.
        is_deep: whether it has more than 8 bits.
        has_alpha: whether it has transparency.
        format: FFmpeg's names of the format, joined by commas.
    """

    width: int
    height: int
    rate: Fraction
    seconds: float
    frames: int
    is_deep: bool
    has_alpha: bool
    format: str


def head_of(source: Source, name: str) -> VideoHead:
    """The head of a file; decodes one frame. Raises `MediaError` if there is no video in it."""
    with opened(source, name) as container:
        stream = video_stream(container, name)
        size = _size(stream)
        seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
        first = next(_decoded(container, stream, 0.0), None)
        if first is None:
            raise MediaError(f"{name or 'the video'}: there is no frame in it")
        shape = _shape(size, first)
        turned = first.rotation % 180 != 0
        size = (shape.height, shape.width) if turned else (shape.width, shape.height)
        return VideoHead(
            *size,
            rate=_rate(stream, name),
            seconds=max(seconds or float(container.duration or 0) / av.time_base, 0.0),
            frames=max(stream.frames, 0),
            is_deep=_is_deep(first.format),
            has_alpha=_has_alpha(first.format),
            format=container.format.name,
        )


def frames_of(
    source: Source, *, start: float, duration: float, name: str
) -> Iterator[Pixels | int | None]:
    """The frames [H, W, 3 or 4] of a file or of a part of it, uint8, or uint16 with more bits.

    They come at the file's rate: where frames last differently, some come twice or never.

    Args:
        source: the file.
        start: seconds that are left out at the beginning.
        duration: seconds that are read; 0: to the end.
        name: for messages.

    Yields:
        a frame; a number: the last frame comes so many times; None: one is left out.

    Raises:
        MediaError: there is no video in it, or it is damaged.
    """
    with opened(source, name) as container:
        stream = video_stream(container, name)
        rate = _rate(stream, name)
        origin = float((stream.start_time or 0) * stream.time_base)
        first: float | None = None
        size, shape = _size(stream), None
        number = 0
        for frame in _decoded(container, stream, start):
            moment = float(frame.time or 0.0) - origin
            if start and moment < start - 0.5 / rate:
                yield None
                continue
            if duration and moment - start >= duration - 1e-6:
                break
            place = number if frame.pts is None or first is None else round((moment - first) * rate)
            if number and place > number:
                repeated = min(place - number, int(_LONGEST_STILL * rate))
                yield repeated
                number += repeated
            first = moment if first is None else first
            # One that comes too early is seen only where the next one comes late.
            shape = shape or _shape(size, frame)
            yield _pixels(frame, shape)
            if place >= number:
                yield 1
                number += 1


@dataclass(frozen=True, slots=True)
class _Shape:
    """Size, before it is turned, and pixel format of all frames of a film.

    Frames may change on the way, as in recordings of calls; they are scaled to the first.
    """

    width: int
    height: int
    form: str


def _size(stream: Any) -> tuple[int, int]:
    """Width and height by the head of the file; zeros where it does not say them."""
    return int(stream.codec_context.width or 0), int(stream.codec_context.height or 0)


def _shape(size: tuple[int, int], first: Any) -> _Shape:
    """That of the first frame, which need not have the size of the head."""
    return _Shape(size[0] or first.width, size[1] or first.height, _form(first.format))


def _form(pixel_format: Any) -> str:
    deep, alpha = _is_deep(pixel_format), _has_alpha(pixel_format)
    return ("rgba64le" if deep else "rgba") if alpha else "rgb48le" if deep else "rgb24"


def video_stream(container: Any, name: str) -> Any:
    """The first video of a file. Raises `MediaError` without one."""
    what = name or "the file"
    if not container.streams.video:
        raise MediaError(f"{what}: there is sound in it and no video; load it with Load Audio")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise MediaError(
            f"{what}: its video is of a kind that cannot be decoded; convert it to MP4 or WebM"
        )
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = min(os.cpu_count() or 1, _MOST_THREADS)
    return stream


def alpha_mode(stream: Any) -> str | None:
    """What a WebM file says of its transparency: `1` where it has any."""
    return stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE"))


def _rate(stream: Any, name: str) -> Fraction:
    found = [Fraction(each) for each in (stream.average_rate, stream.guessed_rate, stream.base_rate)
             if each]  # fmt: skip
    usual = [each for each in found if 0 < each <= MOST_RATE]
    if found and not usual:
        raise MediaError(
            f"{name or 'the video'}: it announces {float(found[0]):,.0f} frames per second; at "
            f"most {MOST_RATE:,} are read. The file is damaged, or must be converted first"
        )
    return usual[0] if usual else Fraction(1)


def _decoded(container: Any, stream: Any, start: float) -> Iterator[Any]:
    """The frames of a stream from the key frame before `start` on."""
    if start > 0:
        container.seek(max(int(start * av.time_base), 0))
    name: str = stream.codec_context.name
    if alpha_mode(stream) != "1" or name not in ("vp8", "vp9"):
        yield from container.decode(stream)
        return
    # FFmpeg's own decoders of VP8 and VP9 leave transparency out.
    decoder = cast("Any", av.CodecContext.create("libvpx" if name == "vp8" else "libvpx-vp9", "r"))
    for packet in container.demux(stream):
        for frame in decoder.decode(packet if packet.size else None):
            frame.time_base = frame.time_base or stream.time_base
            yield frame


def _is_deep(pixel_format: Any) -> bool:
    return any(each.bits > 8 for each in pixel_format.components)


def _has_alpha(pixel_format: Any) -> bool:
    return len(pixel_format.components) in (2, 4)


def _pixels(frame: Any, shape: _Shape) -> Pixels:
    """A frame [H, W, 3 or 4], upright: uint8, or uint16 if the film has more than 8 bits."""
    space = None
    if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
        space = Colorspace.ITU709 if frame.height >= _HD_LINES else Colorspace.ITU601
    made = frame.reformat(
        width=shape.width,
        height=shape.height,
        format=shape.form,
        src_colorspace=space,
        interpolation=ACCURATE,
    )
    return np.ascontiguousarray(np.rot90(made.to_ndarray(), frame.rotation // 90 % 4))
