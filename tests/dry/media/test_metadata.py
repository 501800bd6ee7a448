"""Metadata: every place of a workflow in a file, and deceptive files."""

import contextlib
import json
import struct
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import MediaError
from engine.media import metadata
from engine.media.encoding import jpeg_bytes, png_bytes, webp_bytes
from engine.media.metadata import metadata_texts, read_embedded, read_texts, read_workflow

PROMPT = {"3": {"class_type": "KSampler", "inputs": {"seed": 2**63 + 5, "text": "Übergröße"}}}
WORKFLOW = {"nodes": [{"id": 3}], "version": 0.4}
TEXTS = metadata_texts(PROMPT, {"workflow": WORKFLOW})
DOT = Image.new("RGB", (1, 1))


def chunk(kind: bytes, body: bytes, *, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(*chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(4)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


@pytest.fixture
def read(tmp_path: Path):
    def from_bytes(content: bytes):
        path = tmp_path / "picture"
        path.write_bytes(content)
        return read_texts(path)

    return from_bytes


def test_texts_are_one_per_document_in_plain_ascii():
    assert list(TEXTS) == ["prompt", "workflow"]
    assert json.loads(TEXTS["prompt"]) == PROMPT
    assert all(text.isascii() for text in TEXTS.values())
    assert metadata_texts(None, None) == {}


@pytest.mark.parametrize("encode", [png_bytes, webp_bytes, jpeg_bytes])
def test_what_was_written_is_read(tmp_path: Path, encode):
    path = tmp_path / "a"
    path.write_bytes(encode(DOT, texts=TEXTS))
    assert read_workflow(path) == WORKFLOW
    assert read_embedded(path).prompt == PROMPT


def test_a_picture_with_a_prompt_only_gives_the_prompt(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(DOT, texts=metadata_texts(PROMPT, {})))
    assert read_workflow(path) == PROMPT


def test_a_picture_without_either_gives_none(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(DOT, texts={"parameters": "a cat\nSteps: 20"}))
    assert read_workflow(path) is None
    assert read_texts(path) == {"parameters": "a cat\nSteps: 20"}


def test_a_broken_workflow_falls_through_to_the_prompt(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(
        png_bytes(DOT, texts={"workflow": '{"nodes": [', **metadata_texts(PROMPT, {})})
    )
    assert read_workflow(path) == PROMPT


def test_nan_as_python_writes_it_is_read(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(DOT, texts={"prompt": '{"1": {"is_changed": [NaN, -Infinity]}}'}))
    assert repr(read_workflow(path)) == "{'1': {'is_changed': [nan, -inf]}}"


@pytest.mark.parametrize("encode", [png_bytes, webp_bytes, jpeg_bytes])
def test_keywords_count_however_they_are_spelled_and_the_usual_spelling_first(tmp_path, encode):
    path = tmp_path / "a"
    capital = {keyword.capitalize(): text for keyword, text in TEXTS.items()}
    path.write_bytes(encode(DOT, texts=capital))
    assert read_embedded(path) == metadata.Embedded(workflow=WORKFLOW, prompt=PROMPT)
    for texts in (TEXTS | {"Workflow": "{}"}, {"Workflow": "{}"} | TEXTS):
        path.write_bytes(encode(DOT, texts=texts))
        assert read_embedded(path).workflow == WORKFLOW


@pytest.mark.parametrize("before", ["", "\ufeff"])
def test_documents_are_read_as_those_in_files_are(tmp_path: Path, before):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(DOT, texts={"workflow": before + json.dumps(WORKFLOW) + "\n"}))
    assert read_workflow(path) == WORKFLOW


def test_json_nested_without_end_counts_as_absent(tmp_path: Path):
    path = tmp_path / "a.png"
    deep = "[" * (sys.getrecursionlimit() * 100)
    path.write_bytes(png_bytes(DOT, texts={"workflow": '{"a":' + deep}))
    assert read_workflow(path) is None


def test_packed_and_international_texts(tmp_path: Path):
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(PROMPT), zip=True)
    chunks.add_itxt("workflow", json.dumps(WORKFLOW), zip=True)
    chunks.add_itxt("note", "größer ↑")
    path = tmp_path / "a.png"
    DOT.save(path, pnginfo=chunks)
    assert read_embedded(path) == metadata.Embedded(workflow=WORKFLOW, prompt=PROMPT)
    assert read_texts(path)["note"] == "größer ↑"


def test_texts_behind_the_pixels_and_private_ones_are_found(read):
    content = png(chunk(b"comf", b"prompt\0{}"))
    behind = content.removesuffix(chunk(b"IEND", b"")) + chunk(b"tEXt", b"workflow\0{}")
    assert read(behind + chunk(b"IEND", b"")) == {"prompt": "{}", "workflow": "{}"}


def test_latin_1_and_utf_8_are_told_apart(read):
    assert read(png(chunk(b"tEXt", b"a\0gr\xf6\xdfer"))) == {"a": "größer"}
    assert read(png(chunk(b"tEXt", b"a\0" + "größer".encode()))) == {"a": "größer"}


def test_a_picture_cut_off_after_its_texts_still_tells(read):
    content = png(chunk(b"tEXt", b"prompt\0{}"))
    assert read(content[: content.index(b"IDAT") + 6]) == {"prompt": "{}"}


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        (chunk(b"tEXt", b"prompt\0{}", crc=1), "checksum of a tEXt chunk is wrong"),
        (chunk(b"tEXt", b"promptless"), "has no keyword"),
        (chunk(b"zTXt", b"prompt\0\0not zlib"), "cannot be unpacked"),
        (chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b"x" * 99)[:-6]), "cut off"),
        (chunk(b"iTXt", b"prompt\0\0"), "incomplete"),
    ],
)
def test_damaged_texts_are_left_out_and_an_error_if_there_are_no_others(
    read, caplog, chunks: bytes, message: str
):
    with pytest.raises(MediaError, match=f"damaged: .*{message}"):
        read(png(chunks))
    sound = chunk(b"tEXt", b"workflow\0{}")
    for order in ((chunks, sound), (sound, chunks)):
        caplog.clear()
        assert read(png(*order)) == {"workflow": "{}"}
        assert message in caplog.text


def test_a_text_that_is_cut_off_is_an_error(read):
    with pytest.raises(MediaError, match="cut off"):
        read(png(chunk(b"tEXt", b"prompt\0" + b"x" * 100))[:80])


def test_a_packed_bomb_is_refused_without_unpacking_it(read):
    bomb = zlib.compress(bytes(metadata.MOST_TEXT + 10_000_000), 9)
    with pytest.raises(MediaError, match="larger than 32 MiB"):
        read(png(chunk(b"zTXt", b"prompt\0\0" + bomb)))


def test_a_plain_text_too_large_is_refused_by_its_length(read):
    claim = struct.pack(">I4s", metadata.MOST_TEXT + 1, b"tEXt")
    with pytest.raises(MediaError, match="larger than 32 MiB"):
        read(b"\x89PNG\r\n\x1a\n" + claim)


def test_a_text_too_large_hides_no_other(read):
    large = chunk(b"tEXt", b"prompt\0" + b"x" * metadata.MOST_TEXT)
    assert read(png(large, chunk(b"tEXt", b"workflow\0{}"))) == {"workflow": "{}"}


def test_many_small_bombs_are_one_bomb(read, caplog):
    packed = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(20 << 20), 9))
    assert len(read(png(packed, packed, packed, packed))["a"]) == 20 << 20
    assert "larger than" in caplog.text


def test_chunks_without_end_are_refused(read, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metadata, "MOST_CHUNKS", 50)
    with pytest.raises(MediaError, match="more than 50 chunks"):
        read(png(*[chunk(b"eXIf", b"")] * 60))


def tiff(order: str, *entries: tuple[int, int, int, bytes], tail: bytes = b"") -> bytes:
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, size, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, size) + value
    return head + directory + bytes(4) + tail


def webp(exif: bytes) -> bytes:
    def riff(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)

    chunks = riff(b"VP8X", bytes(9)) + riff(b"EXIF", exif)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_exif_of_both_byte_orders_with_and_without_prefix(read, order: str, prefix: bytes):
    text = b"prompt:{}\0"
    at = 8 + 2 + 2 * 12 + 4
    block = tiff(
        order,
        (0x0112, 3, 1, struct.pack(order + "HH", 1, 0)),
        (0x0110, 2, len(text), struct.pack(order + "I", at)),
        tail=text,
    )
    assert read(webp(prefix + block)) == {"prompt": "{}"}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (b"no TIFF", "no TIFF header"),
        (b"II" + struct.pack("<HI", 42, 4_000_000_000), "outside the block"),
        (b"II" + struct.pack("<HIH", 42, 8, 60_000), "directory is cut off"),
        (tiff("<", (1, 2, 100, struct.pack("<I", 30))), "text is outside"),
        (tiff("<", (1, 2, 0xFFFFFFFF, struct.pack("<I", 0xFFFFFFFF))), "text is outside"),
    ],
)
def test_damaged_exif_is_an_error(read, block: bytes, message: str):
    with pytest.raises(MediaError, match=message):
        read(webp(block))


def test_a_jpeg_without_segment_length_is_an_error(read):
    with pytest.raises(MediaError, match="no length"):
        read(b"\xff\xd8\xff\xe1\0\0")


def test_other_files_are_named_as_such(tmp_path: Path):
    path = tmp_path / "movie.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42 and so on")
    with pytest.raises(MediaError, match=r"movie\.mp4: looked for a workflow in a PNG, WebP or"):
        read_workflow(path)
    with pytest.raises(MediaError, match="cannot be read"):
        read_workflow(tmp_path / "missing.png")


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    start=st.sampled_from(
        [png_bytes(DOT, texts=TEXTS), webp_bytes(DOT, texts=TEXTS), jpeg_bytes(DOT, texts=TEXTS)]
    ),
)
def test_no_damage_leads_to_anything_but_a_media_error(tmp_path_factory, data, start: bytes):
    content = bytearray(start)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "a"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    with contextlib.suppress(MediaError):
        read_embedded(path)
