"""`python -m engine.media`: the helper that decodes untrusted pictures for the server.

Has little memory and, on Linux, no network: a picture that is too large ends the helper, not the
server. With `--quick` it declines slow commands, which another helper then runs. Pictures are named
by path; the server checks which paths are allowed.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import msgspec
from PIL import Image

from engine.errors import MediaError, WireError
from engine.media.encoding import jpeg_bytes, png_bytes, webp_bytes
from engine.media.isolation import leave_network
from engine.media.metadata import read_texts
from engine.media.modes import visible
from engine.media.pictures import Limits, TooLargeError, read_frames
from engine.tensor_header import HeaderError, decode, read_text
from engine.wire.channel import Channel, connect
from engine.wire.messages import (
    Convert,
    Converted,
    Deferred,
    MediaAnswer,
    MediaCommand,
    ReadHeader,
    Refused,
)

MOST_MEMORY = 3 << 30
MOST_HEADER = 16 << 20
LIMITS = Limits(file_bytes=256 << 20, pixels=100_000_000, pixels_in_all=100_000_000)
QUICK = Limits(file_bytes=64 << 20, pixels=16_000_000, pixels_in_all=16_000_000)
"""Limits for at most about a second: 4000 x 4000 pixels."""
QUICK_HEADER = 1 << 20


def main() -> int:
    """Serve commands until the server is gone."""
    parser = argparse.ArgumentParser(prog="python -m engine.media")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    flags = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    channel: Channel[MediaCommand] = connect(flags.channel, flags.parent, MediaCommand)
    reason = leave_network()
    if reason is not None and sys.platform.startswith("linux"):
        sys.stderr.write(f"pictures are decoded in a process that has the network: {reason}\n")
    try:
        for command in channel.receive():
            channel.send(answer(command, quick=flags.quick))
    except WireError:
        return 1
    return 0


def answer(command: MediaCommand, *, quick: bool = False) -> MediaAnswer:
    """Carry out one command; an error in a picture is an answer, too.

    Args:
        command: the command.
        quick: decline slow commands.
    """
    limits = QUICK if quick else LIMITS
    try:
        if isinstance(command, Convert):
            return Converted(command.number, convert(command, limits))
        if isinstance(command, ReadHeader):
            most = QUICK_HEADER if quick else MOST_HEADER
            return Converted(command.number, header_metadata(Path(command.path), most))
        paths = Path(command.picture), Path(command.mask)
        return Converted(command.number, put_mask(*paths, limits))
    except TooLargeError as error:
        return Deferred(command.number) if quick else Refused(command.number, str(error))
    except MediaError as error:
        return Refused(command.number, str(error))
    except MemoryError:
        return Refused(command.number, "the picture needs more memory than the helper may use")


def convert(command: Convert, limits: Limits = LIMITS) -> bytes:
    """The first frame of a picture in another form.

    Raises:
        MediaError: it cannot be read or written.
    """
    picture = _first(Path(command.path), limits)
    if command.channel == "a":
        alpha = picture.convert("RGBA").getchannel("A")
        only = Image.new("RGBA", picture.size)
        only.putalpha(alpha)
        return png_bytes(only)
    wants_alpha = command.channel == "rgba" and command.form != "jpeg"
    picture = picture.convert("RGBA" if wants_alpha and picture.mode == "RGBA" else "RGB")
    if command.most > 0:
        picture.thumbnail((command.most, command.most), Image.Resampling.BILINEAR, reducing_gap=2.0)
    match command.form:
        case "webp":
            return webp_bytes(picture, quality=command.quality)
        case "jpeg":
            return jpeg_bytes(picture, quality=command.quality)
        case _:
            return png_bytes(picture)


def put_mask(original: Path, mask: Path, limits: Limits = LIMITS) -> bytes:
    """A PNG of `original` with the transparency of `mask`, and the texts of the original.

    Raises:
        MediaError: one of them cannot be read.
    """
    picture = _first(original, limits)
    alpha = _first(mask, limits).convert("RGBA").getchannel("A")
    if alpha.size != picture.size:
        alpha = alpha.resize(picture.size, Image.Resampling.LANCZOS)
    picture = picture.convert("RGBA")
    picture.putalpha(alpha)
    try:
        texts = read_texts(original)
    except MediaError:
        texts = {}  # a format without texts
    return png_bytes(picture, texts=texts)


def header_metadata(path: Path, most: int = MOST_HEADER) -> bytes:
    """The metadata of a `.safetensors` file, as a JSON object.

    Raises:
        MediaError: it is not such a file, or has no metadata or more than `most` bytes.
    """
    try:
        with path.open("rb") as stream:
            if most < MOST_HEADER and int.from_bytes(stream.peek(8)[:8], "little") > most:
                raise TooLargeError(f"{path.name}: its header has more than {most:,} bytes")
            header = decode(read_text(stream, path.stat().st_size, most=most))
    except OSError as error:
        raise MediaError(f"{path.name}: its header cannot be read: {error.strerror}") from error
    except HeaderError as error:
        raise MediaError(f"{path.name}: {error}") from error
    if not header.metadata:
        raise MediaError(f"{path.name}: says nothing about itself")
    return msgspec.json.encode(header.metadata)


def _first(path: Path, limits: Limits) -> Image.Image:
    """The first frame as a browser shows it."""
    return visible(next(read_frames(path, limits=limits)))


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


if __name__ == "__main__":
    sys.exit(main())
