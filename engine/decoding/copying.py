"""Writes the streams of a video file as another file, without decoding them; runs in the helper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import av

from engine.decoding.frames import alpha_mode

CONTAINERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "mp4": (("h264", "av1", "vp9"), "m4a"),
    "webm": (("vp9", "av1"), "opus"),
    "mov": (("prores", "h264"), "m4a"),
}
"""The codecs of each format, the usual one first, and the format of its sound."""
_READ_AS: Mapping[str, tuple[str, ...]] = {
    "mp4": ("mp4", "mov"),
    "mov": ("mp4", "mov"),
    "webm": ("webm", "matroska"),
}

_SOUNDS: Mapping[str, tuple[str, ...]] = {
    "mp4": ("aac", "mp3", "mp3float", "ac3", "eac3", "opus", "flac", "alac"),
    "mov": ("aac", "mp3", "mp3float", "ac3", "alac", "pcm_s16le", "pcm_s24le"),
    "webm": ("opus", "vorbis"),
}


def copied_as(source: Any, container: str, codec: str) -> str | None:
    """The format in which a file's streams can be written as they are; None if they change.

    Args:
        source: the open container.
        container: the wanted format; `auto`: that of the file.
        codec: the wanted codec; `auto`: that of the file.
    """
    if not source.streams.video:
        return None
    stream, sounds = source.streams.video[0], source.streams.audio[:1]
    if any(each.codec_context is None for each in (stream, *sounds)):
        return None
    name = {"libdav1d": "av1"}.get(stream.codec_context.name, stream.codec_context.name)
    names = source.format.name.split(",")
    for each, (codecs, _) in CONTAINERS.items():
        readable = any(form in names for form in _READ_AS[each])
        heard = all(sound.codec_context.name in _SOUNDS[each] for sound in sounds)
        if readable and heard and name in codecs and container in ("auto", each):
            return each if codec in ("auto", name) else None
    return None


def copy_video(source: Any, target: Any, kept: str, texts: Mapping[str, str]) -> None:
    """Write a file's streams as they are.

    Args:
        source: the open container.
        target: a path, or a stream that can seek.
        kept: the format, see `copied_as`.
        texts: are added to those of the file.
    """
    stream = source.streams.video[0]
    kinds = [stream, *source.streams.audio[:1]]
    with created(target, kept) as file:
        file.metadata.update({**source.metadata, **texts})
        copies = {each.index: file.add_stream_from_template(each, opaque=True) for each in kinds}
        if (alpha := alpha_mode(stream)) is not None:
            copies[stream.index].metadata["alpha_mode"] = alpha
        for packet in source.demux(kinds):
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                file.mux(packet)


def created(target: str | Path | BinaryIO, container: str) -> Any:
    """A new file to write streams to, open.

    Args:
        target: its path, or a stream that can seek.
        container: its format.
    """
    options: dict[str, str] = {}
    if container != "webm":
        # The index goes to the front of a file, so that it plays while it is loaded; FFmpeg opens
        # the file a second time for that.
        is_path = isinstance(target, str | Path)
        options["movflags"] = "use_metadata_tags" + ("+faststart" if is_path else "")
    out = str(target) if isinstance(target, Path) else target
    return av.open(out, mode="w", format=container, options=options)
