"""Hostile files of video and sound: a sentence, in little memory, in bounded time."""

import io
import os
import re
import signal
import sys
from fractions import Fraction
from pathlib import Path

import psutil
import pytest
import torch
from PIL import Image

from engine.audiovisual.sound import read_sound
from engine.audiovisual.video import VideoComponents, VideoFromComponents, VideoFromFile
from engine.audiovisual.video_reader import read_frames
from engine.decoding import containers, helper
from engine.decoding.helper import Helper, asked
from engine.decoding.messages import DescribeVideo, VideoDescribed
from engine.errors import MediaError

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import hostile_files
import media_fuzz

MB = 1 << 20
HELPER = 400 * MB
"""Bytes that a helper may use here; on a user's machine it is half of what is free, 1 to 4 GB."""
FREE = 200 * MB
"""Bytes that are free here; the process that asks for a file may grow by no more."""


def film(count=8):
    stream = io.BytesIO()
    parts = VideoComponents(torch.rand(count, 64, 96, 3), Fraction(12))
    VideoFromComponents(parts).save_to(stream)
    return stream.getvalue()


def picture(form, size=(96, 64)):
    stream = io.BytesIO()
    Image.new("RGB", size, (200, 0, 0)).save(stream, form)
    return stream.getvalue()


SOUNDS = {
    "a text of 2 GB": (hostile_files.huge_text, "no video or sound that can be read"),
    "a billion samples per second": (
        lambda: hostile_files.wav(rate=10**9),
        "2 channels of 1,000,000,000 samples per second; at most 64",
    ),
    "no samples per second": (lambda: hostile_files.wav(rate=0), "no video or sound that can be"),
    "1000 channels": (lambda: hostile_files.wav(channels=1000), "1,000 channels|cannot be|no rate"),
    "an unknown codec": (lambda: hostile_files.wav(kind=0x7777), "cannot be decoded"),
    "silence in 8 channels": (hostile_files.silent_flac, "the sound takes .* GB"),
    "silence of unknown length": (
        lambda: hostile_files.without_length(hostile_files.silent_flac()),
        "the sound takes 0.2 GB of memory, and 0.2 GB are free; load less of it",
    ),
    "a film without end": (hostile_files.endless_matroska, "no sound"),
}
FILMS = {
    "32k x 32k": (lambda: hostile_files.raw_film(32_768, 32_768), "no video or sound|more memory"),
    "16k x 16k": (lambda: hostile_files.raw_film(16_000, 16_000), "no frame|more memory"),
    "a frame that grows": (
        lambda: hostile_files.packets(
            "avi", "png", (96, 64), [picture("PNG"), picture("PNG", (3000, 3000))]
        ),
        "8 frames|2 frames|more memory",
    ),
    "a million frames per second": (
        lambda: hostile_files.packets(
            "matroska", "mjpeg", (96, 64), [picture("JPEG")] * 3, rate=10**6
        ),
        "1 frames",
    ),
    "without end": (hostile_files.endless_matroska, "no video"),
    "no length": (lambda: hostile_files.with_length(film(), 0), "8 frames"),
    "a negative length": (lambda: hostile_files.with_length(film(), 0xFFFFFFFE), "8 frames"),
    "years": (lambda: hostile_files.with_length(film(), 0x7FFFFFFF), "8 frames"),
    "a page": (lambda: b"<html>not found</html>" * 100, "no video or sound that can be read"),
}


@pytest.fixture(scope="module")
def small():
    """A helper of little memory."""
    return Helper(memory=HELPER)


@pytest.fixture
def bounded(small, monkeypatch):
    """That helper as the only one; afterwards neither it nor this process has grown too much."""
    monkeypatch.setattr(helper, "_idle", [small])
    monkeypatch.setattr(helper, "Helper", lambda: Helper(memory=HELPER))
    monkeypatch.setattr(containers, "available_memory", lambda: FREE)
    before = psutil.Process().memory_info().rss
    yield
    if psutil.pid_exists(small.pid):  # a reader that gave up half-way ends it
        lines = Path(f"/proc/{small.pid}/status").read_text(encoding="ascii").splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        assert peak * 1024 < HELPER + 100 * MB  # Python's and FFmpeg's own code
    assert psutil.Process().memory_info().rss - before < FREE


def said_of(read):
    """The sentence that a file is refused with, or what was read of it."""
    try:
        found = read()
    except MediaError as error:
        return str(error)
    if found is None:
        return "no sound"
    return f"{len(found.images)} frames" if hasattr(found, "images") else "a sound"


@pytest.mark.parametrize("name", SOUNDS)
def test_a_hostile_sound_is_a_sentence(name, bounded, tmp_path):
    make, sentence = SOUNDS[name]
    path = tmp_path / "a.wav"
    path.write_bytes(make())
    assert re.search(sentence, said_of(lambda: read_sound(path)))


@pytest.mark.parametrize("name", FILMS)
def test_a_hostile_film_is_a_sentence_or_what_is_there(name, bounded, tmp_path):
    make, sentence = FILMS[name]
    path = tmp_path / "a.mp4"
    path.write_bytes(make())
    assert re.search(sentence, said_of(lambda: VideoFromFile(path).get_components()))


@pytest.mark.parametrize("channels", [8, 9, 16, 64])
def test_more_channels_than_eight_are_read(channels, tmp_path):
    """PyAV's own planar frames end the process there."""
    path = tmp_path / "a.wav"
    values = torch.arange(channels * 1000, dtype=torch.int16).reshape(1000, channels) * 3
    path.write_bytes(hostile_files.wav(channels, data=values.numpy().tobytes()))
    found = read_sound(path)["waveform"]
    assert torch.equal(found[0], values.T / 32768)


def test_a_late_sound_that_would_not_fit_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(hostile_files.late_sound(seconds=300))
    whole = read_sound(path)["waveform"]
    assert whole.shape == (1, 2, 48_000 * 300 + 4800)
    assert not whole[..., : 48_000 * 300 - 10].any()
    monkeypatch.setattr(containers, "available_memory", lambda: FREE)
    with pytest.raises(MediaError, match=r"the sound takes 0\.2 GB"):
        read_sound(path)


def test_frames_of_another_size_are_scaled_to_the_first(tmp_path):
    path = tmp_path / "a.avi"
    contents = [picture("PNG"), picture("PNG", (192, 128)), picture("PNG", (50, 70))]
    path.write_bytes(hostile_files.packets("avi", "png", (96, 64), contents))
    images = VideoFromFile(path).get_components().images
    assert images.shape == (3, 64, 96, 3)
    assert float((images - images[0, 0, 0]).abs().max()) < 0.01


def test_a_crash_costs_a_sentence_and_the_next_file_is_read(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(film())
    doomed = Helper()
    os.kill(doomed.pid, signal.SIGSEGV)
    with (
        pytest.raises(MediaError, match=r"a\.mp4: the process .* while it read it \(SIGSEGV\)"),
        asked(DescribeVideo, path, "", helper=doomed) as exchange,
    ):
        exchange.only(VideoDescribed)
    assert len(list(read_frames(path))) == 8


def test_a_file_that_never_ends_is_given_up(tmp_path):
    path = tmp_path / "a.mp4"
    os.mkfifo(path)
    slow = Helper(patience=1.5)
    with (
        pytest.raises(MediaError, match=r"a.mp4: nothing more of it could be read for 1.5 s"),
        asked(DescribeVideo, path, "", helper=slow) as exchange,
    ):
        exchange.only(VideoDescribed)
    assert not psutil.pid_exists(slow.pid)


def test_a_reader_that_stops_early_leaves_no_process(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_bytes(film(100))
    only = Helper()
    monkeypatch.setattr(helper, "_idle", [only])
    frames = read_frames(path)
    next(frames)
    assert psutil.pid_exists(only.pid)
    frames.close()
    assert not psutil.pid_exists(only.pid)
    assert helper._idle == []


def test_damaged_files_are_read_or_refused_with_a_sentence(tmp_path):
    """A part of what `tests/bench/media_fuzz.py` does, through the helper."""
    ends = {"read": 0, "refused": 0}
    for kind in ("wav", "mp3", "flac", "opus", "m4a", "mka", "mp4", "webm"):
        good = media_fuzz.KINDS[kind]()
        for seed in range(6):
            path = tmp_path / f"{seed}.{kind}"
            path.write_bytes(media_fuzz.damaged(good, seed))
            try:
                if kind in media_fuzz.VIDEOS:
                    VideoFromFile(path).get_components()
                else:
                    read_sound(path)
                ends["read"] += 1
            except MediaError:
                ends["refused"] += 1
    assert min(ends.values()) > 10
