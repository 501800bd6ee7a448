"""Pictures in files: what is opened and how, what is refused, what is written."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import MediaError
from engine.media.encoding import jpeg_bytes, png_bytes, webp_bytes
from engine.media.metadata import read_texts
from engine.media.modes import rgb, visible
from engine.media.pictures import Limits, read_frames

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def gradient(width: int = 8, height: int = 6) -> Image.Image:
    picture = Image.new("RGB", (width, height))
    for x in range(width):
        for y in range(height):
            picture.putpixel((x, y), (x * 20, y * 30, 77))
    return picture


def read_one(path: Path) -> Image.Image:
    (frame,) = read_frames(path)
    return frame


def saved(path: Path, picture: Image.Image, **options) -> Path:
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tiff", "tga", "ppm", "jp2", "qoi"])
def test_lossless_formats_come_back_as_they_were(tmp_path: Path, suffix: str):
    options = {"lossless": True} if suffix == "webp" else {}
    frame = read_one(saved(tmp_path / f"a.{suffix}", gradient(), **options))
    assert frame.mode == "RGB"
    assert frame.tobytes() == gradient().tobytes()


def test_a_picture_stands_upright(tmp_path: Path):
    """Orientation 6: the camera was turned; the stored left column is the shown top row."""
    picture = Image.new("RGB", (2, 1))
    picture.putpixel((0, 0), RED)
    picture.putpixel((1, 0), BLUE)
    exif = Image.Exif()
    exif[0x0112] = 6
    frame = read_one(saved(tmp_path / "a.png", picture, exif=exif))
    assert frame.size == (1, 2)
    assert [frame.getpixel((0, y)) for y in (0, 1)] == [RED, BLUE]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_all_frames_of_an_animation(tmp_path: Path, suffix: str):
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, GREEN, BLUE)]
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    shown = [frame.convert("RGB").getpixel((2, 2)) for frame in read_frames(path)]
    assert shown == [RED, GREEN, BLUE]


def test_pages_of_another_size_are_left_out(tmp_path: Path):
    path = tmp_path / "a.tiff"
    Image.new("RGB", (4, 4)).save(
        path, save_all=True, append_images=[Image.new("RGB", (2, 2)), Image.new("RGB", (4, 4))]
    )
    assert [frame.size for frame in read_frames(path)] == [(4, 4), (4, 4)]


def test_only_the_first_picture_of_an_mpo(tmp_path: Path):
    path = tmp_path / "a.jpg"
    gradient().save(path, "MPO", save_all=True, append_images=[gradient()])
    assert len(list(read_frames(path))) == 1


def test_what_is_no_picture_is_refused(tmp_path: Path):
    path = tmp_path / "notes.png"
    path.write_bytes(b"not a picture at all")
    with pytest.raises(MediaError, match=r"notes\.png: is no picture; PNG, JPEG"):
        read_one(path)


def test_a_format_that_starts_other_programs_is_refused(tmp_path: Path):
    path = saved(tmp_path / "a.eps", gradient())
    with pytest.raises(MediaError, match="is no picture"):
        read_one(path)


def test_a_missing_file_is_a_media_error(tmp_path: Path):
    with pytest.raises(MediaError, match=r"gone\.png"):
        read_one(tmp_path / "gone.png")


def huge_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_by_its_size(tmp_path: Path):
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(60_000, 60_000))
    with pytest.raises(MediaError, match=r"bomb\.png: too large"):
        read_one(path)


def test_a_large_picture_is_judged_by_our_limit_not_by_pillow_s_warning(tmp_path: Path):
    path = tmp_path / "large.png"
    path.write_bytes(huge_png(9_500, 9_500))
    with pytest.raises(MediaError, match="90,250,000 pixels, the limit is 90,000,000"):
        list(read_frames(path, limits=Limits(pixels=90_000_000)))


def test_the_limits_are_the_callers(tmp_path: Path):
    path = saved(tmp_path / "a.png", gradient(10, 10))
    with pytest.raises(MediaError, match="100 pixels, the limit is 99"):
        list(read_frames(path, limits=Limits(pixels=99)))
    with pytest.raises(MediaError, match="bytes, the limit is 10"):
        list(read_frames(path, limits=Limits(file_bytes=10)))


def test_an_endless_animation_stops_at_the_limit(tmp_path: Path):
    frames = [Image.new("RGB", (10, 10), (n, 0, 0)) for n in range(5)]
    path = tmp_path / "a.png"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    read = read_frames(path, limits=Limits(pixels_in_all=300))
    assert [next(read).size for _ in range(3)] == [(10, 10)] * 3
    with pytest.raises(MediaError, match="400 pixels or more, the limit is 300"):
        next(read)


def animation(form: str) -> bytes:
    buffer = io.BytesIO()
    frames = [gradient(), gradient().rotate(180)]
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:], exif=b"")
    return buffer.getvalue()


@settings(max_examples=200, deadline=None)
@given(
    data=st.data(),
    start=st.sampled_from([animation(form) for form in ("PNG", "WEBP", "GIF", "TIFF", "AVIF")]),
)
def test_no_damage_leads_to_anything_but_a_media_error(tmp_path_factory, data, start: bytes):
    content = bytearray(start)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "a"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    with contextlib.suppress(MediaError):
        for frame in read_frames(path, limits=Limits(pixels=10_000)):
            assert frame.size == visible(frame).size == rgb(frame).size


TEXTS = {"prompt": '{"1": {"class_type": "A"}}', "workflow": '{"nodes": []}', "note": '"\\u00e9"'}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_png_keeps_every_value_and_text(tmp_path: Path, mode: str):
    picture = gradient().convert(mode)
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(picture, texts=TEXTS))
    assert read_texts(path) == TEXTS
    with Image.open(path) as read:
        assert read.text == TEXTS  # Pillow's own reader agrees
        assert read.tobytes() == picture.tobytes()


def test_texts_lie_ahead_of_the_pixels():
    content = png_bytes(gradient(), texts=TEXTS)
    assert content.index(b"tEXtprompt") < content.index(b"tEXtworkflow") < content.index(b"IDAT")


def test_the_compression_level_counts():
    noise = Image.effect_noise((64, 64), 20).convert("RGB")
    assert len(png_bytes(noise, compress_level=9)) < len(png_bytes(noise, compress_level=0))


@pytest.mark.parametrize(
    ("keyword", "written"),
    [("k" * 99, "k" * 79), ("größe", "gr%C3%B6%C3%9Fe"), ("a\0b", "a%00b"), ("", "unnamed")],
)
def test_no_keyword_loses_a_picture(tmp_path: Path, keyword: str, written: str):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(gradient(), texts={keyword: "größer"}))
    assert read_texts(path) == {written: "größer"}
    assert read_one(path).size == (8, 6)


def test_webp_and_jpeg_carry_texts_in_exif(tmp_path: Path):
    for name, content in (
        ("a.webp", webp_bytes(gradient(), texts=TEXTS, lossless=True)),
        ("a.jpg", jpeg_bytes(gradient(), texts=TEXTS)),
    ):
        (tmp_path / name).write_bytes(content)
        assert read_texts(tmp_path / name) == TEXTS
        exif = Image.open(io.BytesIO(content)).getexif()
        assert exif[0x0110] == "prompt:" + TEXTS["prompt"]
        assert exif[0x010F] == "workflow:" + TEXTS["workflow"]
        assert exif[0x010E] == "note:" + TEXTS["note"]


def test_a_jpeg_has_no_room_for_a_large_workflow():
    with pytest.raises(MediaError, match="cannot be written as JPEG"):
        jpeg_bytes(gradient(), texts={"workflow": "x" * 70_000})
