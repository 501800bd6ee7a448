"""Peak memory of the nodes of media with an 8K picture, an 8K film and a film of ten minutes.

    python tests/bench/media_memory.py [picture] [large] [long] [converted]

Each step begins with a peak that was reset. Printed: growth of this process, as a worker is one,
and the peak of the helper that reads video and sound; for what is refused, the sentence.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import torch
from PIL import Image

from engine.audiovisual.sound import read_sound
from engine.audiovisual.video import VideoFromFile
from engine.audiovisual.video_reader import read_frames
from engine.audiovisual.video_writer import Film, write_video
from engine.decoding import helper
from engine.errors import CalotypeError
from engine.media import modes
from engine.media.encoding import png_bytes
from engine.media.pictures import read_frames as read_pictures
from nodes.image_scaling import scale
from nodes.pixels import from_picture, to_pictures

MINUTES = 10
RATE = 24
MB = 1 << 20


def _status(process: int | str, field: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _measured(what: str, step: Callable[[], object]) -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, start = _status("self", "VmRSS:"), time.perf_counter()
    try:
        found: object = step()
    except CalotypeError as error:
        found = f"refused: {error}"
    seconds = time.perf_counter() - start
    grown = _status("self", "VmHWM:") - before
    of_helper = max((_status(each.pid, "VmHWM:") for each in helper._idle), default=0)
    print(
        f"{what}: {grown / MB:,.0f} MB, helper {of_helper / MB:,.0f} MB, {seconds:.1f} s; {found}",
        flush=True,
    )


def _frames(count: int, width: int, height: int) -> Iterator[torch.Tensor]:
    coarse = torch.rand(1, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    for number in range(count):
        yield torch.roll(smooth[0].movedim(0, -1), number * 2, 1)


def _film(path: Path, seconds: int, width: int, height: int, codec: str = "h264") -> Path:
    sound = {"waveform": torch.rand(1, 2, 44_100 * seconds) - 0.5, "sample_rate": 44_100}
    frames = _frames(seconds * RATE, width, height)
    film = Film(frames, (width, height), Fraction(RATE), sound=sound)
    write_video(path, film, "mp4", codec, quality=30)
    return path


def _repeated(source: Path, target: Path, times: int) -> Path:
    """A film that is another one several times, copied packet by packet."""
    with av.open(str(target), "w") as output:
        copies: dict[int, Any] = {}
        ends: dict[int, int] = {}
        for _ in range(times):
            with av.open(str(source)) as file:
                begins = dict(ends)
                for packet in file.demux():
                    if packet.dts is None or packet.pts is None:
                        continue
                    index = packet.stream.index
                    if index not in copies:
                        copies[index] = output.add_stream_from_template(file.streams[index])
                    packet.pts += begins.get(index, 0)
                    packet.dts += begins.get(index, 0)
                    ends[index] = max(ends.get(index, 0), packet.dts + (packet.duration or 1))
                    packet.stream = copies[index]
                    output.mux(packet)
    return target


def _picture(folder: Path) -> None:
    path = folder / "8k.png"
    noise = Image.effect_noise((7680, 4320), 60).convert("RGB")
    path.write_bytes(png_bytes(noise, compress_level=1))
    del noise
    kept: list[torch.Tensor] = []

    def load() -> object:
        kept.append(from_picture(modes.rgb(next(iter(read_pictures(path)))))[None])
        return tuple(kept[0].shape)

    def save() -> object:
        return sum(len(png_bytes(each, compress_level=1)) for each in to_pictures(kept[0]))

    _measured("8K picture, loaded", load)
    _measured(
        "8K picture, to a quarter", lambda: scale(kept[0], 3840, 2160, method="lanczos").shape
    )
    _measured("8K picture, saved", save)


def _written(video: VideoFromFile, container: str = "auto") -> int:
    stream = io.BytesIO()
    video.save_to(stream, container)
    return len(stream.getvalue())


def _large_film(folder: Path) -> None:
    path = _film(folder / "8k.mp4", 1, 7680, 4320)
    _measured("8K film, its frames", lambda: sum(1 for _ in read_frames(path)))


def _long_film(folder: Path) -> None:
    short = _film(folder / "10s.mp4", 10, 1280, 720)
    path = _repeated(short, folder / "long.mp4", MINUTES * 6)
    film = VideoFromFile(path)
    _measured("ten minutes of 720p, as images", film.get_components)
    _measured("ten minutes of 720p, copied", lambda: f"{_written(film):,} bytes")
    _measured("ten minutes of sound", lambda: (read_sound(path) or {})["waveform"].shape)
    _measured("ten minutes of 720p, its frames", lambda: sum(1 for _ in read_frames(path)))


def _converted_film(folder: Path) -> None:
    short = _film(folder / "small10s.mp4", 10, 426, 240)
    path = _repeated(short, folder / "small.mp4", MINUTES * 6)
    _measured("ten minutes of 240p, to VP9", lambda: _written(VideoFromFile(path), "webm"))


STEPS = {
    "picture": _picture,
    "large": _large_film,
    "long": _long_film,
    "converted": _converted_film,
}


def main() -> None:
    """Measure all steps, or those that are named."""
    with tempfile.TemporaryDirectory() as made:
        for name in sys.argv[1:] or STEPS:
            STEPS[name](Path(made))


if __name__ == "__main__":
    sys.exit(main())
