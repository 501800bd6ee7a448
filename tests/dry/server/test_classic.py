"""The classic view: its own origin, the same API, and no way from there to the editor."""

import asyncio
import contextlib

import pytest
from aiohttp.test_utils import TestClient, TestServer

from engine.errors import SettingsError
from engine.server import serve
from engine.server.app import ROUTES, build_app, build_classic_app
from engine.server.classic import NOT_INSTALLED, TURNED_OFF, Classic, find_frontend
from engine.server.tokens import Tokens
from engine.serving import Serving

TOKEN = "t" * 40
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def frontend(tmp_path, monkeypatch):
    """A package as pip would lay it down, whose import would fail."""
    site = tmp_path / "site"
    package = site / "comfyui_frontend_package"
    (package / "static" / "scripts").mkdir(parents=True)
    (package / "static" / "extensions" / "core").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "static" / "index.html").write_text("<title>Theirs</title>")
    (package / "static" / "scripts" / "app.js").write_text("export const app = 1")
    (package / "static" / "extensions" / "core" / "own.js").write_text("// own")
    told = site / "comfyui_frontend_package-1.2.3.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: comfyui-frontend-package\nVersion: 1.2.3\n"
    )
    monkeypatch.syspath_prepend(str(site))
    found = find_frontend()
    assert found is not None
    return found


@pytest.fixture
def both(settings, frontend):
    """Runs a scenario against the main and the classic server."""

    def run(scenario, tokens=None, chosen=settings):
        async def whole():
            # The port is known before the application is made, as in serve.py.
            taken = serve._listen(Serving(port=0))
            port = serve._port(taken)
            for each in taken:
                each.close()
            classic = Classic(frontend, port, tokens=tokens)
            app = build_app(chosen, worker=None, tokens=tokens, classic=classic)
            async with TestClient(TestServer(app)) as main:
                view = build_classic_app(app, frontend, tokens, Serving())
                async with TestClient(TestServer(view, port=port)) as second:
                    return await asyncio.wait_for(scenario(main, second), 60)

        return asyncio.run(whole())

    return run


def test_the_package_is_found_and_not_imported(frontend):
    assert frontend.version == "1.2.3"
    assert (frontend.folder / "index.html").is_file()


def test_the_way_there_and_the_page(both):
    async def scenario(main, classic):
        sent = await main.get("/classic/", allow_redirects=False)
        page = await classic.get("/")
        script = await classic.get("/scripts/app.js")
        own = await classic.get("/extensions/core/own.js")
        none = await classic.get("/extensions/core/none.js")
        assert sent.status == 303
        assert sent.headers["Location"] == f"http://127.0.0.1:{classic.port}/"
        assert await page.text() == "<title>Theirs</title>"
        assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "connect-src" not in page.headers["Content-Security-Policy"]
        assert "default-src 'self' " in page.headers["Content-Security-Policy"]
        assert script.headers["Content-Type"].startswith("text/javascript")
        assert await own.text() == "// own"
        assert none.status == 404

    both(scenario)


def test_the_api_is_there_and_is_the_same(both):
    async def scenario(main, classic):
        for path in ("/object_info", "/api/object_info", "/queue", "/api/history"):
            assert await (await main.get(path)).read() == await (await classic.get(path)).read()
        stored = await classic.post("/userdata/workflows%2Fa.json", data=b'{"nodes": []}')
        assert stored.status == 200
        assert await (await main.get("/userdata/workflows%2Fa.json")).read() == b'{"nodes": []}'
        async with classic.ws_connect("/ws?clientId=one") as socket:
            told = await socket.receive_json()
            assert told["type"] == "status"

    both(scenario)


def test_a_prompt_from_there_has_previews_unless_it_wants_none(both):
    prompt = {"1": {"class_type": "PreviewAny", "inputs": {"source": "x"}}}

    async def scenario(main, classic):
        async def asked(client, **extra):
            body = {"prompt": prompt, "extra_data": extra}
            answer = await (await client.post("/prompt", json=body)).json()
            queue = (await (await client.get("/queue")).json())["queue_pending"]
            (entry,) = [each for each in queue if each[1] == answer["prompt_id"]]
            return entry[3].get("preview_method")

        assert await asked(main) is None
        assert await asked(classic) == await asked(classic, preview_method="default") == "auto"
        assert await asked(classic, preview_method="none") == "none"

    both(scenario)


def test_what_only_the_editor_uses_is_not_there(both):
    async def scenario(_, classic):
        ours = [(method, path) for method, path, _ in ROUTES if path.startswith("/calotype/")]
        assert ours
        for method, path in ours:
            for prefix in ("", "/api"):
                answer = await classic.request(method, f"{prefix}{path}")
                assert answer.status in {404, 405}, path

    both(scenario)


def test_a_script_there_cannot_ask_the_editors_origin(both):
    async def scenario(main, classic):
        origin = f"http://127.0.0.1:{classic.port}"
        for headers in (
            {"Origin": origin},
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        ):
            for path in ("/queue", "/calotype/journals", "/classic/"):
                assert (await main.get(path, headers=headers)).status == 403
        with contextlib.suppress(Exception):
            async with main.ws_connect("/ws", headers={"Origin": origin}):
                pytest.fail("the editor's socket took a page of the classic origin")

    both(scenario)


def test_another_page_gets_nothing_from_the_classic_origin(both):
    async def scenario(_, classic):
        for headers in (
            {"Origin": "http://evil.example"},
            {"Host": "evil.example"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        ):
            assert (await classic.get("/queue", headers=headers)).status == 403
            assert (await classic.get("/scripts/app.js", headers=headers)).status == 403

    both(scenario)


def test_the_token_is_carried_over_once(both):
    tokens = Tokens(TOKEN)

    async def scenario(main, classic):
        assert (await main.get("/classic/", allow_redirects=False)).status == 401
        sent = await main.get("/classic/", headers=BEARER, allow_redirects=False)
        assert sent.headers["Cache-Control"] == "no-store"
        assert (await classic.get("/queue")).status == 401
        path = "/" + sent.headers["Location"].rpartition("/")[2]
        first = await classic.get(path, allow_redirects=False)
        assert (first.status, first.headers["Location"]) == (303, "./")
        assert "HttpOnly" in first.headers["Set-Cookie"]
        session = {"Cookie": first.headers["Set-Cookie"].partition(";")[0]}
        assert (await classic.get("/queue", headers=session)).status == 200
        classic.session.cookie_jar.clear()
        assert (await classic.get(path, allow_redirects=False)).status == 401
        # With a session, too, the token is spent: scripts there can read the page's address.
        again = await main.get("/classic/", headers=BEARER, allow_redirects=False)
        path = "/" + again.headers["Location"].rpartition("/")[2]
        assert (await classic.get(path, headers=session, allow_redirects=False)).status == 303
        classic.session.cookie_jar.clear()
        assert (await classic.get(path, allow_redirects=False)).status == 401

    both(scenario, tokens)


def test_a_token_for_the_way_expires():
    now = 0.0
    tokens = Tokens(TOKEN, clock=lambda: now)
    lasting, brief, spent = (
        tokens.new_one_time_token(),
        tokens.new_one_time_token(60),
        tokens.new_one_time_token(60),
    )
    assert tokens.redeem(spent)
    now = 61.0
    assert not tokens.redeem(brief)
    assert tokens.redeem(lasting)


@pytest.mark.parametrize("reason", [NOT_INSTALLED, TURNED_OFF])
def test_without_it_a_page_says_how_to_install_it(serving, reason):
    async def scenario(client):
        answer = await client.get("/classic/")
        return answer.status, await answer.text()

    status, text = serving(scenario, classic=Classic(reason=reason))
    assert status == 404
    assert reason in text
    assert "pip install -e &#x27;.[classic]&#x27;" in text


def test_its_port_is_the_next_one_or_another(frontend):
    first = serve._listen(Serving(port=0))
    port = serve._port(first)
    found, opened = serve._classic(Serving(port=port), port, None)
    again, more = serve._classic(Serving(port=port), port, None)
    try:
        assert found.frontend == frontend
        assert found.port == serve._port(opened)
        assert again.port not in {port, found.port, None}
        with pytest.raises(SettingsError, match="--classic-port"):
            serve._classic(Serving(classic_port=port), port, None)
        assert serve._classic(Serving(classic=False), port, None) == (
            Classic(reason=TURNED_OFF),
            [],
        )
    finally:
        for each in (*first, *opened, *more):
            each.close()


def test_it_is_off_where_the_package_is_not(monkeypatch):
    monkeypatch.setattr(serve, "find_frontend", lambda: None)
    assert serve._classic(Serving(), 8188, None) == (Classic(reason=NOT_INSTALLED), [])


def test_files_of_packs_are_sandboxed_on_our_origin_alone(both, settings, tmp_path):
    from dataclasses import replace

    from engine.packs.records import LastStart, write_last_start
    from engine.wire.pack_messages import PackReport

    chosen = replace(settings, custom_nodes_directories=(tmp_path / "custom_nodes",))
    folder = tmp_path / "custom_nodes" / "one"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "page.html").write_text("<script>1</script>")
    write_last_start(settings, LastStart((PackReport("one", web={"one": str(folder)}),)))

    async def scenario(main, second):
        policies = []
        for each in (main, second):
            answer = await each.get("/extensions/one/page.html")
            assert answer.status == 200
            policies.append(answer.headers["Content-Security-Policy"])
        return policies

    ours, theirs = both(scenario, chosen=chosen)
    assert ours.startswith("sandbox ")
    assert "sandbox" not in theirs
