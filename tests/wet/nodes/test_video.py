"""Nodes that load, make, cut and save videos."""

from fractions import Fraction

import pytest
import torch

from engine.audiovisual.video import VideoFromFile
from engine.errors import MediaError, NodeError, Stopped
from engine.nodekit.context import RunningContext
from nodes.video import (
    create_video,
    get_video_components,
    load_video,
    save_video,
    save_webm,
    video_slice,
)

PROMPT = {"9": {"class_type": "SaveVideo", "inputs": {"filename_prefix": "a"}}}
EXTRA = {"workflow": {"nodes": [], "version": 0.4}}


@pytest.fixture
def ctx(files):
    return RunningContext("9", files, prompt=PROMPT, extra=EXTRA)


def frames(count=8, channels=3):
    right = torch.linspace(0, 1, 96)[None, :, None].expand(64, 96, channels)
    return torch.stack([right * (i + 1) / count for i in range(count)])


def sound(seconds=1.0):
    return {"waveform": torch.zeros(1, 2, int(16_000 * seconds)), "sample_rate": 16_000}


def path_of(ctx, files):
    [shown] = ctx.shown["images"]
    assert ctx.shown["animated"] == [True]
    return files.folders("output")[0] / shown["subfolder"] / shown["filename"]


@pytest.mark.parametrize(
    ("container", "codec", "suffix"),
    [("auto", "auto", ".mp4"), ("webm", "vp9", ".webm"), ("auto", "prores", ".mov")],
)
def test_a_film_is_saved_with_its_workflow_and_loaded(ctx, files, container, codec, suffix):
    images = frames()
    video = create_video(images, 8.0, sound())
    assert save_video(video, ctx, "clips/%width%", container, codec) is video
    path = path_of(ctx, files)
    assert path.suffix == suffix
    assert path.stem == "96_00001_"
    loaded = load_video(f"clips/{path.name} [output]", ctx)
    parts = get_video_components(loaded)
    assert parts.fps == 8.0
    assert float((parts.images - images).abs().mean()) < 0.006
    assert parts.audio["waveform"].shape[-1] == pytest.approx(
        48_000 if "webm" in suffix else 16_000, abs=2100
    )
    metadata = loaded.get_components().metadata
    assert (metadata["prompt"], metadata["workflow"]) == (PROMPT, EXTRA["workflow"])


def test_a_loaded_film_keeps_its_frames_when_it_is_saved(ctx, files):
    save_webm(frames(), ctx, "a", codec="vp9", fps=12.0)
    first = path_of(ctx, files)
    other = RunningContext("8", files, prompt=PROMPT)
    save_video(load_video(f"{first.name} [output]", other), other, "b")
    second = path_of(other, files)
    assert second.suffix == ".webm"
    one, other = (VideoFromFile(path).get_components().images for path in (first, second))
    assert torch.equal(one, other)


def test_ten_bits_stay_ten_bits(ctx, files):
    save_video(create_video(frames(), 8.0, bit_depth=10), ctx, "deep")
    assert get_video_components(VideoFromFile(path_of(ctx, files))).bit_depth == 10


def test_transparency_is_kept_in_webm(ctx, files):
    save_webm(frames(channels=4), ctx, "clear", codec="vp9", fps=8.0, crf=20.0)
    found = get_video_components(VideoFromFile(path_of(ctx, files))).images
    assert found.shape[-1] == 4
    assert float((found - frames(channels=4)).abs().mean()) < 0.01


@pytest.mark.parametrize(
    ("start", "duration", "first", "count"),
    [(0.25, 0.5, 2, 4), (0.5, 0.0, 4, 4), (-0.25, 0.0, 6, 2), (0.0, 0.25, 0, 2), (0.0, 0.0, 0, 8)],
)
def test_a_slice(start, duration, first, count):
    images = frames()
    found = video_slice(create_video(images, 8.0, sound()), start, duration)
    assert torch.equal(found.get_components().images, images[first : first + count])
    assert found.get_components().audio["waveform"].shape[-1] == count * 2000


def test_a_slice_that_is_not_there_is_told():
    video = create_video(frames(), 8.0)
    with pytest.raises(NodeError, match=r"begins at 2 s, and the video ends at 1.00 s"):
        video_slice(video, 2.0)
    with pytest.raises(NodeError, match=r"2 s from 0.5 s on were requested, and 0.50 s are left"):
        video_slice(video, 0.5, 2.0, strict_duration=True)
    assert video_slice(video, 0.5, 2.0).get_frame_count() == 4


def test_faults_are_sentences(ctx, files):
    with pytest.raises(NodeError, match="no images in the batch"):
        create_video(torch.zeros(0, 8, 8, 3))
    with pytest.raises(MediaError, match="mp4 with prores was requested; mp4 takes"):
        save_video(create_video(frames(), 8.0), ctx, "a", "mp4", "prores")
    assert not list(files.folders("output")[0].glob("**/*.mp4"))
    folder = files.folders("input")[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "page.mp4").write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(MediaError, match=r"page.mp4: no video or sound that can be read"):
        get_video_components(load_video("page.mp4", ctx))
    assert "there is no file" in load_video.complaint({"file": "x.mp4"}, {}, ctx)


def test_saving_is_stopped_at_a_frame_and_leaves_no_file(files):
    calls = []

    def stopped():
        calls.append(1)
        return len(calls) > 3

    ctx = RunningContext("9", files, prompt=PROMPT, extra=EXTRA, stopped=stopped)
    with pytest.raises(Stopped):
        save_video(create_video(frames(), 8.0), ctx, "a")
    assert not [each for each in files.folders("output")[0].rglob("*") if each.is_file()]


def test_rates_are_exact():
    assert create_video(frames(), 23.976).get_frame_rate() == Fraction(24000, 1001)
