"""Hosts that lie, stall, send elsewhere or send too much: a sentence, and nothing is written."""

import asyncio
import gzip
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
from file_server import head, weights

from engine.downloads import transfer
from engine.downloads.part_file import PartFile
from engine.errors import DiskError

SMALL = weights(100_000)
LARGE = weights(3 << 20)


def answering(status=200, content=SMALL, **headers):
    """A way that answers with these headers; `_` in their names means `-`."""

    async def way(asked, writer):
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        await head(writer, status, {"Content-Length": len(content), **given})
        writer.write(content)

    return way


def failed(scene, server, way, **more):
    """How the download of a file from such a host ends."""
    server.ways["/model.safetensors"] = way

    async def steps(made):
        made.allow()
        return await made.get(**more), made.target("model.safetensors").path

    found, path = scene(steps)
    assert found.state == "failed", found
    assert not path.exists()
    return found


def test_a_redirect_to_another_host_is_asked_for_first(scene, server):
    server.files["/there.safetensors"] = SMALL
    there = server.url("/there.safetensors", host="localhost")
    server.ways["/model.safetensors"] = answering(302, b"", Location=there)

    async def steps(made):
        made.allow()
        asks = await made.get()
        before = [each.path for each in server.asked]
        await made.downloads.allow(asks.asks_host, private=True)
        return asks, before, await made.until(asks, "done", "failed")

    asks, before, done = scene(steps)
    assert asks.asks_host == f"localhost:{server.port}"
    assert "sends this download on to localhost" in asks.message
    assert before == ["/model.safetensors"]
    assert done.state == "done"
    for each in server.asked:
        assert not {"cookie", "authorization", "referer"} & set(each.headers)


def test_a_redirect_may_not_leave_https_nor_bring_a_password(scene, server):
    for place in ("http://127.0.0.1/x", "file:///etc/passwd", "https://a:b@127.0.0.1/x", "ftp:/x"):
        found = failed(scene, server, answering(302, b"", Location=place), name="model.safetensors")
        assert "https" in found.message or "password" in found.message


def test_an_allowed_host_may_not_send_to_the_own_network(scene, server):
    """Allowed as a name of the internet, a host that leads to this machine is asked for again."""
    server.files["/model.safetensors"] = SMALL
    there = server.url("/model.safetensors", host="localhost")
    server.ways["/model.safetensors"] = answering(302, b"", Location=there)

    async def steps(made):
        made.allow()
        made.allow(name="localhost", private=False)
        return await made.get()

    found = scene(steps)
    assert (found.state, found.asks_private) == ("asks", True)
    assert found.asks_host == f"localhost:{server.port}"


def test_a_circle_of_redirects_ends(scene, server):
    way = answering(302, b"", Location="/model.safetensors")
    assert "more than 5 times" in failed(scene, server, way).message
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        (answering(401), "after a login"),
        (answering(403), "after a login"),
        (answering(404), "does not have this file"),
        (answering(302), "without saying where"),
        (answering(200, Content_Type="text/html; charset=utf-8"), "a web page"),
        (answering(200, gzip.compress(SMALL), Content_Encoding="gzip"), "compressed (gzip)"),
        (answering(200, SMALL, Content_Encoding="br"), "compressed (br)"),
        (answering(206, SMALL, Content_Range="bytes 5-9/10"), "was asked for the file from byte 0"),
        (answering(418), "status 418"),
        (answering(503), "is busy"),
        (answering(200, SMALL, Content_Length=str(1 << 50)), "which no model has"),
    ],
)
def test_answers_that_are_no_file(scene, server, way, sentence):
    assert sentence in failed(scene, server, way).message


def test_a_host_that_announces_more_than_it_sends(scene, server):
    way = answering(200, SMALL[:1000], Content_Length=len(SMALL), ETag='"a"')
    found = failed(scene, server, way)
    assert "fetch it by hand" in found.message
    assert f"({len(SMALL):,} bytes)" in found.message
    assert str(found.part.parent) in found.message


def test_a_host_that_sends_more_than_it_announced(scene, server):
    async def way(asked, writer):
        start = asked.start
        if start == 0:
            await head(writer, 200, {"Content-Length": len(LARGE), "ETag": '"a"'})
            writer.write(LARGE[: 1 << 20])
            return
        more = {"Transfer-Encoding": "chunked", "Content-Length": None, "ETag": '"a"'}
        more["Content-Range"] = f"bytes {start}-{len(LARGE) - 1}/{len(LARGE)}"
        await head(writer, 206, more)
        for _ in range(100):
            writer.write(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
            await writer.drain()

    found = failed(scene, server, way)
    assert f"sends more than the {len(LARGE):,} bytes it announced" in found.message
    assert found.part.stat().st_size <= len(LARGE)


def test_the_rest_of_another_file_is_not_joined(scene, server):
    async def way(asked, writer):
        if asked.start == 0:
            await head(writer, 200, {"Content-Length": len(LARGE), "ETag": '"a"'})
            writer.write(LARGE[: 1 << 20])
            return
        size = len(LARGE) + 5
        more = {"Content-Range": f"bytes {asked.start}-{size - 1}/{size}"}
        await head(writer, 206, {"Content-Length": size - asked.start, **more})

    assert "answers with 'bytes" in failed(scene, server, way).message


def test_a_host_that_never_answers_and_one_that_stops_halfway(scene, server):
    async def never(asked, writer):
        await asyncio.sleep(30)

    async def halfway(asked, writer):
        await head(writer, 200, {"Content-Length": len(SMALL)})
        writer.write(SMALL[:1000])
        await writer.drain()
        await asyncio.sleep(30)

    for way in (never, halfway):
        server.asked.clear()
        assert "does not answer" in failed(scene, server, way).message
        assert len(server.asked) == 3


def test_a_slow_trickle_is_shown_stored_and_goes_on_where_it_was(scene, server, monkeypatch):
    """A few bytes at a time, never long enough without any to be given up."""
    monkeypatch.setattr(transfer, "SYNC_SECONDS", 0.1)
    content, pieces = weights(9000), 0

    async def trickle(asked, writer):
        nonlocal pieces
        start, size = asked.start, len(content)
        rest = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        headers = {"Content-Length": size - start, "ETag": '"a"', **rest}
        await head(writer, 206 if start else 200, headers)
        for at in range(start, size, 150):
            writer.write(content[at : at + 150])
            await writer.drain()
            pieces += 1
            await asyncio.sleep(0.02)

    async def steps(made):
        made.allow()
        found = await made.add()
        while made.downloads.find(found.id).synced < 2000:
            await asyncio.sleep(0.01)
        paused = await made.downloads.pause(found.id)
        await made.downloads.resume(found.id)
        return paused, await made.until(found, "done", "failed"), made

    server.ways["/model.safetensors"] = trickle
    paused, done, made = scene(steps)
    assert 2000 <= paused.synced < 9000
    assert [each.start for each in server.asked] == [0, paused.synced]
    assert done.state == "done"
    assert made.target("model.safetensors").path.read_bytes() == content
    assert len({each.received for changed, _ in made.seen for each in changed}) > 4
    assert pieces >= 60, "it came in small pieces"


def test_a_host_that_cannot_be_reached_says_what_to_fetch_by_hand(scene, server):
    async def steps(made):
        made.downloads.hosts.allow("localhost:1", private=True)
        target = made.target("model.safetensors")
        found = await made.downloads.add("https://localhost:1/a/model.safetensors", target)
        return await made.until(found, "failed"), target

    found, target = scene(steps)
    assert "cannot be reached" in found.message
    assert "https://localhost:1/a/model.safetensors" in found.message
    assert f"put it into {target.path.parent} as model.safetensors" in found.message


def test_a_certificate_that_nobody_vouches_for(scene, server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    server.files["/model.safetensors"] = SMALL
    assert "certificate cannot be trusted" in failed(scene, server, server.send_file).message


def test_twenty_gigabytes_are_refused_before_a_byte_is_written(scene, server, disk):
    disk(10_000_000_000)
    way = answering(200, b"", Content_Length=20_000_000_000, ETag='"a"')
    found = failed(scene, server, way)
    assert "20.0 GB are needed" in found.message
    assert "found 10.0 GB" in found.message
    assert (found.received, found.size) == (0, 20_000_000_000)
    assert not found.part.exists()


def test_twenty_gigabytes_announced_take_only_what_has_come(scene, server, disk):
    disk(30_000_000_000)

    async def way(asked, writer):
        await head(writer, 200, {"Content-Length": 20_000_000_000, "ETag": '"a"'})
        writer.write(LARGE)
        await writer.drain()
        await asyncio.sleep(30)

    server.ways["/model.safetensors"] = way

    async def steps(made):
        made.allow()
        found = await made.add()
        while made.downloads.find(found.id).received < len(LARGE) - (1 << 20):
            await asyncio.sleep(0.01)
        other = made.downloads.claimed("another", Path(found.path).parent)
        return await made.downloads.pause(found.id), other

    paused, claimed = scene(steps)
    assert paused.state == "paused"
    assert paused.part.stat().st_size <= len(LARGE)
    assert claimed > 19_900_000_000


def test_a_disk_that_is_full_halfway_loses_nothing(scene, server, monkeypatch):
    server.files["/model.safetensors"] = LARGE
    append = PartFile.append

    def full(part, content):
        if part.size >= 1 << 20:
            raise DiskError("the disk is full", full=True)
        append(part, content)

    async def steps(made):
        made.allow()
        with monkeypatch.context() as patch:
            patch.setattr(PartFile, "append", full)
            found = await made.get()
        await made.downloads.resume(found.id)
        return found, await made.until(found, "done", "failed")

    found, done = scene(steps)
    assert (found.state, found.message) == ("failed", "the disk is full")
    assert found.synced >= 1 << 20
    assert done.state == "done"
    assert Path(done.path).read_bytes() == LARGE


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small file system")
def test_a_real_disk_that_is_full(scene, server, settings, tmp_path):
    folder = tmp_path / "models" / "checkpoints"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    try:

        async def way(asked, writer):
            await head(writer, 200, {"Content-Length": None, "Transfer-Encoding": "chunked"})
            writer.write(b"%x\r\n" % len(LARGE) + LARGE + b"\r\n0\r\n\r\n")

        found = failed(scene, server, way)
        assert "the disk is full" in found.message
    finally:
        subprocess.run(["umount", folder], check=True)


KILLED = """
import asyncio, sys
from pathlib import Path
from engine.downloads import transfer
from engine.downloads.manager import Downloads
from engine.downloads.targets import Target

transfer.SYNC_SECONDS = 0.05

async def main(folder, url, path, sha256):
    downloads = Downloads(Path(folder), on_change=lambda changed, gone: None)
    downloads.start()
    if not downloads.list():
        path = Path(path)
        target = Target("checkpoints", path.name, path, None)
        await downloads.add(url, target, sha256=sha256)
    while (found := downloads.list()[0]).state not in {"done", "failed"}:
        await asyncio.sleep(0.02)
    print(found.state, flush=True)
    await downloads.stop()

asyncio.run(main(*sys.argv[1:]))
"""


def test_it_goes_on_after_kill_nine(scene, server, tmp_path, monkeypatch):
    content = weights(6 << 20)
    goes_on = False

    async def slowly(asked, writer):
        start, size = asked.start, len(content)
        rest = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        headers = {"Content-Length": size - start, "ETag": '"a"', **rest}
        await head(writer, 206 if start else 200, headers)
        for at in range(start, size, 1 << 16):
            writer.write(content[at : at + (1 << 16)])
            await writer.drain()
            await asyncio.sleep(0 if goes_on else 0.05)

    server.ways["/model.safetensors"] = slowly
    path = tmp_path / "models" / "model.safetensors"
    folder = tmp_path / "user" / "downloads"

    async def allow(made):
        made.allow()

    scene(allow)
    digest = hashlib.sha256(content).hexdigest()
    command = [sys.executable, "-c", KILLED, folder, server.url("/model.safetensors"), path, digest]
    child = subprocess.Popen(command)
    try:
        while not any(b'"synced":0,' not in each.read_bytes() for each in queue(folder)):
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        child.kill()
        child.wait()
    goes_on = True
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "done\n"
    assert path.read_bytes() == content
    assert server.asked[-1].start > 0


def queue(folder):
    return list((folder / "queue").glob("*.json"))
