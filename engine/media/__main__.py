"""`python -m engine.media`: the helper that decodes strangers' pictures for the server.

Has no network and little memory: a picture that is too much for it costs the helper, not the
server. Pictures are named by path; who may name which is the server's to decide.
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
from engine.media.metadata import read_texts
from engine.media.modes import visible
from engine.media.pictures import Limits, read_frames
from engine.tensor_header import HeaderError, decode, read_text
from engine.wire.channel import Channel, connect
from engine.wire.messages import (
    Convert,
    Converted,
    MediaAnswer,
    MediaCommand,
    ReadHeader,
    Refused,
)

MOST_MEMORY = 3 << 30
MOST_HEADER = 16 << 20
LIMITS = Limits(file_bytes=256 << 20, pixels=100_000_000, pixels_in_all=100_000_000)


def main() -> int:
    """Answer until the server is gone."""
    parser = argparse.ArgumentParser(prog="python -m engine.media")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    flags = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    channel: Channel[MediaCommand] = connect(flags.channel, flags.parent, MediaCommand)
    try:
        for command in channel.receive():
            channel.send(answer(command))
    except WireError:
        return 1
    return 0


def answer(command: MediaCommand) -> MediaAnswer:
    """Carry out one command; whatever is wrong with a picture is an answer too."""
    try:
        if isinstance(command, Convert):
            return Converted(command.number, convert(command))
        if isinstance(command, ReadHeader):
            return Converted(command.number, header_metadata(Path(command.path)))
        return Converted(command.number, put_mask(Path(command.picture), Path(command.mask)))
    except MediaError as error:
        return Refused(command.number, str(error))
    except MemoryError:
        return Refused(command.number, "the picture needs more memory than the helper may use")


def convert(command: Convert) -> bytes:
    """The first frame of a picture in another form.

    Raises:
        MediaError: it cannot be read or written.
    """
    picture = _first(Path(command.path))
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


def put_mask(original: Path, mask: Path) -> bytes:
    """A PNG of `original` with the transparency of `mask`, and the texts of the original.

    Raises:
        MediaError: one of them cannot be read.
    """
    picture, alpha = _first(original), _first(mask).convert("RGBA").getchannel("A")
    if alpha.size != picture.size:
        alpha = alpha.resize(picture.size, Image.Resampling.LANCZOS)
    picture = picture.convert("RGBA")
    picture.putalpha(alpha)
    try:
        texts = read_texts(original)
    except MediaError:
        texts = {}  # a form that carries none
    return png_bytes(picture, texts=texts)


def header_metadata(path: Path) -> bytes:
    """What a `.safetensors` file says about itself, as a JSON object.

    Raises:
        MediaError: it is no such file, says nothing, or says more than `MOST_HEADER` bytes.
    """
    try:
        with path.open("rb") as stream:
            header = decode(read_text(stream, path.stat().st_size, most=MOST_HEADER))
    except OSError as error:
        raise MediaError(f"{path.name}: its header cannot be read: {error.strerror}") from error
    except HeaderError as error:
        raise MediaError(f"{path.name}: {error}") from error
    if not header.metadata:
        raise MediaError(f"{path.name}: says nothing about itself")
    return msgspec.json.encode(header.metadata)


def _first(path: Path) -> Image.Image:
    """The first frame as a browser shows it."""
    return visible(next(read_frames(path, limits=LIMITS)))


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


if __name__ == "__main__":
    sys.exit(main())
