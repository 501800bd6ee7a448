"""Writes videos as files: H.264, VP9, AV1 and ProRes, with sound and metadata, through PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import torch
from av.error import FFmpegError
from av.video.reformatter import Colorspace
from torch import Tensor
from torch.nn import functional

from engine.audiovisual.sound import FORMATS, encode_sound, fitting
from engine.decoding.containers import ACCURATE, as_texts
from engine.decoding.copying import CONTAINERS, created
from engine.errors import MediaError

_NTSC = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001))
_NEAR = 1e-4
_BT709, _LIMITED = 1, 1


@dataclass(frozen=True, slots=True)
class Encoder:
    """How frames are encoded.

    Attributes:
        codecs: FFmpeg's names, best first; the first one that is there is taken.
        plain, deep, alpha: pixel formats for 8 bits, 10 bits, and transparency; None: not possible.
        quality: the default of `crf`, lower is better; None: it has none.
        options: of the codec.
        alpha_options: with transparency, beside the others.
    """

    codecs: tuple[str, ...]
    plain: str
    deep: str | None = None
    alpha: str | None = None
    quality: float | None = None
    options: Mapping[str, str] | None = None
    alpha_options: Mapping[str, str] | None = None


ENCODERS: Mapping[str, Encoder] = {
    "h264": Encoder(("libx264", "libopenh264", "h264"), "yuv420p", "yuv420p10le", quality=18),
    "vp9": Encoder(
        ("libvpx-vp9",),
        "yuv420p",
        "yuv420p10le",
        "yuva420p",
        quality=28,
        options={"b:v": "0", "row-mt": "1", "deadline": "good", "cpu-used": "4"},
    ),
    "av1": Encoder(
        ("libsvtav1", "libaom-av1"),
        "yuv420p",
        "yuv420p10le",
        quality=30,
        options={"preset": "8", "svtav1-params": "lp=2"},
    ),
    "prores": Encoder(
        ("prores_ks",),
        "yuv422p10le",
        "yuv422p10le",
        "yuva444p10le",
        options={"profile": "3"},
        alpha_options={"profile": "4"},
    ),
}


def formats_of(container: str, codec: str) -> tuple[str, str]:
    """The format and the codec that `auto` stands for.

    Raises:
        MediaError: there is no such format or codec, or they do not go together.
    """
    if container == "auto":
        fitting_ones = [name for name, (codecs, _) in CONTAINERS.items() if codec in codecs]
        container = "mp4" if codec == "auto" else next(iter(fitting_ones), "auto")
        if codec == "prores":
            container = "mov"
    if container not in CONTAINERS:
        raise MediaError(
            f"a video with format {container!r} and codec {codec!r} was requested; formats are "
            f"{', '.join(CONTAINERS)}, codecs {', '.join(ENCODERS)}"
        )
    codecs = CONTAINERS[container][0]
    if codec == "auto":
        codec = codecs[0]
    if codec not in codecs:
        raise MediaError(
            f"a video as {container} with {codec} was requested; {container} takes "
            f"{' or '.join(codecs)}"
        )
    return container, codec


def exact_rate(rate: float | Fraction) -> Fraction:
    """Frames per second as a fraction: 23.976 is 24000/1001."""
    for ntsc in _NTSC:
        if abs(float(rate) - float(ntsc)) < _NEAR * float(ntsc):
            return ntsc
    return Fraction(rate).limit_denominator(1001)


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """What is written as a video.

    Attributes:
        frames: float32 [H, W, C], 0 to 1, one by one.
        size: their width and height.
        rate: frames per second.
        sound: an AUDIO value, or None.
        metadata: of the file: texts, and values that become JSON.
        is_deep: whether more than 8 bits are kept, where the codec has them.
        has_alpha: whether C is 4, which is kept where the codec can.
    """

    frames: Iterator[Tensor]
    size: tuple[int, int]
    rate: Fraction
    sound: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    is_deep: bool = False
    has_alpha: bool = False


def write_video(
    target: str | Path | BinaryIO,
    film: Film,
    container: str,
    codec: str,
    *,
    quality: float | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> None:
    """Write frames and sound as a file, one frame after another.

    Args:
        target: a path, or a stream that can seek.
        film: the frames, and what goes with them.
        container: the format, see `formats_of`.
        codec: the codec, see `formats_of`.
        quality: the codec's `crf`; None: its default.
        checkpoint: is called at every frame.

    Raises:
        MediaError: it cannot be encoded, or there are no frames.
    """
    encoder = ENCODERS[codec]
    name = next((each for each in encoder.codecs if each in av.codecs_available), None)
    if name is None:
        raise MediaError(f"this build of FFmpeg has no encoder for {codec}; choose another codec")
    written = False
    try:
        with created(target, container) as file:
            file.metadata.update(as_texts(film.metadata))
            stream = _video_stream(file, name, encoder, film, quality)
            sound = _sound_stream(file, container, film.sound)
            for frame in _encodable(film.frames, stream.pix_fmt):
                checkpoint()
                written = True
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
            if sound is not None:
                encode_sound(file, *sound)
    except FFmpegError as error:
        width, height = film.size
        raise MediaError(
            f"frames of {width} x {height} cannot be written as {container} with {codec}: "
            f"{error.strerror}"
        ) from error
    if not written:
        raise MediaError("there are no frames to write as a video")


def _video_stream(file: Any, name: str, encoder: Encoder, film: Film, quality: float | None) -> Any:
    transparent = film.has_alpha and encoder.alpha is not None
    options = {**(encoder.options or {}), **((transparent and encoder.alpha_options) or {})}
    if encoder.quality is not None:
        options["crf"] = f"{encoder.quality if quality is None else quality:g}"
    stream = file.add_stream(name, rate=exact_rate(film.rate), options=options)
    deep = film.is_deep and encoder.deep is not None
    stream.pix_fmt = encoder.alpha if transparent else encoder.deep if deep else encoder.plain
    # Halved colours need even sides.
    stream.width, stream.height = (side + side % 2 for side in film.size)
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED
    if transparent and name.startswith("libvpx"):
        stream.metadata["alpha_mode"] = "1"
    return stream


def _encodable(images: Iterator[Tensor], pixel_format: str) -> Iterator[av.VideoFrame]:
    """Frames in a pixel format, as BT.709; odd sides repeat their last row or column."""
    deep = any(each.bits > 8 for each in av.VideoFormat(pixel_format).components)
    alpha = "a" in pixel_format
    name = ("rgba64le" if deep else "rgba") if alpha else "rgb48le" if deep else "rgb24"
    most = 65535 if deep else 255
    for number, image in enumerate(images):
        pixels = image[..., : 4 if alpha else 3].float().cpu()
        height, width = image.shape[:2]
        if width % 2 or height % 2:
            planes = pixels.movedim(-1, 0)[None]
            planes = functional.pad(planes, (0, width % 2, 0, height % 2), mode="replicate")
            pixels = planes[0].movedim(0, -1)
        levels = (pixels * most).round().clamp(0, most).to(torch.int32 if deep else torch.uint8)
        array = levels.contiguous().numpy().astype("uint16" if deep else "uint8", copy=False)
        frame = av.VideoFrame.from_ndarray(array, format=name)
        made = frame.reformat(
            format=pixel_format, dst_colorspace=Colorspace.ITU709, interpolation=ACCURATE
        )
        made.pts = number
        yield made


def _sound_stream(
    file: Any, container: str, audio: Mapping[str, Any] | None
) -> tuple[Any, Tensor, int, str] | None:
    if audio is None or not audio["waveform"].shape[-1]:
        return None
    form = FORMATS[CONTAINERS[container][1]]
    waveform = audio["waveform"][0].float().cpu()
    waveform, rate = fitting(waveform, int(audio["sample_rate"]), form)
    layout = "mono" if len(waveform) == 1 else "stereo" if len(waveform) == 2 else None
    if layout is None:
        waveform, layout = waveform.mean(0, keepdim=True).expand(2, -1), "stereo"
    stream = file.add_stream(form.codec, rate=rate, layout=layout)
    stream.bit_rate = 192_000
    return stream, waveform, rate, form.sample_format
