"""Reads pictures from files: within limits, upright, all frames; of damaged ones what is there.

Returns Pillow images; `encoding.py` writes them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps, ImageSequence

from engine.errors import MediaError
from engine.media.salvage import open_damaged, truncation_allowed

FORMATS = (
    "PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "DIB",
    "TIFF", "PPM", "TGA", "ICO", "QOI", "JPEG2000",
)  # fmt: skip
"""The formats that are opened. Pillow supports more, some of which start other programs or read
other files."""
FORMAT_NAMES = "PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF, PPM, TGA, ICO, QOI and JPEG 2000"

_LOGGER = logging.getLogger(__name__)


class TooLargeError(MediaError):
    """A picture exceeds the limits it was opened with."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a picture may be before it is refused, unread.

    Attributes:
        file_bytes: of the file.
        pixels: of one frame; no more than Pillow's own limit helps.
        pixels_in_all: of all frames together.
    """

    file_bytes: int = 1 << 30
    pixels: int = 178_000_000
    pixels_in_all: int = 500_000_000


def read_frames(
    path: Path, *, limits: Limits = Limits(), begin: Callable[[int], None] = lambda _: None
) -> Iterator[Image.Image]:
    """The frames of a picture, upright, in the mode the file has, decoded lazily.

    Of a damaged picture, what is there: as much of a cut one as a browser shows, the rest black or
    grey; parts that no pixel needs are ignored. The log says so. Colours stay as they are stored:
    profiles are not applied. A frame of another size than the first is left out (thumbnails,
    further pages), as are the extra pictures of an MPO. `modes.py` converts frames.

    Args:
        path: the file.
        limits: see `Limits`.
        begin: is called with the pixels of a frame before the first one is decoded; may refuse.

    Raises:
        MediaError: it is not a picture of a known format, nothing of it can be decoded, or it
            exceeds the limits.
    """
    given, fault = 0, None
    for attempt in (_frames, _frames_of_damaged):
        try:
            for number, frame in enumerate(attempt(path, limits, begin)):
                if number < given:
                    continue
                if fault is not None and not given:
                    _log_damage(path, fault)
                given = number + 1
                yield frame
        except (MediaError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - decoders' errors have no common root
            if given and fault is None:
                _log_damage(path, error)
            fault = error
        else:
            break
    if not given:
        raise _refusal(path, fault) from fault


def first_frame(content: bytes, name: str, *, limits: Limits = Limits()) -> Image.Image:
    """The first frame of a picture in memory, as stored; for messages it is called `name`.

    Raises:
        MediaError: as `read_frames`; of a damaged picture nothing is used.
    """
    try:
        with _open(BytesIO(content)) as picture:
            _check_size(Path(name), picture, limits)
            picture.load()
            return picture.copy()
    except (MediaError, MemoryError):
        raise
    except Exception as error:
        raise _refusal(Path(name), error) from error


def _log_damage(path: Path, fault: Exception) -> None:
    # Pillow's sentence names the whole path, and nothing else.
    unidentified = isinstance(fault, Image.UnidentifiedImageError)
    reason = "a part before its pixels is not what it should be" if unidentified else fault
    _LOGGER.warning(
        "%s: the picture cannot be read in full (%s); what is there is used", path.name, reason
    )


def _refusal(path: Path, fault: Exception | None) -> MediaError:
    if isinstance(fault, Image.DecompressionBombError):
        return MediaError(f"{path.name}: too large: {fault}")
    if isinstance(fault, Image.UnidentifiedImageError):
        return MediaError(f"{path.name}: is no picture; {FORMAT_NAMES} can be read")
    reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else fault
    return MediaError(f"{path.name}: the picture cannot be read: {reason}")


def _frames(path: Path, limits: Limits, begin: Callable[[int], None]) -> Iterator[Image.Image]:
    _check_bytes(path, limits)
    with path.open("rb") as stream, _open(stream) as picture:
        _check_size(path, picture, limits)
        begin(picture.width * picture.height)
        yield from _iterate(path, picture, limits)


def _frames_of_damaged(
    path: Path, limits: Limits, begin: Callable[[int], None]
) -> Iterator[Image.Image]:
    """As many frames as can be decoded at all."""
    with open_damaged(path) as stream:
        with truncation_allowed():
            picture = _open(stream)
        with picture:
            _check_size(path, picture, limits)
            begin(picture.width * picture.height)
            frames = _iterate(path, picture, limits)
            while True:
                with truncation_allowed():  # not while the caller works with the frame
                    frame = next(frames, None)
                if frame is None:
                    return
                yield frame


def _open(stream: BinaryIO) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow warns above half of its limit; we have our own limit.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(stream, formats=FORMATS)


def _check_bytes(path: Path, limits: Limits) -> None:
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise _too_large(path, f"{size:,} bytes", f"{limits.file_bytes:,}")


def _check_size(path: Path, picture: Image.Image, limits: Limits) -> None:
    pixels = picture.width * picture.height
    if pixels > limits.pixels:
        raise _too_large(path, f"{pixels:,} pixels", f"{limits.pixels:,}")


def _iterate(path: Path, picture: Image.Image, limits: Limits) -> Iterator[Image.Image]:
    first, seen = picture.size, 0
    for frame in ImageSequence.Iterator(picture):
        if frame.size == first:
            seen += frame.width * frame.height
            if seen > limits.pixels_in_all:
                raise _too_large(path, f"{seen:,} pixels or more", f"{limits.pixels_in_all:,}")
            yield _upright(path, frame)
        else:
            _check_size(path, frame, limits)
        if picture.format == "MPO":
            return


def _upright(path: Path, frame: Image.Image) -> Image.Image:
    """A copy of a frame, decoded and turned as its EXIF block says, if it can be read."""
    frame.load()
    try:
        return ImageOps.exif_transpose(frame)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - readers of EXIF raise what they like
        _LOGGER.warning("%s: its EXIF block cannot be read (%s); not turned", path.name, error)
        return frame.copy()


def _too_large(path: Path, found: str, limit: str) -> TooLargeError:
    return TooLargeError(f"{path.name}: too large: {found}, the limit is {limit}")
