"""Nodes that make, change, load and save sound, against numbers worked out by hand."""

import math

import pytest
import torch

from engine.audiovisual.sound import sound_bytes
from engine.audiovisual.video_reader import read_documents
from engine.errors import FilesError, NodeError
from engine.nodekit.context import RunningContext
from nodes.audio import (
    audio_adjust_volume,
    audio_concat,
    audio_merge,
    empty_audio,
    empty_latent_audio,
    split_audio_channels,
    trim_audio,
)
from nodes.audio_files import (
    load_audio,
    preview_audio,
    record_audio,
    save_audio,
    save_audio_advanced,
    save_audio_mp3,
    save_audio_opus,
)

PROMPT = {"9": {"class_type": "SaveAudio", "inputs": {"filename_prefix": "a"}}}
EXTRA = {"workflow": {"nodes": [], "version": 0.4}}


@pytest.fixture
def ctx(files):
    return RunningContext("9", files, prompt=PROMPT, extra=EXTRA)


def sound(*values, rate=10):
    return {"waveform": torch.tensor([list(values)]).float(), "sample_rate": rate}


def tone(hertz=440, rate=48_000, seconds=0.5):
    moments = torch.arange(int(rate * seconds), dtype=torch.float64) / rate
    wave = (0.7 * torch.sin(2 * math.pi * hertz * moments)).float()
    return {"waveform": wave.repeat(1, 2, 1), "sample_rate": rate}


def test_silence_has_its_length_and_channels():
    found = empty_audio(1.25, 8000, 2)
    assert found["waveform"].shape == (1, 2, 10_000)
    assert not found["waveform"].any()
    with pytest.raises(NodeError, match="86400 s are possible"):
        empty_audio(1e12)


@pytest.mark.parametrize(
    ("start", "duration", "expected"),
    [
        (0.0, 0.2, [0, 1]),
        (0.3, 0.2, [3, 4]),
        (-0.2, 9.0, [8, 9]),
        (0.0, 60.0, list(range(10))),
        (-99.0, 0.1, [0]),
    ],
)
def test_a_part_of_a_sound(start, duration, expected):
    found = trim_audio(sound(list(range(10))), start, duration)
    assert found["waveform"].tolist() == [[expected]]


@pytest.mark.parametrize(("start", "duration"), [(5.0, 1.0), (0.5, 0.0)])
def test_an_empty_part_is_an_error(start, duration):
    with pytest.raises(NodeError, match=r"is empty; the sound has 1.00 s"):
        trim_audio(sound(list(range(10))), start, duration)


def test_channels_are_split():
    left, right = split_audio_channels(sound([1, 2], [3, 4]))
    assert left["waveform"].tolist() == [[[1, 2]]]
    assert right["waveform"].tolist() == [[[3, 4]]]
    with pytest.raises(NodeError, match="only stereo has a left"):
        split_audio_channels(sound([1, 2]))


@pytest.mark.parametrize(
    ("direction", "expected"), [("after", [1, 2, 3, 4]), ("before", [3, 4, 1, 2])]
)
def test_sounds_are_joined(direction, expected):
    found = audio_concat(sound([1, 2]), sound([3, 4]), direction)
    assert found["waveform"].tolist() == [[expected]]


def test_mono_joins_stereo_and_the_higher_rate_wins():
    one, other = tone(rate=48_000), tone(rate=24_000)
    other["waveform"] = other["waveform"][:, :1]
    found = audio_concat(one, other)
    assert found["sample_rate"] == 48_000
    assert found["waveform"].shape == (1, 2, 48_000)
    second = found["waveform"][..., 24_000:]
    inner = slice(2000, -2000)
    assert float((second - one["waveform"])[..., inner].abs().max()) < 2e-3


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("add", [0.3, 0.1, 0.5]),
        ("subtract", [0.1, 0.3, 0.5]),
        ("multiply", [0.02, -0.02, 0.0]),
        ("mean", [0.15, 0.05, 0.25]),
    ],
)
def test_sounds_at_once_are_as_long_as_the_first(method, expected):
    found = audio_merge(sound([0.2, 0.2, 0.5]), sound([0.1, -0.1]), method)
    assert torch.allclose(found["waveform"], torch.tensor([[expected]]), atol=1e-6)


def test_what_becomes_too_loud_is_made_quieter():
    found = audio_merge(sound([1.0, 0.5]), sound([1.0, 0.0, 7.0]), "add")
    assert found["waveform"].tolist() == [[[1.0, 0.25]]]


def test_volume_counts_in_decibels():
    found = audio_adjust_volume(sound([0.5, -0.25]), -20)
    assert torch.allclose(found["waveform"], torch.tensor([[[0.05, -0.025]]]))


def test_blank_latents_are_stable_audios():
    found = empty_latent_audio(47.6, 2)
    assert found["samples"].shape == (2, 64, 1024)
    assert found["type"] == "audio"


@pytest.mark.parametrize(
    ("save", "suffix", "most"),
    [(save_audio, ".flac", 1e-4), (save_audio_mp3, ".mp3", 5e-3), (save_audio_opus, ".opus", 8e-2)],
)
def test_saved_sounds_are_loaded_and_carry_their_workflow(ctx, files, save, suffix, most):
    given = tone()
    assert save(given, ctx, "sub/a") is given
    [shown] = ctx.shown["audio"]
    assert shown == {"filename": f"a_00001_{suffix}", "subfolder": "sub", "type": "output"}
    path = files.folders("output")[0] / "sub" / shown["filename"]
    found = read_documents(path)
    assert found["prompt"] == PROMPT
    assert found["workflow"] == EXTRA["workflow"]
    heard = load_audio(f"sub/{shown['filename']} [output]", ctx)["waveform"]
    inner = slice(2500, 21_000)
    difference = (heard[..., inner] - given["waveform"][..., inner]).norm()
    assert float(difference / given["waveform"][..., inner].norm()) < most


def test_each_of_a_batch_is_a_file_and_a_preview_is_temporary(ctx):
    given = tone()
    given["waveform"] = given["waveform"].repeat(3, 1, 1)
    preview_audio(given, ctx)
    assert [each["type"] for each in ctx.shown["audio"]] == ["temp"] * 3
    assert len({each["filename"] for each in ctx.shown["audio"]}) == 3


def test_a_recording_is_loaded(ctx, files):
    folder = files.folders("input")[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recorded.opus").write_bytes(sound_bytes(tone()["waveform"][0], 48_000, "opus"))
    assert record_audio("recorded.opus", ctx)["sample_rate"] == 48_000
    with pytest.raises(NodeError, match="nothing was recorded yet"):
        record_audio("", ctx)


def test_only_sounds_and_films_are_offered(ctx, files):
    folder = files.folders("input")[0]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a.MP3", "b.png", "c.mp4", "d.gif"):
        (folder / name).write_bytes(b"")
    assert files.list("input_audio") == ["a.MP3", "c.mp4"]
    assert files.list("input_video") == ["c.mp4", "d.gif"]
    assert files.list("input") == ["a.MP3", "b.png", "c.mp4", "d.gif"]
    assert "there is no file 'x.mp3'" in load_audio.complaint({"audio": "x.mp3"}, {}, ctx)
    with pytest.raises(FilesError):
        load_audio("../a.MP3", ctx)


def test_no_sound_is_told_as_such(ctx):
    with pytest.raises(NodeError, match="the video that it comes from has none"):
        save_audio(None, ctx)
    with pytest.raises(NodeError, match="the sound is empty"):
        save_audio(sound([]), ctx)


@pytest.mark.parametrize(
    ("chosen", "suffix"),
    [
        ({"format": "flac"}, ".flac"),
        ({"format": "mp3", "quality": "V0"}, ".mp3"),
        ({"format": "m4a", "quality": "256k"}, ".m4a"),
        ({"format": "wav"}, ".wav"),
    ],
)
def test_one_node_saves_every_format(ctx, chosen, suffix):
    save_audio_advanced(tone(), ctx, "any", format=chosen)
    [shown] = ctx.shown["audio"]
    assert shown["filename"].endswith(suffix)
