"""Every route: headers, tokens, limits, and its entry in the docs."""

import asyncio
import gzip
import json
import re
from pathlib import Path

import pytest

from engine.server.app import PAGE_ROUTES, ROUTES, UNPREFIXED_ROUTES, build_app
from engine.server.guard import PAGE_HEADERS
from engine.server.tokens import Tokens
from engine.settings import ROOT

TABLE = [*ROUTES, *((method, f"/api{path}", handler) for method, path, handler in ROUTES)]
TABLE += [*UNPREFIXED_ROUTES, *PAGE_ROUTES]


def filled(path):
    return re.sub(r"\{\w+(:[^}]*)?\}", "x", path)


PATHS = [(method, filled(path)) for method, path, _ in TABLE]


def test_every_route_is_in_the_table(settings):
    app = build_app(settings, worker=None)
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD"
    }
    listed = {(method, re.sub(r":[^}]+", "", path)) for method, path, _ in TABLE}
    assert served == listed


def test_every_route_is_in_the_docs():
    page = (ROOT / "docs" / "http_api.md").read_text(encoding="utf-8")
    missing = [
        f"{method} {path}"
        for method, path, _ in [*ROUTES, *UNPREFIXED_ROUTES, *PAGE_ROUTES]
        if f"| {method} `{re.sub(r':[^}]+', '', path)}` |" not in page
    ]
    assert missing == []


def test_every_answer_has_the_headers(serving):
    async def scenario(client):
        lacking = []
        for method, path in [*PATHS, ("GET", "/none/at/all"), ("PUT", "/prompt")]:
            answer = await client.request(method, path)
            await answer.read()
            own = {"Content-Security-Policy"}
            if any(
                answer.headers.get(name) != PAGE_HEADERS[name] for name in {*PAGE_HEADERS} - own
            ):
                lacking.append((method, path, dict(answer.headers)))
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert answer.status < 500, (method, path, await answer.text())
        return lacking

    assert serving(scenario) == []


def test_another_page_gets_nothing_from_any_route(serving):
    async def scenario(client):
        let_in = []
        for method, path in PATHS:
            for headers in (
                {"Origin": "http://evil.example"},
                {"Origin": "null"},
                {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
                {"Host": "evil.example"},
            ):
                answer = await client.request(method, path, headers=headers)
                if answer.status not in {400, 403}:
                    let_in.append((method, path, headers, answer.status))
        return let_in

    assert serving(scenario) == []


def test_beyond_loopback_nothing_is_told_without_the_token(serving):
    tokens = Tokens("t" * 40)

    async def scenario(client):
        let_in = []
        for method, path in PATHS:
            answer = await client.request(method, path)
            if answer.status != 401:
                let_in.append((method, path, answer.status))
        bearer = {"Authorization": f"Bearer {'t' * 40}"}
        good = await client.get("/queue", headers=bearer)
        once = tokens.new_one_time_token()
        first = await client.get(f"/?token={once}", allow_redirects=False)
        cookie = first.headers["Set-Cookie"]
        session = {"Cookie": cookie.partition(";")[0]}
        client.session.cookie_jar.clear()
        inside = await client.get("/queue", headers=session)
        again = await client.get(f"/?token={once}", allow_redirects=False)
        statuses = [good.status, first.status, inside.status, again.status]
        wrong = [
            (await client.get("/queue", headers={"Authorization": "Bearer é"})).status
            for _ in range(6)
        ]
        return let_in, statuses, cookie, wrong

    let_in, statuses, cookie, wrong = serving(scenario, tokens=tokens)
    assert let_in == []
    assert statuses == [200, 303, 200, 401]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert wrong == [401, 401, 401, 401, 429, 429]


def test_reading_changes_nothing(serving, settings):
    def state():
        return {
            path: path.read_bytes()
            for path in settings.user_directory.rglob("*")
            if path.is_file() and "calotype.db" not in path.name
        }

    async def scenario(client):
        before = state()
        for method, path in PATHS:
            if method == "GET":
                await (await client.get(path)).read()
        queue = await (await client.get("/queue")).json()
        return before == state(), queue

    unchanged, queue = serving(scenario)
    assert unchanged
    assert queue == {"queue_running": [], "queue_pending": []}


def test_large_bodies_are_refused(serving):
    async def scenario(client):
        answers = []
        for path in ("/prompt", "/settings", "/userdata/a", "/interrupt"):
            # Only the header is sent: a body this large is refused before it is read.
            reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{client.server.port}\r\n"
                f"Content-Length: {200 << 20}\r\n\r\n".encode()
            )
            answers.append(int((await reader.readline()).split()[1]))
            writer.close()
            await writer.wait_closed()
        return answers

    assert serving(scenario) == [413] * 4


def test_object_info_is_compressed_and_remembered(serving, settings):
    async def scenario(client):
        first = await client.get("/object_info")
        etag = first.headers["ETag"]
        same = await client.get("/api/object_info", headers={"If-None-Match": etag})
        plain = await client.get("/object_info", headers={"Accept-Encoding": "identity"})
        settings.input_directory.mkdir(parents=True, exist_ok=True)
        (settings.input_directory / "new.png").write_bytes(b"")
        changed = await client.get("/object_info")
        one = await (await client.get("/object_info/KSampler")).json()
        none = await (await client.get("/object_info/Nothing")).json()
        return {
            "headers": first.headers,
            "info": await first.json(),
            "same": (same.status, await same.read()),
            "plain": await plain.read(),
            "changed": (changed.headers["ETag"] != etag, await changed.json()),
            "one": one,
            "none": none,
        }

    found = serving(scenario)
    assert found["headers"]["Content-Encoding"] == "gzip"
    assert found["same"] == (304, b"")
    assert json.loads(found["plain"]) == found["info"]
    assert len(gzip.compress(found["plain"])) < len(found["plain"]) / 3
    changed, info = found["changed"]
    assert changed
    assert "new.png" in info["LoadImage"]["input"]["required"]["image"][0]
    sampler = found["one"]["KSampler"]
    assert isinstance(sampler["input"]["required"]["sampler_name"][0], list)
    assert "euler" in sampler["input"]["required"]["sampler_name"][0]
    assert found["none"] == {}


def test_models_are_listed(serving, settings):
    folder = settings.models_directories[0] / "loras" / "sub"
    folder.mkdir(parents=True)
    (folder / "a.safetensors").write_bytes(b"x")
    (folder / "a.txt").write_bytes(b"x")

    async def scenario(client):
        kinds = await (await client.get("/models")).json()
        loras = await (await client.get("/models/loras")).json()
        none = await client.get("/models/nothing")
        outside = await client.get("/models/..%2F..")
        detailed = await (await client.get("/experiment/models/loras")).json()
        folders = await (await client.get("/experiment/models")).json()
        embeddings = await (await client.get("/embeddings")).json()
        return kinds, loras, none.status, outside.status, detailed, folders, embeddings

    kinds, loras, none, outside, detailed, folders, embeddings = serving(scenario)
    assert "checkpoints" in kinds
    assert set(loras) == {"calotype-demo-winter.safetensors", "sub/a.safetensors"}
    assert (none, outside) == (404, 404)
    sizes = {each["name"]: each["size"] for each in detailed}
    assert set(sizes) == set(loras)
    assert sizes["sub/a.safetensors"] == 1
    assert {"name", "folders"} == set(folders[0])
    assert embeddings == []


def test_a_weights_file_tells_its_metadata(serving, settings):
    folder = settings.models_directories[0] / "loras"
    folder.mkdir(parents=True)
    header = json.dumps({"__metadata__": {"a": "b"}}).encode()
    (folder / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (folder / "bad.safetensors").write_bytes(b"\xff" * 20)

    async def scenario(client):
        good = await (await client.get("/view_metadata/loras?filename=a.safetensors")).json()
        wrong = [
            (await client.get(f"/view_metadata/loras?filename={name}")).status
            for name in ("bad.safetensors", "none.safetensors", "a.txt", "..%2Fa.safetensors")
        ]
        return good, wrong

    assert serving(scenario) == ({"a": "b"}, [404] * 4)


def test_the_page_is_served_with_what_the_build_made(serving, tmp_path):
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<html>page</html>")
    (dist / "assets" / "app-AbCd1234.js").write_text("code")
    (dist / "assets" / "app-AbCd1234.js.gz").write_bytes(gzip.compress(b"code"))
    (tmp_path / "secret.txt").write_text("secret")

    async def scenario(client):
        index = await client.get("/")
        asset = await client.get("/assets/app-AbCd1234.js")
        outside = [
            (await client.get(path)).status
            for path in ("/..%2Fsecret.txt", "/assets/..%2F..%2Fsecret.txt", "/none", "/assets")
        ]
        return (
            (await index.text(), index.headers["Cache-Control"]),
            (await asset.text(), asset.headers),
            outside,
        )

    (page, cache), (code, headers), outside = serving(scenario, dist=dist)
    assert (page, cache) == ("<html>page</html>", "no-cache")
    assert code == "code"
    assert headers["Content-Encoding"] == "gzip"
    assert "immutable" in headers["Cache-Control"]
    assert "javascript" in headers["Content-Type"]
    assert outside == [404] * 4


def test_without_a_built_page_the_root_says_how(serving, tmp_path):
    async def scenario(client):
        return await (await client.get("/")).text()

    assert "pip install -e ." in serving(scenario, dist=Path(tmp_path))


def test_the_machine_is_told(serving):
    async def scenario(client):
        return await (await client.get("/system_stats")).json()

    found = serving(scenario)
    assert {"os", "ram_total", "ram_free", "comfyui_version", "python_version", "argv"} <= set(
        found["system"]
    )
    assert found["system"]["worker"]["ready"] is False
    assert found["devices"] == []


@pytest.mark.parametrize("path", ["/extensions", "/i18n", "/workflow_templates"])
def test_plugins_bring_nothing_yet(path, serving):
    async def scenario(client):
        return await (await client.get(path)).json()

    assert not serving(scenario)


def test_the_log_is_kept_and_told(serving):
    async def scenario(client):
        from engine.server.app import SERVICES

        socket = await client.ws_connect("/ws?clientId=me")
        await socket.receive()
        await client.patch("/internal/logs/subscribe", json={"clientId": "me", "enabled": True})
        client.app[SERVICES].logs.write("a line\n")
        told = json.loads((await socket.receive(timeout=10)).data)
        raw = await (await client.get("/internal/logs/raw")).json()
        text = await (await client.get("/internal/logs")).json()
        await socket.close()
        return told, raw, text

    told, raw, text = serving(scenario)
    assert told["type"] == "logs"
    assert told["data"]["entries"][0]["m"] == "a line\n"
    assert raw["entries"][-1]["m"] == "a line\n"
    assert text.endswith("a line\n")
