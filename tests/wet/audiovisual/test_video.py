"""Video files, against frames whose values are known."""

import io
import math
import struct
from fractions import Fraction

import av
import pytest
import torch

from engine.audiovisual.video import VideoComponents, VideoFromComponents, VideoFromFile
from engine.audiovisual.video_reader import read_frames
from engine.audiovisual.video_writer import exact_rate, formats_of
from engine.decoding import containers
from engine.errors import MediaError

RATE = Fraction(12)
LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])  # of BT.709


def clip(count=12, height=64, width=96, channels=3):
    """Smooth frames, each bluer than the one before."""
    down = torch.linspace(0, 1, height)[:, None].expand(height, width)
    right = torch.linspace(0, 1, width)[None].expand(height, width)
    frames = [
        torch.stack([right, down, torch.full_like(right, i / count)], -1) for i in range(count)
    ]
    images = torch.stack(frames)
    alpha = ((down + right) / 2).expand(count, height, width)[..., None]
    return torch.cat([images, alpha], -1) if channels == 4 else images


def tone(seconds=1.0, rate=48_000):
    moments = torch.arange(int(rate * seconds)) / rate
    wave = 0.5 * torch.sin(2 * math.pi * 440 * moments)
    return {"waveform": wave.repeat(1, 2, 1), "sample_rate": rate}


def written(images, container="mp4", codec="auto", audio=None, depth=8, **more):
    stream = io.BytesIO()
    parts = VideoComponents(images, RATE, audio, bit_depth=depth)
    VideoFromComponents(parts).save_to(stream, container, codec, **more)
    return stream


@pytest.mark.parametrize(
    ("container", "codec", "channels", "depth", "most"),
    [
        ("mp4", "h264", 3, 8, 0.006),
        ("mp4", "h264", 3, 10, 0.004),
        ("webm", "vp9", 3, 8, 0.006),
        ("webm", "vp9", 4, 8, 0.006),
        ("webm", "av1", 3, 8, 0.006),
        ("mov", "prores", 4, 10, 0.001),
    ],
)
def test_what_is_written_is_read(container, codec, channels, depth, most):
    images = clip(channels=channels)
    stream = written(
        images, container, codec, tone(), depth, metadata={"prompt": {"1": {}}, "note": "by hand"}
    )
    video = VideoFromFile(stream)
    found = video.get_components()
    assert found.images.shape == images.shape
    assert float((found.images - images).abs().mean()) < most
    # No darker and no lighter: rounding is even. Coarse quantisation of colours, which differs
    # between processors, moves red and blue, not the luminance.
    difference = (found.images - images)[..., :3].mean((0, 1, 2))
    assert abs(float(difference @ LUMINANCE)) < 0.001
    assert found.frame_rate == RATE
    assert found.bit_depth == depth
    assert (found.metadata["prompt"], found.metadata["note"]) == ({"1": {}}, "by hand")
    assert video.get_dimensions() == (96, 64)
    assert video.get_frame_count() == 12
    assert video.get_duration() == pytest.approx(1.0, abs=0.01)
    heard = found.audio["waveform"]
    assert heard.shape == (1, 2, 48_000)
    middle = slice(3000, 45_000)
    expected = tone()["waveform"]
    assert float((heard - expected)[..., middle].norm() / expected[..., middle].norm()) < 0.05


def test_a_flat_colour_stays():
    colours = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.2, 0.5, 0.8], [0.9, 0.1, 0.3]])
    images = colours[:, None, None].expand(4, 720, 1280, 3)
    found = VideoFromFile(written(images)).get_components().images
    assert float((found - images).abs().max()) < 0.012


def test_odd_sides_get_one_more_row_and_column():
    images = clip(height=65, width=97)
    found = VideoFromFile(written(images)).get_components().images
    assert found.shape == (12, 66, 98, 3)
    assert float((found[:, :65, :97] - images).abs().mean()) < 0.006


def test_what_keeps_its_format_is_not_encoded_again():
    video = VideoFromFile(written(clip(), "webm", "vp9", tone()))
    copy = io.BytesIO()
    video.save_to(copy, metadata={"prompt": {"2": {}}})
    assert video.container_for("auto", "auto") == "webm"
    again = VideoFromFile(copy).get_components()
    assert torch.equal(again.images, video.get_components().images)
    assert again.metadata["prompt"] == {"2": {}}
    other = io.BytesIO()
    video.save_to(other, "mp4")
    found = VideoFromFile(other)
    assert "mp4" in found.get_container_format()
    assert found.get_frame_count() == 12
    assert found.get_components().audio["waveform"].shape[-1] == pytest.approx(48_000, abs=1100)


@pytest.mark.parametrize("from_file", [True, False])
def test_a_part_has_its_frames_and_its_sound(from_file):
    images = clip()
    video = VideoFromComponents(VideoComponents(images, RATE, tone()))
    if from_file:
        video = VideoFromFile(written(images, audio=tone()))
    found = video.sliced(0.25, 0.5).get_components()
    assert found.images.shape[0] == 6
    assert float((found.images[0] - images[3]).abs().mean()) < 0.01
    assert found.audio["waveform"].shape[-1] == 24_000
    part = video.sliced(0.25, 0.5).sliced(0.25, 0.0).get_components()
    assert part.images.shape[0] == 3
    assert float((part.images[0] - images[6]).abs().mean()) < 0.01


def test_frames_that_last_differently_come_at_an_even_rate():
    images, places = clip(4), (0, 1, 6, 7)
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as file:
        video = file.add_stream("libx264", rate=8)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.codec_context.time_base = Fraction(1, 8)
        for image, place in zip(images, places, strict=True):
            array = (image * 255).round().byte().numpy()
            frame = av.VideoFrame.from_ndarray(array, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = place, Fraction(1, 8)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    video = VideoFromFile(stream)
    found = video.get_components()
    count = round(found.frame_rate * 1)
    assert len(found.images) == pytest.approx(count, abs=1)
    # The second frame is seen until the third one comes, at 6 / 8 s.
    blues = found.images[..., 2].mean((1, 2))
    late = blues[round(float(found.frame_rate) * 5 / 8)]
    assert float(late) == pytest.approx(1 / 4, abs=0.02)


def test_a_rotated_film_comes_upright():
    content = bytearray(written(clip()).getvalue())
    place = content.index(b"tkhd") + 4 + 40
    # ISO 14496-12, 8.3.2: the matrix of a track, here a quarter turn clockwise
    content[place : place + 36] = struct.pack(
        ">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30
    )
    video = VideoFromFile(io.BytesIO(bytes(content)))
    found = video.get_components().images
    assert video.get_dimensions() == (64, 96)
    expected = torch.rot90(clip(), -1, (1, 2))
    assert float((found - expected).abs().mean()) < 0.01


def test_a_film_is_written_frame_by_frame(monkeypatch):
    video = VideoFromFile(written(clip(60)))
    monkeypatch.setattr(video, "get_components", lambda: pytest.fail("all frames were decoded"))
    stream = io.BytesIO()
    video.save_to(stream, "webm")
    assert len(list(read_frames(stream))) == 60


def test_a_film_that_does_not_fit_says_how_much_it_would_take(monkeypatch):
    video = VideoFromFile(written(clip()))
    monkeypatch.setattr(containers, "available_memory", lambda: 100_000)
    with pytest.raises(MediaError, match=r"12 frames of 96 x 64 takes .* free; take a part"):
        video.get_components()


@pytest.mark.parametrize("kept", [0, 40, 2000])
def test_a_damaged_film_is_told(kept):
    content = written(clip()).getvalue()[:kept]
    with pytest.raises(MediaError):
        VideoFromFile(io.BytesIO(content)).get_components()


def test_sound_alone_is_no_film():
    from engine.audiovisual.sound import sound_bytes

    content = sound_bytes(tone()["waveform"][0], 48_000, "flac")
    with pytest.raises(MediaError, match="load it with Load Audio"):
        VideoFromFile(io.BytesIO(content)).get_components()


def test_formats_and_codecs_go_together():
    assert formats_of("auto", "auto") == ("mp4", "h264")
    assert formats_of("auto", "prores") == ("mov", "prores")
    assert formats_of("webm", "auto") == ("webm", "vp9")
    with pytest.raises(MediaError, match="webm with h264 was requested; webm takes vp9 or av1"):
        formats_of("webm", "h264")
    with pytest.raises(MediaError, match="formats are mp4, webm, mov"):
        formats_of("avi", "auto")


def test_rates_of_television_are_exact():
    assert exact_rate(23.976) == Fraction(24000, 1001)
    assert exact_rate(29.97) == Fraction(30000, 1001)
    assert exact_rate(16.0) == 16
    assert exact_rate(12.5) == Fraction(25, 2)


def test_no_frames_are_no_film():
    with pytest.raises(MediaError, match="no frames to write"):
        written(torch.zeros(0, 64, 96, 3))


def test_the_colours_of_a_file_are_named(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(written(clip()).getvalue())
    with av.open(str(path)) as file:
        context = file.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        frame = next(file.decode(video=0))
        luma = frame.to_ndarray()[:64]
    # limited range, as players expect
    assert 14 <= luma.min() < 20
    assert luma.max() <= 236
