"""Routes, events and prompts of packs, behind the real server."""

import asyncio
import gc
import hashlib
import io
import json
import os

import aiohttp
import pytest

USED = ("pack_of_routes", "pack_with_pages", "pack_with_folders")


def test_all_three_are_loaded_and_listed(packs_server, real):
    found = {each["name"]: each for each in real.get_json(packs_server, "calotype/packs")}
    assert {name: found[name]["state"] for name in USED} == dict.fromkeys(USED, "loaded")
    assert "SendsEvents" in found["pack_of_routes"]["nodes"]
    assert found["pack_of_routes"]["enabled"] is True
    assert real.get_json(packs_server, "api/calotype/packs")


@pytest.mark.parametrize(
    "path", ["pack_of_routes/json/a%20b?x=1", "api/pack_of_routes/json/a%20b?x=1"]
)
def test_a_route_answers_with_and_without_api(packs_server, real, path):
    found = real.get_json(packs_server, path)
    assert found["name"] == "a b"
    assert found["query"] == {"x": "1"}
    assert found["host"] in packs_server.address
    assert found["started"] == 1, "a signal that raises costs only itself"


def test_our_cookie_is_not_given_to_a_pack(packs_server, real):
    cookies = {"calotype_session": "secret", "other": "1"}
    assert real.get_json(packs_server, "pack_of_routes/json/x", cookies=cookies)["cookies"] == {
        "other": "1"
    }


def test_a_middleware_sees_the_packs_answers_alone(packs_server, real):
    assert real.ask(packs_server, "GET", "pack_of_routes/json/x")[1]["X-Marked"] == "yes"
    assert "X-Marked" not in real.ask(packs_server, "GET", "queue")[1]


def test_static_files_and_unknown_ones(packs_server, real):
    status, _, body = real.ask(packs_server, "GET", "pack_of_routes/files/a.txt")
    assert (status, body) == (200, b"static text\n")
    assert real.ask(packs_server, "HEAD", "pack_of_routes/files/a.txt")[0] == 200
    assert real.ask(packs_server, "GET", "pack_of_routes/files/none.txt")[0] == 404
    assert real.ask(packs_server, "GET", "pack_of_routes/files/..%2f__init__.py")[0] in {403, 404}
    assert real.ask(packs_server, "GET", "of_no_pack")[0] == 404
    assert real.ask(packs_server, "POST", "of_no_pack")[0] == 405


def test_a_large_upload_is_streamed(packs_server, real):
    content = os.urandom(1 << 20) * 20
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(content), filename="big.bin")
    status, _, body = real.ask(packs_server, "POST", "pack_of_routes/upload", data=form)
    assert status == 200
    assert json.loads(body) == {
        "size": len(content),
        "digest": hashlib.sha256(content).hexdigest(),
    }


# The client drops its connection while it still sends, and aiohttp leaves that socket to Python.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_upload_beyond_the_limit_is_refused(packs_server, real):
    async def endless():
        for _ in range(110):
            yield bytes(1 << 20)

    headers = {"Content-Length": str(200 << 20)}
    assert (
        real.ask(packs_server, "PUT", "pack_of_routes/count", headers=headers, data=b"x")[0] == 413
    )
    assert real.ask(packs_server, "PUT", "pack_of_routes/count", data=endless())[0] == 413
    gc.collect()  # that socket here, and not in a later test
    assert real.ask(packs_server, "PUT", "pack_of_routes/count", data=b"abc")[2] == b"3"


def test_events_are_streamed_as_they_come(packs_server, real):
    async def read():
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{packs_server.address}pack_of_routes/events") as answer,
        ):
            assert answer.headers["Content-Type"] == "text/event-stream"
            return [piece async for piece in answer.content.iter_any()]

    pieces = asyncio.run(read())
    assert b"".join(pieces) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert len(pieces) > 1


def test_a_websocket_is_joined(packs_server, real):
    async def talk():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                f"{packs_server.address}pack_of_routes/ws", protocols=("mine",)
            ) as socket,
        ):
            await socket.send_str("hello")
            await socket.send_bytes(b"abc")
            said = [(await socket.receive()).data, (await socket.receive()).data]
            await socket.send_str("end")
            last = await socket.receive()
            return said, socket.protocol, last.type, socket.close_code

    said, protocol, last, code = asyncio.run(talk())
    assert said == ["HELLO", b"cba"]
    assert protocol == "mine"
    assert (last, code) == (aiohttp.WSMsgType.CLOSE, 4001)


def test_a_route_that_raises_is_answered_and_logged(packs_server, real):
    status, _, body = real.ask(packs_server, "GET", "pack_of_routes/raises")
    assert status == 500
    assert "pack_of_routes" in json.loads(body)["error"]
    real.logged(packs_server, "this route is broken")
    real.logged(packs_server, "the route /pack_of_routes/json/{name is not served")


def test_a_page_gets_an_origin_of_its_own_and_no_more(packs_server, real):
    for path in ("pack_of_routes/page", "pack_of_routes/added"):
        _, headers, _ = real.ask(packs_server, "GET", path)
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("sandbox")
        assert "allow-same-origin" not in policy
        assert "Access-Control-Allow-Origin" not in headers
        assert "Service-Worker-Allowed" not in headers
        cookies = headers.getall("Set-Cookie")
        assert [each.partition("=")[0] for each in cookies] == ["mine"]


def test_a_pack_cannot_have_our_routes(packs_server, real):
    async def scenario(browser):
        prompt_id = await browser.queue(real.tiny(1))
        assert prompt_id != "stolen"
        return await browser.ended(prompt_id)

    assert real.with_browser(packs_server, scenario)["status"]["status_str"] == "success"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "rebound.example"},
    ],
)
def test_a_foreign_page_reaches_no_route_of_a_pack(packs_server, real, headers):
    for path in ("pack_of_routes/json/x", "extensions/pack_with_pages/main.js"):
        status, _, body = real.ask(packs_server, "GET", path, headers=headers)
        assert status == 403, (path, body)


def test_the_local_socket_refuses_whoever_lacks_the_secret(packs_server, real):
    [path] = packs_server.user.glob("cache/routes-*.sock")
    assert path.stat().st_mode & 0o077 == 0

    async def send():
        connector = aiohttp.UnixConnector(str(path))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://x/pack_of_routes/json/x") as answer,
        ):
            return answer.status

    assert asyncio.run(send()) == 403


def test_events_reach_the_browser(packs_server, real):
    async def scenario(browser):
        prompt = {"1": real.picture(), "2": real.node("SendsEvents", image=["1", 0])}
        prompt_id = await browser.queue(prompt)
        mine = await browser.hear("pack_of_routes.mine")
        everyone = await browser.hear("pack_of_routes.all")
        await browser.hear("pack_of_routes.loop")
        entry = await browser.ended(prompt_id)
        return prompt_id, mine, everyone, entry, browser.heard

    prompt_id, mine, everyone, entry, heard = real.with_browser(packs_server, scenario)
    assert mine == {"client": "me", "node": "2", "prompt": prompt_id}
    assert everyone == {"nan": None, "many": [1]}
    binary = [data for kind, data in heard if kind == "binary"]
    assert any(each[:8] == b"\0\0\0\1\0\0\0\2" and each[8:12] == b"\x89PNG" for each in binary)
    assert b"\0\0\0\3\0\0\0\x012half" in binary
    [text] = entry["outputs"]["2"]["text"]
    assert json.loads(text) == [prompt_id, {"exec_info": {"queue_remaining": 1}}, 2]


def test_a_prompt_is_changed_before_it_is_checked(packs_server, real):
    async def scenario(browser):
        prompt_id = await browser.queue(real.tiny(7))
        return await browser.ended(prompt_id)

    entry = real.with_browser(packs_server, scenario)
    assert entry["status"]["status_str"] == "success"
    assert entry["prompt"][2]["1"]["inputs"]["color"] == 255
    real.logged(packs_server, "a handler that is broken")


def test_a_handler_that_does_not_return_holds_up_neither_prompts_nor_routes(
    packs_server, real, tmp_path
):
    held = tmp_path / "held"
    held.touch()

    async def scenario(browser):
        extra = {"held_by": str(held)}
        waiting = asyncio.create_task(browser.queue(real.tiny(7), extra_data=extra))
        await asyncio.sleep(0.5)
        async with browser.session.get(f"{browser.address}pack_of_routes/added") as page:
            assert (page.status, waiting.done()) == (200, False)
        first = await browser.ended(await waiting)
        return first, await browser.ended(await browser.queue(real.tiny(7)))

    try:
        entries = real.with_browser(packs_server, scenario)
    finally:
        held.unlink()
    assert [each["prompt"][2]["1"]["inputs"]["color"] for each in entries] == [255, 255]
    real.logged(packs_server, "on_prompt of pack_of_routes has not returned within 4 s")


def test_a_node_queues_its_prompt_again(packs_server, real):
    async def scenario(browser):
        first = await browser.queue(
            {"1": real.picture(3), "2": real.node("Repeats", image=["1", 0])}
        )
        [again] = (await browser.ended(first))["outputs"]["2"]["text"]
        while not (found := await browser.get(f"history/{again}")):
            await asyncio.sleep(0.05)
        return found[again]

    entry = real.with_browser(packs_server, scenario)
    assert entry["status"]["status_str"] == "success"
    assert entry["prompt"][3]["client_id"] == "me"


def test_routes_answer_while_a_node_computes(packs_server, real, tmp_path):
    until = tmp_path / "end"

    async def scenario(browser):
        prompt = {"1": real.picture(), "2": real.node("Computes", image=["1", 0], until=str(until))}
        prompt_id = await browser.queue(prompt)
        await browser.hear("executing", node="2")
        found = await browser.get("pack_of_routes/json/busy")
        second = await browser.queue(real.tiny(7))
        until.touch()
        await browser.ended(prompt_id)
        return found, await browser.ended(second)

    found, second = real.with_browser(packs_server, scenario)
    assert found["name"] == "busy"
    assert second["prompt"][2]["1"]["inputs"]["color"] == 255


def test_a_blocked_loop_of_routes_blocks_nobody_else(packs_server, real):
    async def scenario(browser):
        blocked = asyncio.create_task(
            browser.session.post(f"{browser.address}pack_of_routes/block", data=b"1")
        )
        await asyncio.sleep(0.1)
        queue = await browser.get("queue")
        assert not blocked.done()
        answer = await blocked
        answer.release()
        return queue, answer.status

    queue, status = real.with_browser(packs_server, scenario)
    assert "queue_running" in queue
    assert status == 200


def test_a_check_of_its_own_is_a_node_error(packs_server, real):
    async def scenario(browser):
        prompt = {
            "1": real.node("ChecksItself", number=3),
            "2": real.node("ChecksItself", number=4),
        }
        return await browser.ended(await browser.queue(prompt))

    entry = real.with_browser(packs_server, scenario)
    assert entry["outputs"] == {"2": {"text": ["4"]}}
    [error] = entry["status"]["node_errors"]["1"]["errors"]
    assert "3 is odd; choose an even number" in error["details"]
