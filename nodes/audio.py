"""Nodes that make and change sound."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import torch

from engine.audiovisual.sound import resampled
from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Audio, Latent

_MOST = 18446744073709551615
_LONGEST = 24 * 3600
"""Seconds of silence that can be made: a day."""
LATENT_RATE, LATENT_STEP, LATENT_CHANNELS = 44_100, 2048, 64
"""Stable Audio's latents: 44.1 kHz, 2,048 samples for each cell, 64 channels."""


class Channels(NamedTuple):
    """The two channels of a sound, each as mono."""

    left: Audio
    right: Audio


def sound_of(audio: Any) -> tuple[torch.Tensor, int]:
    """The waveform [B, C, T] and the sample rate of an AUDIO value.

    Raises:
        NodeError: it is None, as from a video without sound, or no sound.
    """
    if audio is None:
        raise NodeError(
            "there is no sound: the video that it comes from has none. Load a sound, or make one "
            "with Empty Audio"
        )
    try:
        waveform, rate = audio["waveform"], int(audio["sample_rate"])
    except (KeyError, TypeError) as error:
        raise NodeError(f"a sound was expected, found {type(audio).__name__}") from error
    if waveform.ndim != 3:
        raise NodeError(f"a sound has 3 axes [B, channels, samples], found {list(waveform.shape)}")
    return waveform, rate


def _audio(waveform: torch.Tensor, rate: int) -> dict[str, Any]:
    return {"waveform": waveform, "sample_rate": rate}


@node("EmptyAudio", category="audio", display="Empty Audio")
def empty_audio(
    duration: Annotated[float, Range(0.0, _MOST, step=0.01)] = 60.0,
    sample_rate: Annotated[int, Range(1, 192000)] = 44100,
    channels: Annotated[int, Range(1, 2)] = 2,
) -> Audio:
    """Silence of that many seconds."""
    if duration > _LONGEST:
        raise NodeError(f"silence of {duration:g} s was requested; {_LONGEST} s are possible")
    return _audio(torch.zeros(1, channels, round(duration * sample_rate)), sample_rate)


@node("TrimAudioDuration", category="audio", display="Trim Audio Duration")
def trim_audio(
    audio: Audio,
    start_index: Annotated[float, Range(-_MOST, _MOST, step=0.01)] = 0.0,
    duration: Annotated[float, Range(0.0, None, step=0.01)] = 60.0,
) -> Audio:
    """A part of a sound; a `start_index` below 0 counts from the end. Both are in seconds."""
    waveform, rate = sound_of(audio)
    length = waveform.shape[-1]
    if not length:
        return _audio(waveform, rate)
    first = round(max(min(start_index, length / rate), -length / rate) * rate)
    first = first + length if first < 0 else first
    last = first + round(min(duration, length / rate) * rate)
    if first >= min(last, length):
        raise NodeError(
            f"the part from {start_index:g} s of {duration:g} s is empty; the sound has "
            f"{length / rate:.2f} s"
        )
    return _audio(waveform[..., first : min(last, length)], rate)


@node("SplitAudioChannels", category="audio", display="Split Audio Channels")
def split_audio_channels(audio: Audio) -> Channels:
    """The left and the right channel of a stereo sound."""
    waveform, rate = sound_of(audio)
    if waveform.shape[1] != 2:
        raise NodeError(
            f"only stereo has a left and a right channel; the sound has {waveform.shape[1]}"
        )
    return Channels(_audio(waveform[:, :1], rate), _audio(waveform[:, 1:], rate))


def _alike(
    one: torch.Tensor, rate: int, other: torch.Tensor, other_rate: int
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Two sounds with the higher of their rates, as many channels and rows."""
    most = max(rate, other_rate)
    pair = [resampled(one, rate, most), resampled(other, other_rate, most)]
    channels = max(each.shape[1] for each in pair)
    rows = max(each.shape[0] for each in pair)
    for index, each in enumerate(pair):
        if each.shape[1] not in (1, channels) or each.shape[0] not in (1, rows):
            raise NodeError(
                f"the sounds have {pair[0].shape[1]} and {pair[1].shape[1]} channels, "
                f"{pair[0].shape[0]} and {pair[1].shape[0]} rows; only one can become many"
            )
        pair[index] = each.expand(rows, channels, -1)
    return pair[0], pair[1], most


@node("AudioConcat", category="audio", display="Audio Concat")
def audio_concat(
    audio1: Audio, audio2: Audio, direction: Literal["after", "before"] = "after"
) -> Audio:
    """One sound after or before another, at the higher of their sample rates."""
    one, other, rate = _alike(*sound_of(audio1), *sound_of(audio2))
    pair = (one, other) if direction == "after" else (other, one)
    return _audio(torch.cat(pair, dim=2), rate)


@node("AudioMerge", category="audio", display="Audio Merge")
def audio_merge(
    audio1: Audio,
    audio2: Audio,
    merge_method: Literal["add", "mean", "subtract", "multiply"],
) -> Audio:
    """Two sounds at once, as long as the first; what becomes louder than 1 is made quieter."""
    one, other, rate = _alike(*sound_of(audio1), *sound_of(audio2))
    length = one.shape[-1]
    other = torch.nn.functional.pad(other[..., :length], (0, max(length - other.shape[-1], 0)))
    merged = {
        "add": torch.add,
        "subtract": torch.sub,
        "multiply": torch.mul,
        "mean": lambda a, b: (a + b) / 2,
    }[merge_method](one, other)
    loudest = merged.abs().amax() if merged.numel() else torch.tensor(0.0)
    return _audio(merged / loudest if loudest > 1 else merged, rate)


@node("AudioAdjustVolume", category="audio", display="Audio Adjust Volume")
def audio_adjust_volume(audio: Audio, volume: Annotated[int, Range(-100, 100)] = 1) -> Audio:
    """Change the volume by decibels: 6 is about twice, -6 about half the amplitude."""
    waveform, rate = sound_of(audio)
    return _audio(waveform * 10 ** (volume / 20), rate)


@node("EmptyLatentAudio", category="latent/audio", display="Empty Latent Audio")
def empty_latent_audio(
    seconds: Annotated[float, Range(1.0, 1000.0, step=0.1)] = 47.6,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
) -> Latent:
    """Blank latents of Stable Audio: 44.1 kHz, 2,048 samples per cell, an even number of cells."""
    cells = round(seconds * LATENT_RATE / LATENT_STEP / 2) * 2
    return {"samples": torch.zeros(batch_size, LATENT_CHANNELS, cells), "type": "audio"}
