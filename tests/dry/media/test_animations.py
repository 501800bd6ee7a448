"""Animations: every picture has its own frame and duration, even between equal neighbours."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from engine.errors import MediaError
from engine.media.animations import animated_png_bytes, animated_webp_bytes
from engine.media.metadata import read_texts
from engine.media.pictures import read_frames

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
TEXTS = {"prompt": '{"1": {"class_type": "A"}}', "workflow": '{"nodes": []}', "note": '"\\u00e9"'}
ENCODERS = [animated_png_bytes, animated_webp_bytes]


def durations(content: bytes) -> list[float]:
    with Image.open(io.BytesIO(content)) as animation:
        # WebP reports a frame's duration only after decoding, which a copy does.
        return [frame.copy().info["duration"] for frame in ImageSequence.Iterator(animation)]


def read_back(path: Path, content: bytes) -> list[Image.Image]:
    path.write_bytes(content)
    return list(read_frames(path))


def flat(*colors) -> list[Image.Image]:
    return [Image.new("RGB", (5, 4), color) for color in colors]


@pytest.mark.parametrize("encode", ENCODERS)
def test_frames_durations_and_texts_are_kept(tmp_path: Path, encode):
    content = encode(flat(RED, GREEN, BLUE), milliseconds=250, texts=TEXTS)
    found = read_back(tmp_path / "a", content)
    assert [frame.convert("RGB").getpixel((0, 0)) for frame in found] == [RED, GREEN, BLUE]
    assert durations(content) == [250] * 3
    assert read_texts(tmp_path / "a") == TEXTS


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_equal_neighbours_stay_apart(tmp_path: Path, encode, mode: str):
    colors = [RED, RED, RED, GREEN, GREEN, RED, BLUE, BLUE]
    frames = [frame.convert(mode) for frame in flat(*colors)]
    content = encode(frames, milliseconds=125)
    found = read_back(tmp_path / "a", content)
    assert [frame.convert("RGB").getpixel((4, 3)) for frame in found] == colors
    assert durations(content) == [125] * 8


@pytest.mark.parametrize("encode", ENCODERS)
def test_a_still_animation(tmp_path: Path, encode):
    content = encode(flat(RED, RED), milliseconds=1000 / 6)
    assert len(read_back(tmp_path / "a", content)) == 2


@pytest.mark.parametrize("encode", ENCODERS)
def test_one_frame_is_a_picture(tmp_path: Path, encode):
    content = encode(flat(RED), milliseconds=100, texts=TEXTS)
    (frame,) = read_back(tmp_path / "a", content)
    assert frame.convert("RGB").getpixel((0, 0)) == RED
    assert read_texts(tmp_path / "a") == TEXTS


@settings(max_examples=60, deadline=None)
@given(data=st.data(), encode=st.sampled_from(ENCODERS), mode=st.sampled_from(["RGB", "RGBA"]))
def test_whatever_changes_where_it_does(tmp_path_factory, data, encode, mode: str):
    """Changes in rectangles of any position and size, including transparent ones."""
    width, height = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    frames = [Image.new(mode, (width, height), (9, 9, 9, 255)[: len(mode)])]
    for _ in range(data.draw(st.integers(1, 4))):
        frame = frames[-1].copy()
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
            levels = data.draw(st.tuples(*[st.sampled_from([0, 1, 128, 255])] * len(mode)))
            frame.putpixel(at, levels)
        frames.append(frame)
    path = tmp_path_factory.mktemp("anim") / "a"
    found = read_back(path, encode(frames, milliseconds=40))
    assert len(found) == len(frames)
    for ours, given_frame in zip(found, frames, strict=True):
        for x in range(width):
            for y in range(height):
                wanted = given_frame.convert("RGBA").getpixel((x, y))
                got = ours.convert("RGBA").getpixel((x, y))
                # WebP drops the colour of transparent pixels.
                assert got == wanted or (got[3] == wanted[3] == 0)


def test_lossy_frames_are_near(tmp_path: Path):
    frames = flat((200, 30, 30), (200, 30, 30), (30, 200, 30))
    content = animated_webp_bytes(frames, milliseconds=40, lossless=False, quality=90)
    for ours, wanted in zip(read_back(tmp_path / "a", content), frames, strict=True):
        pairs = zip(ours.convert("RGB").getpixel((2, 2)), wanted.getpixel((2, 2)), strict=True)
        assert all(abs(a - b) < 12 for a, b in pairs)


def test_durations_are_as_exact_as_the_form_allows():
    frames = flat(RED, GREEN)
    assert durations(animated_png_bytes(frames, milliseconds=1000 / 6))[0] == pytest.approx(
        166.667, abs=0.001
    )
    assert durations(animated_webp_bytes(frames, milliseconds=1000 / 6))[0] == 167
    for fps in (0.01, 1000.0):
        for encode in ENCODERS:
            assert durations(encode(frames, milliseconds=1000 / fps)) == [1000 / fps] * 2


@pytest.mark.parametrize("encode", ENCODERS)
def test_what_cannot_be_an_animation_is_refused(encode):
    with pytest.raises(MediaError, match="one size and mode"):
        encode([], milliseconds=100)
    with pytest.raises(MediaError, match="one size and mode"):
        encode([Image.new("RGB", (2, 2)), Image.new("RGB", (3, 2))], milliseconds=100)
    with pytest.raises(MediaError):
        encode(flat(RED, GREEN), milliseconds=1e9)


def test_a_webp_has_its_largest_side():
    frames = [Image.new("RGB", (16384, 1)), Image.new("RGB", (16384, 1), RED)]
    with pytest.raises(MediaError, match="16384x1 pixels"):
        animated_webp_bytes(frames, milliseconds=100)
