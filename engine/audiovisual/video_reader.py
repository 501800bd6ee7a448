"""Reads the frames of a video file one by one, upright and at an even rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import torch
from av.video.reformatter import Colorspace
from torch import Tensor

from engine.audiovisual.containers import ACCURATE, Source, opened
from engine.errors import MediaError

_HD_LINES = 720
"""Files that do not name their colours: from here on BT.709, below BT.601."""
_UNSPECIFIED = 2
_LONGEST_STILL = 60
"""Seconds for which one frame is repeated at most, as the times in a file may be wrong."""


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


def read_head(source: Source, name: str = "") -> VideoHead:
    """The head of a file; decodes one frame. Raises `MediaError` if there is no video in it."""
    with opened(source, name) as container:
        stream = video_stream(container, name)
        seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
        first = next(_decoded(container, stream, 0.0), None)
        if first is None:
            raise MediaError(f"{name or 'the video'}: there is no frame in it")
        turned = first.rotation % 180 != 0
        size = (first.height, first.width) if turned else (first.width, first.height)
        return VideoHead(
            *size,
            rate=_rate(stream),
            seconds=seconds or float(container.duration or 0) / av.time_base,
            frames=stream.frames,
            is_deep=_is_deep(first.format),
            has_alpha=_has_alpha(first.format),
            format=container.format.name,
        )


def read_frames(
    source: Source, *, start: float = 0.0, duration: float = 0.0, name: str = ""
) -> Iterator[Tensor]:
    """The frames [H, W, 3 or 4] of a file or of a part of it, uint8, or int32 with 16 bits.

    They come at the file's rate: where frames last differently, some come twice or never.

    Args:
        source: the file.
        start: seconds that are left out at the beginning.
        duration: seconds that are read; 0: to the end.
        name: for messages.

    Raises:
        MediaError: there is no video in it, or it is damaged.
    """
    with opened(source, name) as container:
        stream = video_stream(container, name)
        rate = _rate(stream)
        origin = float((stream.start_time or 0) * stream.time_base)
        first: float | None = None
        before: Tensor | None = None
        number = 0
        for frame in _decoded(container, stream, start):
            moment = float(frame.time or 0.0) - origin
            if start and moment < start - 0.5 / rate:
                continue
            first = moment if first is None else first
            if duration and moment - start >= duration - 1e-6:
                break
            place = number if frame.pts is None else round((moment - first) * rate)
            for _ in range(min(place - number, int(_LONGEST_STILL * rate))):
                if before is not None:
                    yield before
                    number += 1
            before = _pixels(frame)
            if place >= number:
                yield before
                number += 1


def as_float(frame: Tensor) -> Tensor:
    """A frame as float32, 0 to 1."""
    return frame.float().div_(255.0 if frame.dtype == torch.uint8 else 65535.0)


def video_stream(container: Any, name: str) -> Any:
    """The first video of a file. Raises `MediaError` without one."""
    if not container.streams.video:
        raise MediaError(
            f"{name or 'the file'}: there is sound in it and no video; load it with Load Audio"
        )
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def alpha_mode(stream: Any) -> str | None:
    """What a WebM file says of its transparency: `1` where it has any."""
    return stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE"))


def _rate(stream: Any) -> Fraction:
    return Fraction(stream.average_rate or stream.guessed_rate or stream.base_rate or 1)


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


def _pixels(frame: Any) -> Tensor:
    """A frame [H, W, 3 or 4], upright: uint8, or 16 bits in int32 if it has more than 8."""
    deep, alpha = _is_deep(frame.format), _has_alpha(frame.format)
    name = ("rgba64le" if deep else "rgba") if alpha else "rgb48le" if deep else "rgb24"
    space = None
    if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
        space = Colorspace.ITU709 if frame.height >= _HD_LINES else Colorspace.ITU601
    made = frame.reformat(format=name, src_colorspace=space, interpolation=ACCURATE)
    array = np.rot90(made.to_ndarray(), frame.rotation // 90 % 4)
    return torch.from_numpy(np.ascontiguousarray(array, np.int32 if deep else np.uint8))
