"""Damaged pictures: the readable part is read, unneeded parts are ignored, with a log entry."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageFile, PngImagePlugin

from engine.errors import MediaError
from engine.media import salvage
from engine.media.__main__ import convert, put_mask
from engine.media.metadata import read_texts
from engine.media.pictures import Limits, read_frames
from engine.media.salvage import open_damaged
from engine.wire.messages import Convert


def noise(width: int = 64, height: int = 64) -> Image.Image:
    return Image.effect_noise((width, height), 90).convert("RGB")


def content_of(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes, checksum: bytes | None = None) -> bytes:
    right = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + (checksum or right)


def before_pixels(png: bytes, added: bytes) -> bytes:
    place = png.index(b"IDAT") - 4
    return png[:place] + added + png[place:]


@pytest.fixture
def read(tmp_path: Path):
    """The frames of a file of that content, as RGB."""

    def frames(content: bytes, **limits) -> list[Image.Image]:
        path = tmp_path / "a.png"
        path.write_bytes(content)
        read = read_frames(path, limits=Limits(**limits))
        return [frame.convert("RGB") for frame in read]

    return frames


def many_texts() -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    for number in range(80):
        texts.add_text(f"k{number}", "x" * (1 << 20))
    return texts


def one_text(*, packed: bool, international: bool) -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    add = texts.add_itxt if international else texts.add_text
    add("workflow", "{" + " " * 3_000_000 + "}", zip=packed)
    return texts


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("international", [True, False])
def test_long_texts_do_not_matter(read, packed: bool, international: bool):
    texts = one_text(packed=packed, international=international)
    assert read(content_of(noise(), "PNG", pnginfo=texts))[0].size == (64, 64)


def test_many_texts_do_not_matter(read):
    assert read(content_of(noise(), "PNG", pnginfo=many_texts()))[0].size == (64, 64)


def test_a_large_profile_does_not_matter(read):
    picture = noise()
    (frame,) = read(content_of(picture, "PNG", icc_profile=b"x" * 3_000_000))
    assert frame.tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    "added",
    [
        chunk(b"tEXt", b"Comment\0hi", b"\1\2\3\4"),
        chunk(b"zTXt", b"Comment\0\0no zlib"),
        chunk(b"zTXt", b"Comment\0\7"),
        chunk(b"iTXt", b"Comment"),
        chunk(b"iCCP", b"name\0\0no zlib"),
        chunk(b"tRNS", b"\1", b"\1\2\3\4"),
        chunk(b"eXIf", b"no TIFF"),
        chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
        chunk(b"gAMA", b""),
        chunk(b"pHYs", b"\0", b"\1\2\3\4"),
        chunk(b"tIME", b"\0"),
        chunk(b"prVt", b"anything", b"\1\2\3\4"),
    ],
    ids=lambda added: added[4:8].decode(),
)
def test_damaged_parts_that_no_pixel_needs_do_not_matter(read, added: bytes):
    picture = noise()
    (frame,) = read(before_pixels(content_of(picture, "PNG"), added))
    assert frame.tobytes() == picture.tobytes()


def test_a_damaged_turn_is_no_turn(read, caplog):
    content = content_of(noise(8, 4), "PNG")
    (frame,) = read(before_pixels(content, chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\2")))
    assert frame.size == (8, 4)


FORMS = {
    "png": ("PNG", {}),
    "jpg": ("JPEG", {}),
    "progressive": ("JPEG", {"progressive": True}),
    "gif": ("GIF", {"interlace": False}),
    "bmp": ("BMP", {}),
    "lossy webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.99, 0.6])
def test_what_is_there_of_a_cut_picture_is_read(read, caplog, form: str, share: float):
    name, options = FORMS[form]
    content = content_of(noise(), name, **options)
    (whole,) = read(content)
    assert caplog.text == ""
    (part,) = read(content[: int(len(content) * share)])
    assert part.size == whole.size
    assert "a.png: the picture cannot be read in full" in caplog.text
    if form != "progressive":  # progressive files have a coarse version of the whole first
        # A BMP is stored from the bottom.
        box = (0, 40, 64, 64) if form == "bmp" else (0, 0, 64, 16)
        assert part.crop(box).tobytes() == whole.crop(box).tobytes()


def test_the_last_bytes_of_a_jpeg_are_only_its_end(read):
    content = content_of(noise(), "JPEG")
    assert read(content[:-2])[0].tobytes() == read(content)[0].tobytes()


def test_damaged_pixels_cost_only_what_follows(read, caplog):
    picture = noise()
    content = bytearray(content_of(picture, "PNG"))
    place = content.index(b"IDAT") + 4 + len(content) // 2
    content[place : place + 64] = bytes(64)
    (frame,) = read(bytes(content))
    assert frame.crop((0, 0, 64, 16)).tobytes() == picture.crop((0, 0, 64, 16)).tobytes()
    assert "cannot be read in full" in caplog.text


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP"])
def test_the_frames_that_are_there_of_a_cut_animation(read, caplog, form: str):
    frames = [noise() for _ in range(5)]
    options = {"lossless": True} if form == "WEBP" else {}
    content = content_of(frames[0], form, save_all=True, append_images=frames[1:], **options)
    whole = read(content)
    found = read(content[: len(content) * 7 // 10])
    assert 3 <= len(found) <= 5
    assert [frame.tobytes() for frame in found[:3]] == [frame.tobytes() for frame in whole[:3]]
    assert caplog.text.count("cannot be read in full") == 1


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "TIFF"])
def test_a_header_alone_is_refused(read, form: str):
    with pytest.raises(MediaError, match=r"a\.png: "):
        read(content_of(noise(), form)[:30])


def test_a_picture_is_refused_by_its_size_however_little_there_is(read):
    content = content_of(Image.new("RGB", (3000, 3000)), "PNG")[:200]
    with pytest.raises(MediaError, match="9,000,000 pixels, the limit is 1,000,000"):
        read(content, pixels=1_000_000)


def test_a_webp_that_says_it_is_huge_is_not_filled_up(tmp_path: Path):
    path = tmp_path / "a.webp"
    path.write_bytes(b"RIFF" + struct.pack("<I", 0xFFFFFFF0) + b"WEBPVP8 ")
    with open_damaged(path) as stream:
        assert len(stream.read()) == 12
    pixels = struct.pack("<I", 0x7FFFFFF0) + bytes(100)
    path.write_bytes(b"RIFF" + struct.pack("<I", 0xFFFFFFF0) + b"WEBPVP8 " + pixels)
    with open_damaged(path) as stream:
        assert len(stream.read()) == 12
    with pytest.raises(MediaError):
        list(read_frames(path))


def test_countless_chunks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(salvage, "MOST_CHUNKS", 10)
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"k\0v") * 11)
    with pytest.raises(MediaError, match="more than 10 chunks"):
        list(read_frames(path))


def test_pillow_is_as_strict_as_before_while_a_frame_is_looked_at(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(content_of(noise(), "PNG")[:2000])
    for _ in read_frames(path):
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_the_helper_shows_and_masks_damaged_pictures(tmp_path: Path):
    """Undamaged texts are included."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", '{"nodes": []}')
    wrong = chunk(b"tEXt", b"Comment\0hi", b"\1\2\3\4")
    original, mask, masked = (tmp_path / name for name in ("a.png", "mask.png", "masked.png"))
    content = before_pixels(content_of(noise(), "PNG", pnginfo=texts), wrong)
    original.write_bytes(content[: len(content) * 3 // 4])
    Image.new("RGBA", (64, 64), (0, 0, 0, 77)).save(mask)
    masked.write_bytes(put_mask(original, mask))
    (frame,) = read_frames(masked)
    assert frame.getchannel("A").getextrema() == (77, 77)
    assert read_texts(masked) == {"workflow": '{"nodes": []}'}
    preview = convert(Convert(1, str(original), "webp", 90, "rgba", 0))
    with Image.open(io.BytesIO(preview)) as shown:
        assert shown.size == (64, 64)
