"""Pictures that announce or unpack to far more than they hold: a sentence, in little memory."""

import io
import re
import struct
import zlib
from pathlib import Path

import psutil
import pytest
from PIL import Image

from engine.decoding import containers
from engine.errors import MediaError
from engine.media.vector import with_texts
from engine.nodekit.context import RunningContext
from nodes.image_files import load_image

MB = 1 << 20
FREE = 256 * MB
"""Bytes that are free in these tests; loading a picture may not take more."""


def saved(picture, form, **options):
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def flat(width, height, form, mode="1", **options):
    return saved(Image.new(mode, (width, height)), form, **options)


def png_chunk(kind, body):
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png_of_size(width, height):
    """A PNG that announces a size, with the pixels of few rows."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    chunks = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def long_gif(frames=100_000, side=64):
    """A GIF whose frames change one pixel each, 23 bytes for 64 x 64."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    one = (
        b"!\xf9\x04\0\x01\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\0"
    )
    return head + one * frames + b";"


def long_webp(frames=3000, side=256):
    """An animated WebP whose frames are one pixel in a large canvas."""
    one = saved(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    place = struct.pack("<HBHB", 0, 0, 0, 0) + bytes(6) + b"\x0a\0\0\x02"
    frame = b"ANMF" + struct.pack("<I", len(place) + len(one)) + place + one
    canvas = struct.pack("<I", side - 1)[:3]
    head = b"VP8X" + struct.pack("<IB", 10, 2) + bytes(3) + canvas + canvas
    body = b"WEBP" + head + b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_of_size(width, height):
    """A TIFF that announces a size, with one strip of a few bytes."""
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1),
               (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height),
               (279, 4, 1, 100)]  # fmt: skip
    table = b"".join(struct.pack("<HHII", *each) for each in entries)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + table + bytes(104)


def avif_of_size(width, height):
    """An AVIF whose property `ispe` announces another size."""
    content = bytearray(flat(64, 64, "AVIF", "RGB"))
    place = content.index(b"ispe") + 8
    content[place : place + 8] = struct.pack(">II", width, height)
    return bytes(content)


LAUGHS = b"".join(b'<!ENTITY a%d "%s">' % (i + 1, b"&a%d;" % i * 10) for i in range(20))
PICTURES = {
    "a PNG of 400 million pixels": (lambda: flat(20_000, 20_000, "PNG"), "400[,0]*000 pixels"),
    "a PNG that would not fit": (
        lambda: flat(13_000, 13_000, "PNG"),
        r"a picture of 169,000,000 pixels takes 3.4 GB of memory, and 0.2 GB are free; choose",
    ),
    "a PNG with a size only": (lambda: png_of_size(2**31 - 1, 2**31 - 1), "too large|cannot be"),
    "a PNG with hardly any rows": (lambda: png_of_size(12_000, 12_000), "takes 2.9 GB"),
    "a GIF of 100,000 frames": (long_gif, "as a batch of images takes 0.2 GB"),
    "a WebP of 3,000 frames": (long_webp, "as a batch of images takes 0.2 GB"),
    "a TIFF of 10 gigapixels": (lambda: tiff_of_size(100_000, 100_000), "too large|cannot be"),
    "a TIFF that unpacks": (
        lambda: flat(12_000, 12_000, "TIFF", compression="tiff_deflate"), "takes 2.9 GB",
    ),
    "an AVIF of 65k x 65k": (lambda: avif_of_size(65_535, 65_535), "cannot be read|too large|no p"),
    "a PPM of a terapixel": (lambda: b"P6 1000000 1000000 255\n" + bytes(99), "too large"),
    "a WebP that says it is huge": (
        lambda: b"RIFF\xf0\xff\xff\xffWEBPVP8 \xf0\xff\xff\x7f" + bytes(100), "is no pi|cannot",
    ),
    "an EXR": (lambda: b"v/1\x01\x02\0\0\0" + bytes(500), "is no picture"),
    "an SVG of a billion laughs": (
        lambda: b"<?xml version='1.0'?><!DOCTYPE a [" + LAUGHS + b"]><svg>&a20;</svg>", "is no pic",
    ),
    "an archive": (lambda: b"PK\x03\x04" + bytes(200), "is no picture"),
}  # fmt: skip


def grown():
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.parametrize("name", PICTURES)
def test_a_hostile_picture_is_a_sentence(name, files, monkeypatch):
    make, sentence = PICTURES[name]
    folder = files.folders("input")[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.png").write_bytes(make())
    monkeypatch.setattr(containers, "available_memory", lambda: FREE)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = psutil.Process().memory_info().rss
    with pytest.raises(MediaError) as caught:
        load_image("a.png", RunningContext("9", files))
    assert re.search(sentence, str(caught.value))
    assert "a.png" in str(caught.value)
    assert grown() - before < FREE


def test_a_text_of_unfinished_tags_is_not_looked_through_from_each():
    with pytest.raises(MediaError, match="no <svg> element"):
        with_texts(b'<svg a="' * 50_000, {})
