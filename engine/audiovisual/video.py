"""Videos: VIDEO values, from frames and from files, and reading them through PyAV.

A VIDEO value is an object of one of these classes; a file's frames are decoded when they are
needed. The methods are those that nodes of the ecosystem call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.audiovisual.sound import read_sound
from engine.audiovisual.video_reader import (
    as_float,
    copied_as,
    copy_video,
    read_documents,
    read_frames,
    read_head,
)
from engine.audiovisual.video_writer import Film, formats_of, write_video
from engine.decoding.containers import Growth, Source, check_room
from engine.decoding.frames import VideoHead
from engine.errors import MediaError

_TRIM = "take a part of the video (Video Slice), or make it smaller first"


class _Listed(StrEnum):
    @classmethod
    def as_input(cls) -> list[str]:
        """All values, for a combo."""
        return [each.value for each in cls]


class VideoContainer(_Listed):
    """Formats of video files; AUTO follows the codec."""

    AUTO = "auto"
    MP4 = "mp4"
    WEBM = "webm"
    MOV = "mov"

    @classmethod
    def get_extension(cls, value: Any) -> str:
        """The suffix of a file's name, without a dot."""
        found = str(getattr(value, "value", value))
        return "mp4" if found == "auto" else found


class VideoCodec(_Listed):
    """How frames are encoded; AUTO takes H.264, in WebM VP9 and in MOV ProRes."""

    AUTO = "auto"
    H264 = "h264"
    VP9 = "vp9"
    AV1 = "av1"
    PRORES = "prores"


@dataclass
class VideoComponents:
    """A video in parts.

    Attributes:
        images: float32 [frames, H, W, C], 0 to 1; C is 4 with transparency, else 3.
        frame_rate: frames per second.
        audio: an AUDIO value, or None.
        metadata: of the file, or None.
        bit_depth: bits of a channel: 8, or 10 for what was stored with more than 8.
    """

    images: Tensor
    frame_rate: Fraction
    audio: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    bit_depth: int = 8


class VideoInput:
    """A video, wherever its frames come from."""

    def get_components(self) -> VideoComponents:
        """All frames, the rate, sound and metadata."""
        raise NotImplementedError(f"{type(self).__name__} has no get_components")

    def get_stream_source(self) -> str | BytesIO:
        """A file's path, or its bytes, for programs that read video files."""
        stream = BytesIO()
        self.save_to(stream)
        stream.seek(0)
        return stream

    def get_dimensions(self) -> tuple[int, int]:
        """Width and height in pixels."""
        images = self.get_components().images
        return images.shape[2], images.shape[1]

    def get_duration(self) -> float:
        """Seconds."""
        return float(self.get_frame_count() / self.get_frame_rate())

    def get_frame_count(self) -> int:
        """How many frames there are."""
        return int(self.get_components().images.shape[0])

    def get_frame_rate(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.get_components().frame_rate)

    def get_container_format(self) -> str:
        """The format of the file, such as `mp4`."""
        return "mp4"

    def sliced(self, start: float, duration: float) -> VideoInput:
        """A part of it: `duration` seconds from `start`; 0 seconds: to the end."""
        parts = self.get_components()
        first = round(start * parts.frame_rate)
        last = round((start + duration) * parts.frame_rate) if duration else len(parts.images)
        return VideoFromComponents(
            replace(
                parts,
                images=parts.images[first:last],
                audio=_part_of(parts.audio, start, duration),
            )
        )

    def save_to(
        self,
        path: Any,
        format: Any = VideoContainer.AUTO,  # noqa: A002 - as nodes call it
        codec: Any = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Write it as a file.

        Args:
            path: a path, or a stream that can seek.
            format: see `VideoContainer`.
            codec: see `VideoCodec`.
            metadata: is added to the file: texts, and values that become JSON.
            **options: see `write_video`.

        Raises:
            MediaError: there is no such format, or its codec is another.
        """
        container, encoder = formats_of(_text(format), _text(codec))
        write_video(path, self._film(metadata), container, encoder, **options)

    def container_for(self, container: Any, codec: Any) -> str:
        """The format that `save_to` writes with these choices, which names the file's suffix.

        Raises:
            MediaError: there is no such format, or its codec is another.
        """
        return formats_of(_text(container), _text(codec))[0]

    def _film(self, metadata: Mapping[str, Any] | None) -> Film:
        parts = self.get_components()
        height, width, channels = parts.images.shape[1:]
        return Film(
            iter(parts.images),
            (width, height),
            parts.frame_rate,
            sound=parts.audio,
            metadata=metadata,
            is_deep=parts.bit_depth > 8,
            has_alpha=channels == 4,
        )


class VideoFromComponents(VideoInput):
    """A video of frames in memory."""

    def __init__(self, components: VideoComponents) -> None:
        self._components = components

    def get_components(self) -> VideoComponents:
        """The parts it was made from."""
        return self._components


class VideoFromFile(VideoInput):
    """A video in a file, or in bytes, whose frames are decoded when they are needed.

    Args:
        file: a path, or a stream of bytes.
        start_time: seconds that are left out at the beginning.
        duration: seconds that are taken; 0: all.
    """

    def __init__(
        self, file: Any, *, start_time: float = 0.0, duration: float = 0.0, **_: Any
    ) -> None:
        self._file: Source = file if isinstance(file, BytesIO) else Path(str(file))
        self._start, self._duration = float(start_time), float(duration)
        self._head: VideoHead | None = None

    @property
    def head(self) -> VideoHead:
        """What the head of the file says, read once."""
        if self._head is None:
            self._head = read_head(self._file, self._name)
        return self._head

    @property
    def is_part(self) -> bool:
        """Whether it is less than the whole file."""
        return self._start > 0 or self._duration > 0

    def sliced(self, start: float, duration: float) -> VideoInput:
        """See `VideoInput`; nothing is decoded."""
        if self._duration and start >= self._duration:
            raise MediaError(
                f"{self._name}: a part from {start:g} s on was requested, and it has "
                f"{self._duration:g} s"
            )
        left = self._duration - start if self._duration else 0.0
        taken = min(duration or left, left) if left else duration
        return VideoFromFile(self._file, start_time=self._start + start, duration=taken)

    def get_stream_source(self) -> str | BytesIO:
        """The file as it was given; a part of it as bytes of its own."""
        if self.is_part:
            return super().get_stream_source()
        if isinstance(self._file, BytesIO):
            self._file.seek(0)
            return self._file
        return str(self._file)

    def get_dimensions(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        return self.head.width, self.head.height

    def get_frame_rate(self) -> Fraction:
        """Frames per second, from the file's head."""
        return self.head.rate

    def get_duration(self) -> float:
        """Seconds, from the file's head; of a file that does not say it, by decoding it."""
        if not self.head.seconds:
            return sum(1 for _ in self._frames()) / float(self.head.rate)
        left = max(self.head.seconds - self._start, 0.0)
        return min(left, self._duration) if self._duration else left

    def get_frame_count(self) -> int:
        """How many frames there are, by the head where that says it."""
        if self.head.frames and not self.is_part:
            return self.head.frames
        return round(self.get_duration() * self.get_frame_rate())

    def get_container_format(self) -> str:
        """FFmpeg's names of the format, joined by commas."""
        return self.head.format

    def get_components(self) -> VideoComponents:
        """Decode what is taken of it: frames at an even rate, and sound in step with them.

        Raises:
            MediaError: it cannot be read, has no frame there, or does not fit into memory.
        """
        head = self.head
        count = max(round(self.get_duration() * head.rate), 1) if head.seconds else 1
        # as stored, and as float32
        channels = 4 if head.has_alpha else 3
        check_room(
            count * head.width * head.height * channels * (8 if head.is_deep else 5),
            f"{self._name}: {count:,} frames of {head.width} x {head.height}",
            _TRIM,
        )
        frames = self._all_frames()
        if not frames:
            raise MediaError(
                f"{self._name}: there is no frame after {self._start:g} s; choose another part"
            )
        images = torch.empty(len(frames), *frames[0].shape)
        for number, frame in enumerate(frames):
            images[number] = as_float(frame)
        return VideoComponents(
            images,
            head.rate,
            self._sound(),
            read_documents(self._file, self._name),
            10 if head.is_deep else 8,
        )

    def _film(self, metadata: Mapping[str, Any] | None) -> Film:
        """Frame by frame, so that it fits into memory whatever its length."""
        metadata = {**read_documents(self._file, self._name), **(metadata or {})}
        head = self.head
        return Film(
            map(as_float, self._frames()),
            (head.width, head.height),
            head.rate,
            sound=self._sound(),
            metadata=metadata,
            is_deep=head.is_deep,
            has_alpha=head.has_alpha,
        )

    def _copied_as(self, container: Any, codec: Any) -> str | None:
        if self.is_part:
            return None
        return copied_as(self._file, _text(container), _text(codec), self._name)

    def save_to(
        self,
        path: Any,
        format: Any = VideoContainer.AUTO,  # noqa: A002 - as nodes call it
        codec: Any = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """See `VideoInput`; where format and codec stay, nothing is encoded again."""
        kept = self._copied_as(format, codec)
        if kept is None:
            super().save_to(path, format, codec, metadata, **options)
            return
        copy_video(self._file, path, kept, metadata, self._name)

    def container_for(self, container: Any, codec: Any) -> str:
        """See `VideoInput`."""
        return self._copied_as(container, codec) or super().container_for(container, codec)

    @property
    def _name(self) -> str:
        return self._file.name if isinstance(self._file, Path) else "the video"

    def _frames(self) -> Iterator[Tensor]:
        return read_frames(self._file, start=self._start, duration=self._duration, name=self._name)

    def _all_frames(self) -> list[Tensor]:
        """All frames as stored; more than the head announced are refused where they do not fit."""
        frames: list[Tensor] = []
        growth = Growth(f"{self._name} has more frames than it announces; all of it", _TRIM)
        for frame in self._frames():
            # One that comes again takes memory only in the end, as float32.
            is_new = not frames or frame is not frames[-1]
            growth.add(frame.nbytes if is_new else 0, 4 * frame.numel())
            frames.append(frame)
        return frames

    def _sound(self) -> dict[str, Any] | None:
        duration = self._duration or None
        return read_sound(self._file, start=self._start, duration=duration, name=self._name)


def _text(choice: Any) -> str:
    return str(getattr(choice, "value", choice))


def _part_of(audio: dict[str, Any] | None, start: float, duration: float) -> dict[str, Any] | None:
    if audio is None:
        return None
    rate = int(audio["sample_rate"])
    last = round((start + duration) * rate) if duration else audio["waveform"].shape[-1]
    return {**audio, "waveform": audio["waveform"][..., round(start * rate) : last]}
