"""Files are served and uploaded by name, inside their folders, and typed by their bytes."""

import io
import json
import struct
import zlib

import pytest
from aiohttp import FormData
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.server.content import content_type
from engine.server.guard import FILE_POLICY


def png(color=(255, 0, 0, 128), size=(8, 8), texts=None):
    chunks = PngInfo()
    for key, text in (texts or {}).items():
        chunks.add_text(key, text)
    buffer = io.BytesIO()
    Image.new("RGBA", size, color).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def form(content=b"x", name="a.png", **fields):
    data = FormData(quote_fields=False)
    data.add_field("image", content, filename=name)
    for key, value in fields.items():
        data.add_field(key, value)
    return data


@pytest.fixture
def output(settings):
    settings.output_directory.mkdir(parents=True, exist_ok=True)
    (settings.output_directory / "sub").mkdir()
    (settings.output_directory / "a.png").write_bytes(png())
    (settings.output_directory / "sub" / "b.png").write_bytes(png())
    (settings.user_directory / "secret.txt").write_text("secret")
    return settings.output_directory


def test_a_picture_is_sent_as_it_is(serving, output):
    async def scenario(client):
        answers = [
            await client.get(path)
            for path in (
                "/view?filename=a.png",
                "/api/view?filename=b.png&subfolder=sub&type=output",
                "/view?filename=a.png [output]&type=input",
            )
        ]
        return [(each.status, await each.read(), each.headers) for each in answers]

    for status, content, headers in serving(scenario):
        assert status == 200
        assert content == png()
        assert headers["Content-Type"] == "image/png"
        assert headers["Content-Disposition"].startswith('filename="')
        assert headers["Content-Security-Policy"] == FILE_POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"


OUTSIDE = [
    ("filename=..%2Fsecret.txt", 400),
    ("filename=secret.txt&subfolder=..", 403),
    ("filename=secret.txt&subfolder=sub%2F..%2F..", 403),
    ("filename=secret.txt&subfolder=%2Fetc", 403),
    ("filename=%2Fetc%2Fpasswd", 400),
    ("filename=..%5Csecret.txt", 400),
    ("filename=secret.txt&subfolder=..%5C", 403),
    ("filename=C:%5Csecret.txt", 400),
    ("filename=a.png%00.txt", 400),
    ("filename=", 400),
    ("", 400),
    ("filename=.", 400),
    ("filename=sub", 404),
    ("filename=none.png", 404),
    ("filename=nul", 400),
    ("filename=" + "a" * 300, 400),
    ("filename=a.png&type=user", 400),
    ("filename=calotype.db&type=..", 400),
    ("filename=%ED%A0%80.png", 400),
]


@pytest.mark.parametrize(("query", "status"), OUTSIDE)
def test_views_stay_inside(query, status, serving, output, settings):
    async def scenario(client):
        answer = await client.get(f"/view?{query}")
        return answer.status, await answer.text()

    found, text = serving(scenario)
    assert found in {status, 404} if "%ED" in query else found == status
    assert str(settings.user_directory) not in text
    assert "secret" not in text


DANGEROUS = {
    "page.html": b"<html><script>alert(1)</script>",
    "page.png": b"<html><script>alert(1)</script>",
    "draw.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "code.js": b"alert(1)",
    "book.pdf": b"%PDF-1.7",
    "data.xml": b"<?xml version='1.0'?><html/>",
    "text.txt": b"<script>alert(1)</script>",
    "empty.png": b"",
    "style.css": b"body{}",
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_a_browser_would_run_is_only_downloaded(name, serving, output):
    (output / name).write_bytes(DANGEROUS[name])

    async def scenario(client):
        answer = await client.get("/view", params={"filename": name})
        return answer.status, answer.headers

    status, headers = serving(scenario)
    assert status == 200
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment; ")
    assert headers["Content-Security-Policy"] == FILE_POLICY


def test_a_name_cannot_break_its_header(serving, output):
    name = 'ü"x.png'
    (output / name).write_bytes(png())

    async def scenario(client):
        answer = await client.get("/view", params={"filename": name})
        return answer.headers["Content-Disposition"]

    assert serving(scenario) == "filename=\"__x.png\"; filename*=UTF-8''%C3%BC%22x.png"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF0000WEBP", "image/webp"),
        (b"RIFF0000WAVE", "audio/wav"),
        (b"RIFF0000AVI ", "application/octet-stream"),
        (b"\0\0\0 ftypavif", "image/avif"),
        (b"\0\0\0 ftypisom", "video/mp4"),
        (b"\xff\xfb\x90\0", "audio/mpeg"),
        (b"\xff\xfe<\0", "application/octet-stream"),
        (b"glTF\2\0\0\0", "model/gltf-binary"),
        (b"", "application/octet-stream"),
    ],
)
def test_what_a_file_is_told_by_its_bytes(head, kind):
    assert content_type(head) == kind


def test_pictures_are_converted_by_the_helper(serving, output):
    async def scenario(client):
        found = {}
        for name, query in {
            "webp": "preview=webp;60",
            "jpeg": "preview=jpeg;80",
            "odd": "preview=bmp;x",
            "rgb": "channel=rgb",
            "a": "channel=a",
        }.items():
            answer = await client.get(f"/view?filename=a.png&{query}")
            found[name] = (answer.status, answer.content_type, await answer.read())
        (output / "bad.png").write_bytes(png()[:40])
        bad = await client.get("/view?filename=bad.png&preview=webp")
        return found, bad.status, await bad.text()

    found, status, text = serving(scenario)
    assert [each[1] for each in found.values()] == [
        "image/webp",
        "image/jpeg",
        "image/webp",
        "image/png",
        "image/png",
    ]
    opened = {name: Image.open(io.BytesIO(each[2])) for name, each in found.items()}
    assert opened["rgb"].mode == "RGB"
    assert opened["a"].getpixel((0, 0)) == (0, 0, 0, 128)
    assert status == 422
    assert str(output) not in text


def test_a_preview_is_made_smaller_and_only_once_for_a_browser(serving, output):
    Image.new("RGB", (400, 200), "red").save(output / "wide.png")

    async def scenario(client):
        path = "/view?filename=wide.png&preview=webp;80&size=100"
        first = await client.get(path)
        size = Image.open(io.BytesIO(await first.read())).size
        tag = {"If-None-Match": first.headers["ETag"]}
        again = await client.get(path, headers=tag)
        larger = await client.get(path.replace("100", "900"), headers=tag)
        whole = Image.open(io.BytesIO(await larger.read())).size
        Image.new("RGB", (300, 300), "blue").save(output / "wide.png")
        changed = await client.get(path, headers=tag)
        wrong = await client.get("/view?filename=wide.png&preview=webp&size=x")
        return size, again.status, whole, changed.status, wrong.status

    assert serving(scenario) == ((100, 50), 304, (400, 200), 200, 400)


def bomb():
    """169 million pixels in 20 kB."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    packer = zlib.compressobj(9)
    row = bytes(1 + 13_000 // 8)
    data = b"".join([*(packer.compress(row) for _ in range(13_000)), packer.flush()])
    head = struct.pack(">IIBBBBB", 13_000, 13_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_picture_that_is_too_much_is_refused_and_others_go_on(serving, output):
    (output / "bomb.png").write_bytes(bomb())

    async def scenario(client):
        large = await client.get("/view?filename=bomb.png&preview=webp")
        small = await client.get("/view?filename=a.png&preview=webp")
        return large.status, (await large.json())["error"], small.status

    large, reason, small = serving(scenario)
    assert large == 422
    assert "too large" in reason
    assert small == 200


def test_an_upload_never_replaces_a_file_unless_told(serving, settings):
    async def scenario(client):
        names = []
        for sent in (
            form(b"one"),
            form(b"one"),
            form(b"two"),
            form(b"two"),
            form(b"three"),
            form(b"four", overwrite="true"),
            form(b"five", overwrite="1", type="temp", subfolder="x/y"),
        ):
            answer = await client.post("/upload/image", data=sent)
            assert answer.status == 200
            names.append(await answer.json())
        return names

    found = serving(scenario)
    assert [each["name"] for each in found] == [
        "a.png",
        "a.png",
        "a (1).png",
        "a (1).png",
        "a (2).png",
        "a.png",
        "a.png",
    ]
    assert found[-1] == {"name": "a.png", "subfolder": "x/y", "type": "temp"}
    folder = settings.input_directory
    assert (folder / "a.png").read_bytes() == b"four"
    assert (folder / "a (1).png").read_bytes() == b"two"
    assert (settings.temp_directory / "x/y/a.png").read_bytes() == b"five"
    assert list(folder.glob(".*")) == []


@pytest.mark.parametrize(
    "sent",
    [
        {"name": "../a.png"},
        {"name": "/etc/a.png"},
        {"name": "..\\a.png"},
        {"name": "nul.png"},
        {"name": ".hidden"},
        {"name": "a" * 300},
        {"name": ""},
        {"subfolder": ".."},
        {"subfolder": "x/../../y"},
        {"subfolder": "/etc"},
        {"subfolder": "\\\\host\\share"},
        {"type": "user"},
        {"type": "../x"},
    ],
    ids=str,
)
def test_uploads_stay_inside(sent, serving, settings):
    before = sorted(settings.user_directory.rglob("*"))

    async def scenario(client):
        answer = await client.post("/upload/image", data=form(**sent))
        return answer.status, await answer.text()

    status, text = serving(scenario)
    assert status == 400
    assert str(settings.user_directory) not in text
    after = [path for path in settings.user_directory.rglob("*") if "calotype.db" not in path.name]
    assert sorted(after) == before


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"x", {}),
        (b"x", {"Content-Type": "multipart/form-data"}),
        (b"x", {"Content-Type": "multipart/form-data; boundary=b"}),
        (b"--b\r\n", {"Content-Type": "multipart/form-data; boundary=b"}),
        (b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--b--\r\n',
         {"Content-Type": "multipart/form-data; boundary=b"}),
    ],
)  # fmt: skip
def test_odd_forms_are_refused(content, headers, serving):
    async def scenario(client):
        return (await client.post("/upload/image", data=content, headers=headers)).status

    assert serving(scenario) == 400


def test_a_mask_is_put_on_its_picture(serving, settings):
    settings.input_directory.mkdir(parents=True, exist_ok=True)
    texts = {"workflow": '{"id": "w"}'}
    (settings.input_directory / "p.png").write_bytes(png((0, 255, 0, 255), texts=texts))
    reference = json.dumps({"filename": "p.png", "type": "input"})

    async def scenario(client):
        good = await client.post(
            "/upload/mask", data=form(png((0, 0, 0, 77)), "m.png", original_ref=reference)
        )
        wrong = [
            (await client.post("/upload/mask", data=form(png(), "m.png", original_ref=text))).status
            for text in (
                "{",
                "[]",
                '{"filename": "none.png", "type": "input"}',
                '{"filename": "p.png", "type": "input", "subfolder": ".."}',
            )
        ]
        no_picture = await client.post(
            "/upload/mask", data=form(b"no picture", "n.png", original_ref=reference)
        )
        return good.status, await good.json(), wrong, no_picture.status

    status, said, wrong, no_picture = serving(scenario)
    assert (status, said["name"]) == (200, "m.png")
    with Image.open(settings.input_directory / "m.png") as made:
        assert made.getpixel((0, 0)) == (0, 255, 0, 77)
        assert made.text == texts
    assert wrong == [400, 400, 404, 403]
    assert no_picture == 422
