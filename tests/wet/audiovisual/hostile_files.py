"""Small files of video and sound that announce or unpack to far more than they hold."""

import io
import struct
from fractions import Fraction

import av
import numpy as np


def wav(channels=2, rate=44_100, bits=16, data=bytes(8_000), more=b"", kind=1):
    """A WAV file; its numbers are written as they are given, sensible or not."""
    frame = channels * bits // 8
    head = struct.pack(
        "<HHIIHH", kind, channels, rate, rate * frame & 0xFFFFFFFF, frame & 0xFFFF, bits
    )
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + more
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def huge_text():
    """A WAV file whose title announces 2 GB: FFmpeg makes room for it before it reads."""
    return wav(more=b"LIST" + struct.pack("<I", 0x7FFFFFF0) + b"INFOINAM\xe0\xff\xff\x7f")


def silent_flac(seconds=60, channels=8, rate=96_000):
    """Silence in 8 channels: 184 MB of samples in 50 kB."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="flac") as file:
        sound = file.add_stream("flac", rate=rate, layout="7.1")
        zeros = np.zeros((1, channels * 65_535), np.int16)
        for _ in range(seconds * rate // 65_535):
            frame = av.AudioFrame.from_ndarray(zeros, format="s16", layout="7.1")
            frame.sample_rate = rate
            file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return stream.getvalue()


def without_length(flac):
    """A FLAC file that does not say how long it is (RFC 9639, 8.2: the last 36 bits before MD5)."""
    content = bytearray(flac)
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    return bytes(content)


def late_sound(seconds):
    """A film of one frame whose sound, of a tenth of a second, begins late."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="matroska") as file:
        film = file.add_stream("mjpeg", rate=25)
        film.width, film.height, film.pix_fmt = 96, 64, "yuvj420p"
        sound = file.add_stream("flac", rate=48_000, layout="stereo")
        file.mux(film.encode(av.VideoFrame(96, 64, "yuvj420p")))
        file.mux(film.encode(None))
        loud = np.full((1, 9600), 9000, np.int16)
        frame = av.AudioFrame.from_ndarray(loud, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = (
            48_000,
            48_000 * seconds,
            Fraction(1, 48_000),
        )
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return stream.getvalue()


def packets(container, codec, size, contents, *, rate=25, moments=None):
    """A film of packets whose bytes are given, not encoded here.

    Args:
        container: the format.
        codec: FFmpeg's name.
        size: what the head of the file announces.
        contents: bytes of each packet.
        rate: frames per second.
        moments: time of each packet in frames.
    """
    stream = io.BytesIO()
    with av.open(stream, "w", format=container) as file:
        film = file.add_stream(codec, rate=rate)
        film.width, film.height = size
        film.pix_fmt = "rgb24" if codec == "png" else "yuvj420p"
        for number, content in enumerate(contents):
            packet = av.Packet(content)
            packet.stream = film
            packet.pts = packet.dts = moments[number] if moments else number
            packet.time_base = Fraction(1, rate)
            packet.is_keyframe = True
            file.mux(packet)
    return stream.getvalue()


def raw_film(width, height):
    """A raw film that announces such frames, with a few bytes of one."""
    return b"YUV4MPEG2 W%d H%d F25:1 Ip C420\nFRAME\n" % (width, height) + bytes(1000)


def endless_matroska():
    """A Matroska file of unknown length, whose clusters contain one another without end."""
    head = bytes.fromhex("1A45DFA3 8B 4282 88 6D6174726F736B61".replace(" ", ""))
    unknown = b"\x01\xff\xff\xff\xff\xff\xff\xff"
    return head + b"\x18\x53\x80\x67" + unknown + (b"\x1f\x43\xb6\x75" + unknown) * 20_000


def with_length(film, length):
    """An MP4 film whose three durations (ISO 14496-12: mvhd, tkhd, mdhd) are another number."""
    content = bytearray(film)
    for name, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        place = content.index(name) + offset
        content[place : place + 4] = struct.pack(">I", length)
    return bytes(content)
