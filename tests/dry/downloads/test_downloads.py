"""Downloads from an honest server: whole, resumed, paused, cancelled, checked."""

import asyncio
import hashlib

import pytest
from file_server import head, weights

from engine.errors import FilesError

SMALL = weights(100_000)
LARGE = weights(3 << 20)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


async def dribble(content, asked, writer, *, most=None):
    """Send a file slowly, and break off after `most` bytes."""
    tag, start = '"one"', asked.start
    rest = "range" in asked.headers
    more = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if rest else {}
    await head(
        writer,
        206 if rest else 200,
        {"ETag": tag, "Content-Length": len(content) - start, **more},
    )
    for at in range(start, min(len(content), most or len(content)), 1 << 18):
        writer.write(content[at : at + (1 << 18)])
        await writer.drain()
        await asyncio.sleep(0.02)


def test_a_file_arrives_whole_under_its_name_and_nothing_else_is_left(scene, server):
    server.files["/model.safetensors"] = SMALL

    async def steps(made):
        made.allow()
        return await made.get(sha256=sha256(SMALL)), made

    found, made = scene(steps)
    path = made.target("model.safetensors").path
    assert (found.state, found.message) == ("done", None)
    assert path.read_bytes() == SMALL
    assert found.found_sha256 == sha256(SMALL)
    assert [each.name for each in path.parent.iterdir()] == ["model.safetensors"]
    assert made.seen[-1][0][0].received == len(SMALL)


def test_no_host_is_asked_before_the_user_has_allowed_it(scene, server):
    server.files["/model.safetensors"] = SMALL

    async def steps(made):
        asks = await made.get()
        count = len(server.asked)
        await made.downloads.allow(asks.asks_host)
        private = await made.until(asks, "asks", "done", "failed")
        while not private.asks_private:
            await asyncio.sleep(0.01)
            private = made.downloads.find(asks.id)
        between = len(server.asked)
        await made.downloads.allow(asks.asks_host, private=True)
        return asks, count, private, between, await made.until(asks, "done", "failed")

    asks, count, private, between, done = scene(steps)
    assert (asks.state, asks.asks_host) == ("asks", f"127.0.0.1:{server.port}")
    assert (count, between) == (0, 0)
    assert "own network" in private.message
    assert done.state == "done"


def test_only_https_without_passwords(scene, server):
    async def steps(made):
        said = []
        for url in (
            server.url("/x.safetensors").replace("https", "http"),
            server.url("/x.safetensors").replace("https://", "https://me:secret@"),
            "file:///etc/passwd",
            "https://127.1/x.safetensors",
        ):
            with pytest.raises(Exception, match=r"https|password|host") as caught:
                await made.downloads.add(url, made.target("x.safetensors"))
            said.append(type(caught.value).__name__)
        return said

    assert scene(steps) == ["AddressError"] * 4
    assert server.asked == []


def test_a_wrong_hash_deletes_the_file(scene, server):
    server.files["/model.safetensors"] = SMALL

    async def steps(made):
        made.allow()
        return await made.get(sha256="0" * 64), made

    found, made = scene(steps)
    assert found.state == "failed"
    assert "0" * 64 in found.message
    assert sha256(SMALL) in found.message
    assert not found.part.exists()
    assert not made.target("model.safetensors").path.exists()


def test_the_hash_that_hugging_face_states_is_checked_where_the_file_names_none(scene, server):
    server.files["/model.safetensors"] = SMALL

    def stating(digest):
        async def redirect(asked, writer):
            where = {"Location": "/model.safetensors", "X-Linked-ETag": f'"{digest}"'}
            await head(writer, 302, where)

        return redirect

    server.ways["/right"], server.ways["/wrong"] = stating(sha256(SMALL)), stating("1" * 64)

    async def steps(made):
        made.allow()
        right = await made.get("/right", name="right.safetensors")
        return right, await made.get("/wrong", name="wrong.safetensors")

    right, wrong = scene(steps)
    assert (right.state, right.sha256) == ("done", sha256(SMALL))
    assert wrong.state == "failed"
    assert "127.0.0.1" in wrong.message


def test_a_broken_connection_is_resumed_where_it_broke(scene, server):
    async def way(asked, writer):
        most = 1 << 20 if "range" not in asked.headers else None
        await dribble(LARGE, asked, writer, most=most)

    server.ways["/model.safetensors"] = way

    async def steps(made):
        made.allow()
        return await made.get(sha256=sha256(LARGE))

    assert scene(steps).state == "done"
    assert [each.headers.get("range") for each in server.asked] == [None, f"bytes={1 << 20}-"]
    assert server.asked[1].headers["if-range"] == '"one"'


def test_a_file_that_changed_meanwhile_is_begun_again(scene, server):
    versions = [LARGE, SMALL]

    async def way(asked, writer):
        content = versions[min(len(server.asked), 2) - 1]
        tag = f'"{len(server.asked)}"'
        await head(writer, 200, {"ETag": tag, "Content-Length": len(content)})
        writer.write(content if content is SMALL else content[: 1 << 20])

    server.ways["/model.safetensors"] = way

    async def steps(made):
        made.allow()
        return await made.get(), made

    found, made = scene(steps)
    assert (found.state, found.size) == ("done", len(SMALL))
    assert made.target("model.safetensors").path.read_bytes() == SMALL


def test_pause_resume_and_cancel(scene, server):
    async def way(asked, writer):
        await dribble(LARGE, asked, writer)

    server.ways["/model.safetensors"] = way

    async def steps(made):
        made.allow()
        found = await made.add(sha256=sha256(LARGE))
        while made.downloads.find(found.id).received < 1 << 20:
            await asyncio.sleep(0.01)
        paused = await made.downloads.pause(found.id)
        await made.downloads.resume(found.id)
        done = await made.until(found, "done", "failed")
        other = await made.add(name="other.safetensors")
        while made.downloads.find(other.id).received < 1 << 20:
            await asyncio.sleep(0.01)
        part = made.downloads.find(other.id).part
        existed = part.exists()
        await made.downloads.cancel(other.id)
        return paused, done, existed, part.exists(), made.downloads.list(), made.seen

    paused, done, existed, exists, listed, seen = scene(steps)
    assert paused.state == "paused"
    assert 1 << 20 <= paused.synced < len(LARGE)
    assert done.state == "done"
    assert server.asked[1].headers["range"] == f"bytes={paused.synced}-"
    assert (existed, exists) == (True, False)
    assert [each.id for each in listed] == [done.id]
    assert seen[-1][1]


def test_what_was_running_goes_on_in_the_next_process(scene, server):
    async def way(asked, writer):
        await dribble(LARGE, asked, writer)

    server.ways["/model.safetensors"] = way

    async def begin(made):
        made.allow()
        found = await made.add(sha256=sha256(LARGE))
        while made.downloads.find(found.id).received < 1 << 20:
            await asyncio.sleep(0.01)
        return found

    begun = scene(begin)

    async def go_on(made):
        return await made.until(begun, "done", "failed")

    assert scene(go_on).state == "done"
    assert int(server.asked[1].start) >= 1 << 20


def test_several_downloads_wait_in_a_queue(scene, server):
    for number in range(5):
        server.files[f"/{number}.safetensors"] = SMALL
    busy, most, count = 0, 0, 0

    async def slowly(asked, writer):
        nonlocal busy, most, count
        busy, count = busy + 1, count + 1
        most = max(most, busy)
        while count < 2:  # the first one waits for company
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)  # a third one would join them now
        busy -= 1
        await server.send_file(asked, writer)

    server.ways.update(dict.fromkeys(server.files, slowly))

    async def steps(made):
        made.allow()
        begun = [await made.add(path) for path in server.files]
        return [(await made.until(each, "done", "failed")).state for each in begun]

    assert scene(steps) == ["done"] * 5
    assert most == 2


def test_an_existing_file_is_never_replaced(scene, server):
    server.files["/model.safetensors"] = SMALL

    async def come_up(asked, writer):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
        await server.send_file(asked, writer)

    server.ways["/model.safetensors"] = come_up

    async def steps(made):
        nonlocal path
        path = made.target("model.safetensors").path
        made.allow()
        late = await made.get()
        with pytest.raises(FilesError, match="exists already"):
            await made.add(name="model.safetensors")
        return late

    path = None
    late = scene(steps)
    assert (late.state, path.read_bytes()) == ("failed", b"mine")
    assert "not replaced" in late.message


def test_formats_that_may_hold_programs_need_a_confirmation(scene, server):
    server.files["/model.ckpt"] = b"PK\3\4 weights"

    async def steps(made):
        made.allow()
        with pytest.raises(FilesError, match="can contain programs"):
            await made.add("/model.ckpt")
        return await made.get("/model.ckpt", confirmed=True)

    assert scene(steps).state == "done"


def test_an_error_page_does_not_become_a_model(scene, server):
    server.files["/model.safetensors"] = b"<!DOCTYPE html><title>Log in</title>"
    server.files["/model.gguf"] = b"GGML" * 10
    server.files["/model.bin"] = b"<html>no</html>"

    async def steps(made):
        made.allow()
        found = [await made.get(each, confirmed=True) for each in server.files]
        return [each.message for each in found], [each.part.exists() for each in found]

    messages, parts = scene(steps)
    assert all("this is no ." in each for each in messages)
    assert parts == [False] * 3


def test_a_link_at_the_place_of_the_unfinished_file_is_not_followed(scene, server, tmp_path):
    server.files["/model.safetensors"] = SMALL
    victim = tmp_path / "victim"
    victim.write_text("mine")

    async def steps(made):
        asks = await made.get()
        asks.part.parent.mkdir(parents=True, exist_ok=True)
        asks.part.symlink_to(victim)
        await made.downloads.allow(asks.asks_host, private=True)
        await asyncio.sleep(0)
        return await made.until(asks, "failed", "done")

    assert scene(steps).state == "failed"
    assert victim.read_text() == "mine"
