"""Damaged files of sound, video and pictures, each read in a process of its own with limits.

    python tests/bench/media_fuzz.py --seeds 0:2000 --kinds wav,mp3,webm --keep /tmp/found

Each seed makes one file: a good one, cut or with bytes changed. Prints, by kind, how many were
read, refused with a sentence, or ended otherwise (another error, a signal, the time limit), and the
largest growth of memory. A seed always makes the same file, so that a finding can be repeated.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import select
import signal
import struct
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image

from engine.audiovisual.sound import FORMATS, write_sound
from engine.audiovisual.video_writer import Film, write_video
from engine.decoding.frames import frames_of, head_of
from engine.decoding.sound import sound_of
from engine.errors import MediaError
from engine.media.pictures import read_frames

MAGIC = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers at which readers of lengths and rates overflow."""
HEAD = 600
"""Bytes at the beginning that are changed more often than others: what is said of the rest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reading one file did: a word, its growth in bytes, its seconds, and words on it."""

    what: str
    growth: int
    seconds: float
    words: str


def _tone() -> torch.Tensor:
    moments = torch.arange(22_050 * 2) / 22_050
    return torch.stack([torch.sin(moments * hertz * 6.28) * 0.5 for hertz in (440, 880)])


def _sound(form: str) -> bytes:
    stream = BytesIO()
    write_sound(stream, _tone(), 22_050, FORMATS[form])
    return stream.getvalue()


def _encoded_sound(container: str, codec: str, layout: str = "stereo", rate: int = 24_000) -> bytes:
    """Sound in a container of FFmpeg's that no node writes."""
    stream = BytesIO()
    with av.open(stream, "w", format=container) as output:
        track: Any = output.add_stream(codec, rate=rate, layout=layout)
        track.bit_rate = 128_000
        wave = (_tone().numpy() * 20_000).astype(np.int16)[:, :rate]
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(wave.T.reshape(1, -1)), format="s16", layout="stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        output.mux(track.encode(frame))
        output.mux(track.encode(None))
    return stream.getvalue()


def _frames(count: int = 8) -> torch.Tensor:
    right = torch.linspace(0, 1, 96)[None, :, None].expand(64, 96, 3)
    return torch.stack([right * (1 + number) / count for number in range(count)])


def _video(container: str, codec: str) -> bytes:
    stream = BytesIO()
    sound = {"waveform": _tone()[None], "sample_rate": 22_050}
    write_video(stream, Film(iter(_frames()), (96, 64), Fraction(8), sound=sound), container, codec)
    return stream.getvalue()


def _picture(form: str, count: int = 1) -> bytes:
    pictures = [Image.fromarray((frame * 255).byte().numpy()) for frame in _frames()]
    stream = BytesIO()
    more = {"save_all": True, "append_images": pictures[1:count]} if count > 1 else {}
    pictures[0].save(stream, form, **more)
    return stream.getvalue()


KINDS: Mapping[str, Callable[[], bytes]] = {
    "wav": lambda: _sound("wav"),
    "mp3": lambda: _sound("mp3"),
    "flac": lambda: _sound("flac"),
    "opus": lambda: _sound("opus"),
    "m4a": lambda: _sound("m4a"),
    "ogg": lambda: _encoded_sound("ogg", "flac"),
    "mka": lambda: _encoded_sound("matroska", "flac"),
    "aiff": lambda: _encoded_sound("aiff", "pcm_s16be"),
    "caf": lambda: _encoded_sound("caf", "alac"),
    "wv": lambda: _encoded_sound("wv", "wavpack"),
    "ac3": lambda: _encoded_sound("ac3", "ac3", rate=48_000),
    "asf": lambda: _encoded_sound("asf", "wmav2"),
    "au": lambda: _encoded_sound("au", "pcm_s16be"),
    "mp4": lambda: _video("mp4", "h264"),
    "webm": lambda: _video("webm", "vp9"),
    "mov": lambda: _video("mov", "prores"),
    "av1": lambda: _video("mp4", "av1"),
    "png": lambda: _picture("PNG"),
    "jpg": lambda: _picture("JPEG"),
    "gif": lambda: _picture("GIF", 5),
    "webp": lambda: _picture("WEBP", 5),
    "avif": lambda: _picture("AVIF"),
    "tiff": lambda: _picture("TIFF"),
    "apng": lambda: _picture("PNG", 5),
    "jp2": lambda: _picture("JPEG2000"),
}
PICTURES = frozenset({"png", "jpg", "gif", "webp", "avif", "tiff", "apng", "jp2"})
VIDEOS = frozenset({"mp4", "webm", "mov", "av1"})


def with_checksums(content: bytes) -> bytes:
    """An Ogg file whose pages have right checksums again (RFC 3533), so that they are read."""
    data = bytearray(content)
    place = 0
    while (place := data.find(b"OggS", place)) >= 0 and place + 27 <= len(data):
        segments = data[place + 26]
        end = place + 27 + segments + sum(data[place + 27 : place + 27 + segments])
        data[place + 22 : place + 26] = bytes(4)
        remainder = 0
        for byte in data[place:end]:
            remainder ^= byte << 24
            for _ in range(8):
                remainder = (remainder << 1 ^ (0x04C11DB7 if remainder >> 31 else 0)) & 0xFFFFFFFF
        data[place + 22 : place + 26] = remainder.to_bytes(4, "little")
        place = end
    return bytes(data)


def damaged(content: bytes, seed: int) -> bytes:
    """A good file with a few changes that its seed chooses."""
    chosen = random.Random(seed)
    data = bytearray(content)
    for _ in range(chosen.choice((1, 1, 2, 3, 8, 30))):
        near = chosen.random() < 0.7
        place = chosen.randrange(min(len(data), HEAD) if near else len(data)) if data else 0
        match chosen.randrange(6):
            case 0 if chosen.random() < 0.3:
                del data[chosen.randrange(len(data) + 1) :]
            case 1:
                data[place : place + 1] = bytes([chosen.randrange(256)])
            case 2:
                form = chosen.choice("<>") + chosen.choice("BHIQ")
                number = chosen.choice(MAGIC) & ((1 << 8 * struct.calcsize(form)) - 1)
                data[place : place + struct.calcsize(form)] = struct.pack(form, number)
            case 3:
                del data[place : place + chosen.choice((1, 4, 50))]
            case 4:
                data[place:place] = data[place : place + chosen.choice((1, 8, 400))]
            case _:
                data[place : place + 1] = bytes(
                    [(data[place] if data else 0) ^ (1 << chosen.randrange(8))]
                )
    return bytes(data)


def read(path: Path, kind: str) -> str:
    """Read a file with the decoders that the helper and nodes use; a few words on what came."""
    if kind in PICTURES:
        return f"{sum(frame.width * frame.height for frame in read_frames(path)):,} pixels"
    if kind in VIDEOS:
        head = head_of(path, path.name)
        found = frames_of(path, start=0.0, duration=0.0, name=path.name)
        return f"{head}, {sum(isinstance(each, np.ndarray) for each in found)} frames"
    parts = sound_of(path, start=0.0, duration=None, name=path.name)
    return f"{sum(each.shape[1] for each in parts if isinstance(each, np.ndarray)):,} samples"


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def _child(path: Path, kind: str, pipe: int, limit: int) -> None:
    before = _status("VmRSS:")
    if limit:
        most = _status("VmSize:") + limit
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        what, words = "read", read(path, kind)
    except MediaError as error:
        what, words = "refused", str(error)
    except MemoryError:
        what, words = "MemoryError", ""
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        what, words = type(error).__name__, traceback.format_exc()[-400:]
    os.write(pipe, f"{what}\0{_status('VmHWM:') - before}\0{words[:600]}".encode())


def tried(path: Path, kind: str, *, limit: int, seconds: float) -> Outcome:
    """Read a file in a child process of at most so many bytes more, for at most so long."""
    start = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        try:
            _child(path, kind, writing, limit)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], seconds)
        if not ready:
            os.kill(child, signal.SIGKILL)
        said = pipe.read().decode(errors="replace")
    _, status, usage = os.wait4(child, 0)
    took = time.monotonic() - start
    if not ready:
        return Outcome("time limit", usage.ru_maxrss * 1024, took, "")
    if not said:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        words = signal.Signals(number).name if number else f"status {status}"
        return Outcome(words, usage.ru_maxrss * 1024, took, "")
    what, growth, words = said.split("\0", 2)
    return Outcome(what, int(growth), took, words)


def main() -> None:
    """Try every seed of every kind, and print what happened."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="0:200", help="first:last, the last one excluded")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--limit", type=float, default=4.0, help="GB of growth; 0: none")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--large", type=float, default=300.0, help="MB that are worth naming")
    parser.add_argument("--keep", type=Path, default=Path("media_fuzz"), help="for what is found")
    flags = parser.parse_args()
    first, last = map(int, flags.seeds.split(":"))
    flags.keep.mkdir(parents=True, exist_ok=True)
    torch.zeros(4).sum()
    bad = 0
    for kind in flags.kinds.split(","):
        good, counts, largest, slowest = KINDS[kind](), defaultdict(int), 0, 0.0
        for seed in range(first, last):
            path = flags.keep / f"{kind}_{seed}.{kind}"
            changed = damaged(good, seed)
            is_ogg = kind in ("ogg", "opus") and seed % 2
            path.write_bytes(with_checksums(changed) if is_ogg else changed)
            found = tried(path, kind, limit=int(flags.limit * 1e9), seconds=flags.seconds)
            counts[found.what] += 1
            largest, slowest = max(largest, found.growth), max(slowest, found.seconds)
            usual = found.what in ("read", "refused") and found.seconds < flags.seconds / 4
            if usual and found.growth < flags.large * 1e6:
                path.unlink()
                continue
            bad += 1
            said = f"{found.what}, {found.growth / 1e6:,.0f} MB, {found.seconds:.1f} s"
            print(f"  {path.name}: {said} {found.words[-300:]}", flush=True)
        print(
            f"{kind}: {dict(counts)}, at most {largest / 1e6:,.0f} MB and {slowest:.1f} s",
            flush=True,
        )
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
