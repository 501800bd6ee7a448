"""Sound: AUDIO values, and their files through PyAV.

An AUDIO value is `{"waveform": float32 [B, channels, samples], "sample_rate": int}`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any, BinaryIO

import av
import numpy as np
import torch
from av.error import FFmpegError
from torch import Tensor

from engine.decoding.containers import Growth, Source, check_room
from engine.decoding.helper import asked
from engine.decoding.messages import Content, Done, ReadSound, Silence, SoundDescribed
from engine.errors import MediaError, WireError

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_LAYOUTS: Mapping[int, str] = {
    1: "mono",
    2: "stereo",
    3: "2.1",
    4: "quad",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}
_CHUNK = 1 << 16
"""Samples that are encoded at once."""
_PADDING = 4096
"""Samples by which a codec may fill its last frame."""
_TRIM = "load less of it, for example a shorter file"


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """A file format of sound.

    Attributes:
        suffix: of its files.
        container, codec: FFmpeg's names.
        sample_format: of the samples that the codec takes.
        rates: the sample rates that it has; none for any.
        qualities: bits per second by name; 0 for the best variable rate.
        most_channels: how many it has.
    """

    suffix: str
    container: str
    codec: str
    sample_format: str
    rates: tuple[int, ...] = ()
    qualities: Mapping[str, int] | None = None
    most_channels: int = 8


FORMATS: Mapping[str, SoundFormat] = {
    "flac": SoundFormat(".flac", "flac", "flac", "s16"),
    "mp3": SoundFormat(
        ".mp3",
        "mp3",
        "libmp3lame",
        "fltp",
        _MP3_RATES,
        {"V0": 0, "128k": 128_000, "320k": 320_000},
        2,
    ),
    "opus": SoundFormat(
        ".opus",
        "opus",
        "libopus",
        "flt",
        OPUS_RATES,
        {
            "64k": 64_000,
            "96k": 96_000,
            "128k": 128_000,
            "192k": 192_000,
            "320k": 320_000,
        },
    ),
    "wav": SoundFormat(".wav", "wav", "pcm_s16le", "s16"),
    "m4a": SoundFormat(".m4a", "ipod", "aac", "fltp", qualities={"128k": 128_000, "256k": 256_000}),
}


def read_sound(
    source: Source, *, start: float = 0.0, duration: float | None = None, name: str = ""
) -> dict[str, Any] | None:
    """The first sound of a file, or of a part of it, as an AUDIO value; None without sound.

    Args:
        source: the file.
        start: seconds from the beginning.
        duration: seconds; None: to the end.
        name: for messages.

    Raises:
        MediaError: it cannot be read, or does not fit into memory.
    """
    with asked(lambda found: ReadSound(found, start, duration), source, name) as exchange:
        head = exchange.next()
        if isinstance(head, Done):
            return None
        if not isinstance(head, SoundDescribed):
            raise WireError(f"a {type(head).__name__} came where sound begins")
        rate, channels = head.rate, head.channels
        # twice: the parts, and the whole of them
        announced = min(head.seconds, duration or math.inf) * rate
        check_room(int(8 * announced * channels), "the sound", _TRIM)
        # The length in the head of a file may be wrong.
        growth = Growth("the sound", _TRIM)
        parts: list[Tensor] = []
        while not isinstance(answer := exchange.next(), Done):
            if isinstance(answer, Silence):
                taken = 4 * channels * answer.samples
                growth.add(taken, taken)
                parts.append(torch.zeros(channels, answer.samples))
            elif isinstance(answer, Content):
                parts.append(torch.from_numpy(exchange.array(answer)))
                growth.add(parts[-1].nbytes, parts[-1].nbytes)
            else:
                raise WireError(f"a {type(answer).__name__} came among samples")
    waveform = torch.cat(parts, 1) if parts else torch.zeros(channels, 0)
    left = answer.length - round(start * rate)
    if duration is None and 0 < waveform.shape[1] - left < _PADDING:
        waveform = waveform[:, :left]
    return {"waveform": waveform[None], "sample_rate": rate}


def resampled(waveform: Tensor, rate: int, to: int) -> Tensor:
    """Sound [B, C, T] at another sample rate, by FFmpeg's band-limited interpolation."""
    if rate == to or not waveform.shape[-1]:
        return waveform
    rows: list[Tensor] = []
    for row in waveform.float().cpu():
        channels: list[np.ndarray[Any, Any]] = []
        for channel in row:
            # Each on its own, as a layout mixes nothing then.
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=to)
            parts: list[np.ndarray[Any, Any]] = []
            for chunk in channel.split(_CHUNK):
                frame = _frame(chunk[None], rate, "fltp")
                parts += [each.to_ndarray() for each in resampler.resample(frame)]
            parts += [each.to_ndarray() for each in resampler.resample(None)]
            channels.append(np.concatenate(parts, 1)[0])
        length = min(map(len, channels))
        rows.append(torch.from_numpy(np.stack([each[:length] for each in channels])))
    return torch.stack(rows)


def _frame(samples: Tensor, rate: int, form: str) -> av.AudioFrame:
    """A frame of samples [C, T], -1 to 1, in one of FFmpeg's forms."""
    if form.startswith("s16"):
        values = (samples * 32768).round().clamp(-32768, 32767).to(torch.int16)
    else:
        values = samples.contiguous()
    array = values.numpy() if form.endswith("p") else values.T.reshape(1, -1).contiguous().numpy()
    frame = av.AudioFrame.from_ndarray(array, format=form, layout=_LAYOUTS[len(samples)])
    frame.sample_rate = rate
    return frame


def fitting(waveform: Tensor, rate: int, form: SoundFormat) -> tuple[Tensor, int]:
    """Sound [C, T] with channels and a rate that a format has: too many channels are mixed."""
    if len(waveform) > form.most_channels or len(waveform) not in _LAYOUTS:
        waveform = waveform.mean(0, keepdim=True).expand(min(form.most_channels, 2), -1)
    if form.rates and rate not in form.rates:
        to = min((each for each in form.rates if each >= rate), default=form.rates[-1])
        waveform, rate = resampled(waveform[None], rate, to)[0], to
    return waveform, rate


def write_sound(
    stream: BinaryIO,
    waveform: Tensor,
    rate: int,
    form: SoundFormat,
    *,
    quality: str | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write sound [C, T], -1 to 1, as a file.

    Args:
        stream: is written to, and must be able to seek.
        waveform: the sound; what the format lacks is mixed or resampled, see `fitting`.
        rate: its samples per second.
        form: the format.
        quality: one of its qualities; None: the first, where it has any.
        texts: metadata by keyword.

    Raises:
        MediaError: there is no such quality, or it cannot be encoded.
    """
    waveform, rate = fitting(waveform.float().cpu(), rate, form)
    try:
        options = {"movflags": "use_metadata_tags"} if form.container == "ipod" else {}
        with av.open(stream, mode="w", format=form.container, options=options) as container:
            if texts:
                container.metadata.update(texts)
            layout = _LAYOUTS[len(waveform)]
            sound = container.add_stream(form.codec, rate=rate, layout=layout)
            sound.time_base = Fraction(1, rate)
            _choose_quality(sound, form, quality)
            encode_sound(container, sound, waveform, rate, form.sample_format)
    except FFmpegError as error:
        raise MediaError(f"the sound cannot be written as {form.suffix[1:]}: {error}") from error


def _choose_quality(sound: Any, form: SoundFormat, quality: str | None) -> None:
    if form.qualities is None:
        return
    if quality is not None and quality not in form.qualities:
        raise MediaError(
            f"quality {quality!r} was requested; {form.suffix[1:]} has {', '.join(form.qualities)}"
        )
    chosen = form.qualities[quality or next(iter(form.qualities))]
    if chosen:
        sound.bit_rate = chosen
    else:
        # libmp3lame's best variable rate; FFmpeg's flag for "by quality" is 2
        sound.codec_context.flags |= 2
        sound.codec_context.global_quality = 0


def encode_sound(container: Any, sound: Any, waveform: Tensor, rate: int, form: str) -> None:
    """Encode sound [C, T] into an open container's stream, to its end."""
    place = 0
    for chunk in waveform.split(_CHUNK, dim=1):
        if chunk.shape[1]:
            frame = _frame(chunk, rate, form)
            frame.pts = place
            frame.time_base = Fraction(1, rate)
            place += chunk.shape[1]
            container.mux(sound.encode(frame))
    container.mux(sound.encode(None))


def sound_bytes(waveform: Tensor, rate: int, form: str = "wav", **how: Any) -> bytes:
    """Sound [C, T] as the bytes of a file; see `write_sound`."""
    stream = BytesIO()
    write_sound(stream, waveform, rate, FORMATS[form], **how)
    return stream.getvalue()
