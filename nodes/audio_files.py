"""Nodes that load, save and play sound."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from engine.audiovisual.sound import FORMATS, read_sound, write_sound
from engine.errors import NodeError
from engine.files import file_identity
from engine.media.metadata import metadata_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import DynamicCombo, FileChoice, Socket
from nodes.audio import sound_of
from nodes.image_files import OneLinePrefix, file_exists
from nodes.sockets import Audio

AudioFile = Annotated[str, FileChoice("input_audio", upload="audio_upload")]


@node("LoadAudio", category="audio", display="Load Audio", checks=("audio",))
def load_audio(audio: AudioFile, ctx: Context) -> Audio:
    """Load the sound of an audio or video file."""
    return _load(audio, ctx)


@load_audio.check
def _(audio: str | None, ctx: Context) -> bool | str:
    return file_exists(audio, ctx, place="input")


@load_audio.fingerprint
def _(audio: str | None, ctx: Context) -> object:
    return audio and file_identity(ctx.files.find_annotated(audio))


@node("RecordAudio", category="audio", display="Record Audio")
def record_audio(audio: Annotated[str, Socket("AUDIO_RECORD")], ctx: Context) -> Audio:
    """A sound recorded with the microphone."""
    if not audio:
        raise NodeError("nothing was recorded yet; record a sound on the node, then run")
    return _load(audio, ctx)


@record_audio.fingerprint
def _(audio: str | None, ctx: Context) -> object:
    return audio and file_identity(ctx.files.find_annotated(audio))


def _load(name: str, ctx: Context) -> dict[str, object]:
    path = ctx.files.find_annotated(name)
    found = read_sound(path, name=path.name)
    if found is None:
        raise NodeError(f"{path.name}: there is no sound in it; choose another file")
    return found


@node(
    "SaveAudio",
    category="audio",
    display="Save Audio (FLAC)",
    output_names=("audio",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_audio(
    audio: Audio, ctx: Context, filename_prefix: OneLinePrefix = "audio/ComfyUI"
) -> Audio:
    """Save sound as FLAC, without loss, with the workflow."""
    return _save(audio, ctx, filename_prefix, "flac")


@node(
    "SaveAudioMP3",
    category="audio",
    display="Save Audio (MP3)",
    output_names=("audio",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_audio_mp3(
    audio: Audio,
    ctx: Context,
    filename_prefix: OneLinePrefix = "audio/ComfyUI",
    quality: Literal["V0", "128k", "320k"] = "V0",
) -> Audio:
    """Save sound as MP3, with the workflow; V0 is the best variable rate."""
    return _save(audio, ctx, filename_prefix, "mp3", quality)


@node(
    "SaveAudioOpus",
    category="audio",
    display="Save Audio (Opus)",
    output_names=("audio",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_audio_opus(
    audio: Audio,
    ctx: Context,
    filename_prefix: OneLinePrefix = "audio/ComfyUI",
    quality: Literal["64k", "96k", "128k", "192k", "320k"] = "128k",
) -> Audio:
    """Save sound as Opus, with the workflow."""
    return _save(audio, ctx, filename_prefix, "opus", quality)


class _Flac(NamedTuple):
    pass


class _Mp3(NamedTuple):
    quality: Literal["V0", "128k", "320k"] = "V0"


class _Opus(NamedTuple):
    quality: Literal["64k", "96k", "128k", "192k", "320k"] = "128k"


class _M4a(NamedTuple):
    quality: Literal["128k", "256k"] = "256k"


class _Wav(NamedTuple):
    pass


@node(
    "SaveAudioAdvanced",
    category="audio",
    display="Save Audio (Advanced)",
    output_names=("audio",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_audio_advanced(
    audio: Audio,
    ctx: Context,
    filename_prefix: OneLinePrefix = "audio/ComfyUI",
    *,
    format: Annotated[  # noqa: A002 - its name
        Mapping[str, Any],
        DynamicCombo({"flac": _Flac, "mp3": _Mp3, "opus": _Opus, "m4a": _M4a, "wav": _Wav}),
    ],
) -> Audio:
    """Save sound in one of several formats, with the workflow (WAV has no place for it)."""
    return _save(audio, ctx, filename_prefix, format["format"], format.get("quality"))


@node(
    "PreviewAudio",
    category="audio",
    display="Preview Audio",
    output_names=("audio",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def preview_audio(audio: Audio, ctx: Context) -> Audio:
    """Play sound under the node; the file is temporary."""
    return _save(audio, ctx, f"preview_{secrets.token_hex(3)}", "flac", place="temp")


def _save(
    audio: Audio,
    ctx: Context,
    prefix: str,
    form: str,
    quality: str | None = None,
    *,
    place: str = "output",
) -> Audio:
    waveform, rate = sound_of(audio)
    if not waveform.numel():
        raise NodeError("the sound is empty; there is nothing to save")
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    shown: list[dict[str, str]] = []
    for index, sound in enumerate(waveform):
        ctx.checkpoint()
        name = prefix.replace("%batch_num%", str(index))
        new = ctx.files.new_output(name, FORMATS[form].suffix, place=place)
        ctx.files.fill(
            new,
            lambda stream, sound=sound: write_sound(
                stream, sound, rate, FORMATS[form], quality=quality, texts=texts
            ),
        )
        shown.append(new.shown())
    ctx.show(audio=shown)
    return audio
