"""Reads video files through the helper: heads, frames one by one, texts, copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from engine.decoding.containers import Source, as_texts, documents_of
from engine.decoding.frames import VideoHead
from engine.decoding.helper import asked
from engine.decoding.messages import (
    ChooseCopy,
    Content,
    CopyVideo,
    DescribeVideo,
    Done,
    ReadFrames,
    ReadTexts,
    Shown,
    Texts,
    VideoDescribed,
    Written,
)
from engine.errors import WireError


def read_head(source: Source, name: str = "") -> VideoHead:
    """The head of a file; decodes one frame. Raises `MediaError` if there is no video in it."""
    with asked(DescribeVideo, source, name) as exchange:
        found = exchange.only(VideoDescribed)
    return VideoHead(
        found.width,
        found.height,
        Fraction(*found.rate),
        found.seconds,
        found.frames,
        found.is_deep,
        found.has_alpha,
        found.format,
    )


def read_documents(source: Source, name: str = "") -> dict[str, Any]:
    """The texts inside a file by keyword, those that hold JSON read. Raises `MediaError`."""
    with asked(ReadTexts, source, name) as exchange:
        return documents_of(exchange.only(Texts).found)


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
    with asked(lambda found: ReadFrames(found, start, duration), source, name) as exchange:
        frame: Tensor | None = None
        while not isinstance(answer := exchange.next(), Done):
            if isinstance(answer, Content):
                array = exchange.array(answer)
                # torch computes nothing with uint16
                deep = array.dtype == np.uint16
                frame = torch.from_numpy(array.astype(np.int32) if deep else array)
            elif isinstance(answer, Shown) and frame is not None:
                for _ in range(answer.times):
                    yield frame
            else:
                raise WireError(f"a {type(answer).__name__} came among frames")


def as_float(frame: Tensor) -> Tensor:
    """A frame as float32, 0 to 1."""
    return frame.float().div_(255.0 if frame.dtype == torch.uint8 else 65535.0)


def copied_as(source: Source, container: str, codec: str, name: str = "") -> str | None:
    """The format in which a file's streams can be written as they are; None if they change.

    Args:
        source: the file.
        container: the wanted format; `auto`: that of the file.
        codec: the wanted codec; `auto`: that of the file.
        name: for messages.

    Raises:
        MediaError: it cannot be read.
    """
    with asked(lambda found: ChooseCopy(found, container, codec), source, name) as exchange:
        return exchange.only(Texts).found.get("container")


def copy_video(
    source: Source,
    target: str | Path | BinaryIO,
    kept: str,
    metadata: Mapping[str, Any] | None,
    name: str = "",
) -> None:
    """Write a file's streams as they are.

    Args:
        source: the file.
        target: a path, or a stream that can seek.
        kept: the format, see `copied_as`.
        metadata: is added to that of the file.
        name: for messages.

    Raises:
        MediaError: it cannot be read, or not be written so.
    """
    path = str(Path(target).absolute()) if isinstance(target, str | Path) else ""
    texts = as_texts(metadata)
    with asked(lambda found: CopyVideo(found, path, kept, texts), source, name) as exchange:
        while not isinstance(answer := exchange.next(), Done):
            if not isinstance(answer, Written) or isinstance(target, str | Path):
                raise WireError(f"a {type(answer).__name__} came among pieces of a file")
            target.seek(answer.place)
            target.write(exchange.content(answer))
