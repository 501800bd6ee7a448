"""What packs add to the server, without a worker: whose a request is, what of an answer is sent."""

import asyncio
import json
from dataclasses import replace

import pytest
from multidict import CIMultiDict

from engine.packs.found import find_packs
from engine.packs.preferences import read_preferences
from engine.packs.records import LastStart, write_last_start
from engine.server.app import SERVICES
from engine.server.pack_files import find_file, list_scripts, translations, web_folders
from engine.server.pack_policy import SANDBOX, restrict
from engine.server.pack_table import PackTable
from engine.server.served_packs import binary_frame
from engine.server.tokens import Tokens
from engine.wire.local_address import LocalAddress
from engine.wire.pack_messages import PackReport, PackRoutes, PacksReady

TABLE = PackTable(
    [
        ("GET", "/mine"),
        ("*", "/any/*"),
        ("POST", "/items/*"),
        ("GET", "/calotype/packs"),
        ("GET", "/internal/*"),
        ("GET", "/api/direct"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/mine", "/mine"),
        ("GET", "/api/mine", "/mine"),
        ("POST", "/mine", None),
        ("GET", "/mine/more", None),
        ("DELETE", "/any/a/b", "/any/a/b"),
        ("POST", "/api/items/1", "/items/1"),
        ("GET", "/items/1", None),
        ("GET", "/api/direct", "/api/direct"),
        ("GET", "/calotype/packs", None),
        ("GET", "/api/calotype/packs", None),
        ("GET", "/internal/x", None),
        ("GET", "/api/internal/x", None),
        ("GET", "/", None),
    ],
)
def test_which_requests_are_a_packs(method, path, found):
    assert TABLE.path_for(method, path) == found


def test_a_route_at_the_root_claims_all_but_ours():
    table = PackTable([("GET", "/*")])
    assert table.path_for("GET", "/x") == "/x"
    assert table.path_for("GET", "/calotype/internal/on_prompt") is None


def test_headers_that_reach_beyond_an_answer_are_taken_off():
    headers = CIMultiDict(
        [
            ("Content-Type", "text/html"),
            ("Access-Control-Allow-Origin", "*"),
            ("Service-Worker-Allowed", "/"),
            ("Clear-Site-Data", "*"),
            ("Set-Cookie", "calotype_session=x"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Content-Security-Policy", "default-src 'none'"),
        ]
    )
    restrict(headers, SANDBOX)
    assert headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert headers["Content-Security-Policy"] == f"default-src 'none', {SANDBOX}"
    assert set(headers) == {"Content-Type", "Set-Cookie", "Content-Security-Policy"}


def test_a_preview_with_metadata_has_a_plain_form():
    metadata = b'{"image_type":"image/png"}'
    data = len(metadata).to_bytes(4) + metadata + b"PNG"
    frame = binary_frame(4, data)
    assert frame.content == b"\0\0\0\1\0\0\0\2PNG"
    assert frame.with_metadata == b"\0\0\0\4" + data
    assert binary_frame(9, b"x").content == b"\0\0\0\tx"
    assert binary_frame(4, b"").content == b"\0\0\0\4"


@pytest.fixture
def packs(settings, tmp_path):
    folder = tmp_path / "custom_nodes"
    (folder / "one" / "js").mkdir(parents=True)
    (folder / "one" / "__init__.py").write_text("")
    (folder / "one" / "js" / "a.js").write_text("1")
    (folder / "two").mkdir()
    (folder / "two" / "__init__.py").write_text("")
    return replace(settings, custom_nodes_directories=(folder,))


def test_a_web_folder_outside_of_the_pack_is_left_out(packs, tmp_path):
    folder = packs.custom_nodes_directories[0]
    found = find_packs(packs)
    inside = PackReport("one", web={"one": str(folder / "one" / "js")})
    outside = [
        PackReport("two", web={"two": "/"}),
        PackReport("two", web={"two": str(folder / "one" / "js")}),
        PackReport("two", web={"a/b": str(folder / "two")}),
        PackReport("gone", web={"gone": str(folder)}),
    ]
    assert list_scripts(web_folders([inside], found)) == ["/extensions/one/a.js"]
    assert web_folders(outside, found) == {}


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a\0b", "", ".", "a/../../x", "..\\x", "x" * 5000]
)
def test_no_name_leads_out_of_a_folder(tmp_path, name):
    (tmp_path / "x").write_text("secret")
    folder = tmp_path / "inside"
    folder.mkdir()
    assert find_file(folder, name) is None


def test_translations_of_several_packs_are_merged(packs):
    for pack, text in (("one", {"a": {"x": 1, "y": 1}}), ("two", {"a": {"y": 2}})):
        folder = packs.custom_nodes_directories[0] / pack / "locales" / "fr"
        folder.mkdir(parents=True)
        (folder / "main.json").write_text(json.dumps(text))
    assert translations(find_packs(packs)) == {"fr": {"a": {"x": 1, "y": 2}}}


@pytest.fixture
def claimed(settings):
    """The last start had a route and a class."""
    catalog = json.dumps([{"class_type": "Mine", "display_name": "Mine", "category": "x"}])
    write_last_start(
        settings,
        LastStart((PackReport("one"),), route_paths=(("GET", "/mine"),), catalog=catalog.encode()),
    )


def test_while_packs_load_their_routes_say_so_and_their_nodes_are_there(claimed, serving):
    async def scenario(client):
        answer = await client.get("/api/mine")
        assert answer.status == 503
        assert "loading" in (await answer.json())["error"]
        assert (await client.post("/mine", data=b"")).status == 405
        assert (await client.get("/other")).status == 404
        assert "Mine" in await (await client.get("/object_info")).json()
        foreign = await client.get("/mine", headers={"Origin": "http://evil.example"})
        assert foreign.status == 403

    serving(scenario)


def test_a_route_of_a_pack_needs_the_token(claimed, serving):
    async def scenario(client):
        assert (await client.get("/mine")).status == 401
        assert (await client.get("/extensions")).status == 401
        allowed = {"Authorization": "Bearer right"}
        assert (await client.get("/mine", headers=allowed)).status == 503

    serving(scenario, tokens=Tokens("right"))


def test_a_damaged_catalog_of_the_last_start_costs_nothing_else(settings, serving):
    write_last_start(settings, LastStart((PackReport("one"),), catalog=b'[{"class_type": 1}]'))

    async def scenario(client):
        assert "KSampler" in await (await client.get("/object_info")).json()

    serving(scenario)


def test_packs_are_switched_in_the_preferences(packs, settings, serving, monkeypatch):
    async def scenario(client):
        found = await (await client.get("/calotype/packs")).json()
        assert [(each["name"], each["enabled"]) for each in found] == [("one", True), ("two", True)]
        assert (await client.post("/calotype/packs/one", json={"enabled": False})).status == 200
        assert (await client.post("/calotype/packs/one", json={"network": False})).status == 200
        assert (await client.post("/calotype/packs/one", json={"what": True})).status == 400
        assert (await client.post("/calotype/packs/one", json={})).status == 400
        assert (await client.post("/calotype/packs/none", json={"enabled": True})).status == 404
        chosen = {"class": "Mine", "pack": "one"}
        assert (await client.post("/calotype/packs/choose", json=chosen)).status == 404
        assert (await client.post("/calotype/packs/reload", json={})).status == 200
        [one, two] = await (await client.get("/calotype/packs")).json()
        assert (one["enabled"], one["state"], one["network"]) == (False, "disabled", False)
        assert two["enabled"]

    serving(scenario, chosen=packs)


def test_a_pack_is_isolated_once_its_environment_is_made(packs, serving):
    requirements = packs.custom_nodes_directories[0] / "one" / "requirements.txt"

    async def scenario(client):
        requirements.write_text("msgspec\n./nowhere.whl\ntorch\n")
        found = await (await client.get("/calotype/packs/one/environment")).json()
        assert found == {
            "is_made": False,
            "wanted": ["./nowhere.whl"],
            "present": ["msgspec"],
            "left_out": ["torch"],
        }
        assert (await client.get("/calotype/packs/none/environment")).status == 404
        refused = await client.post("/calotype/packs/one", json={"isolated": True})
        assert refused.status == 409
        assert "nowhere.whl" in await refused.text()
        assert read_preferences(packs).isolated == frozenset()
        for wrong in ({"memory": 0}, {"memory": True}, {"isolated": 1}):
            assert (await client.post("/calotype/packs/one", json=wrong)).status == 400

        requirements.write_text("msgspec\n")
        asked = {"isolated": True, "network": False, "memory": 1 << 30}
        assert (await client.post("/calotype/packs/one", json=asked)).status == 200
        [one, _] = await (await client.get("/calotype/packs")).json()
        assert (one["isolated"], one["network"], one["memory"]) == (True, False, 1 << 30)
        found = await (await client.get("/calotype/packs/one/environment")).json()
        assert (found["is_made"], found["wanted"]) == (True, [])
        assert (await client.post("/calotype/packs/one", json={"isolated": False})).status == 200
        [one, _] = await (await client.get("/calotype/packs")).json()
        assert not one["isolated"]

    serving(scenario, chosen=packs)


def test_the_routes_of_an_isolated_pack_are_those_of_its_present_process(packs, serving):
    async def scenario(client):
        served = client.app[SERVICES].served
        address = LocalAddress("secret", port=9).to_text()
        paths = (("GET", "/mine"), ("POST", "/below/*"))
        served.receive(PackRoutes("one", 1, address, paths))
        assert served.path_for("GET", "/api/mine") == "/mine"
        assert served.path_for("POST", "/below/this") == "/below/this"
        assert served.path_for("GET", "/calotype/mine") is None
        first = served.proxy("GET", "/mine")
        served.receive(PackRoutes("one"))
        answer = await client.get("/mine")
        assert answer.status == 503
        assert "started again" in await answer.text()
        served.receive(PackRoutes("one", 2, address, paths))
        assert served.proxy("GET", "/mine") is not first
        served.receive(PacksReady(b"[]"))
        assert served.path_for("GET", "/mine") is None

    serving(scenario, chosen=packs)


def test_browsers_hear_of_many_packs_at_once_and_of_no_change_never(packs, serving, monkeypatch):
    from engine.server import served_packs

    monkeypatch.setattr(served_packs, "TOGETHER_SECONDS", 0.05)

    async def scenario(client):
        services = client.app[SERVICES]
        sent = []
        monkeypatch.setattr(services.hub, "send", lambda _, messages: sent.extend(messages))
        counts = []
        for changes in ({"one": "failed", "two": "loaded"}, {}, {"two": "failed"}):
            for name, state in changes.items():
                services.packs.reports[name] = PackReport(name, state=state)
                services.packs.on_change()
            services.packs.on_change()
            await asyncio.sleep(0.3)
            counts.append(len(sent))
        return counts

    assert serving(scenario, chosen=packs) == [1, 1, 2]
