"""The routes of needs and downloads: what a page may ask for, and what it may not."""

import dataclasses
import json

import pytest

from engine.server.services import SERVICES

URL = "https://files.example/a.safetensors"
WORKFLOW = {
    "nodes": [
        {
            "id": 1,
            "type": "CheckpointLoaderSimple",
            "inputs": [],
            "outputs": [],
            "widgets_values": ["a.safetensors"],
            "properties": {
                "models": [{"name": "a.safetensors", "url": URL, "directory": "checkpoints"}]
            },
        }
    ],
    "links": [],
}
ASKED = {"name": "a.safetensors", "kind": "checkpoints", "url": URL}


@pytest.fixture(autouse=True)
def _folders(settings):
    settings.models_directories[0].mkdir()


def test_a_check_says_what_a_workflow_needs(serving, settings):
    async def scenario(client):
        return await (await client.post("/calotype/check", json=WORKFLOW)).json()

    (found,) = serving(scenario)["needs"]["models"]
    assert (found["name"], found["kind"], found["here"]) == ("a.safetensors", "checkpoints", False)
    assert (found["host"], found["url"], found["problem"]) == ("files.example", URL, None)
    assert found["folder"] == str(settings.models_directories[0] / "checkpoints")
    assert found["nodes"] == [["1", "ckpt_name"]]


def test_a_check_names_a_lacking_tokenizer_and_the_version_of_a_pack(serving, settings, tmp_path):
    entry = {"dtype": "F16", "shape": [256_384, 4096], "data_offsets": [0, 0]}
    mark = "encoder.block.0.layer.0.SelfAttention.q.weight"
    header = json.dumps({"shared.weight": entry, mark: entry}).encode()
    encoders = settings.models_directories[0] / "text_encoders"
    encoders.mkdir()
    content = len(header).to_bytes(8, "little") + header
    (encoders / "umt5.safetensors").write_bytes(content)
    pack = tmp_path / "custom_nodes" / "ComfyUI-Fancy"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text("")
    (pack / "pyproject.toml").write_text('[project]\nname = "fancy"\nversion = "1.9.0"\n')
    loader = {"id": 1, "type": "CLIPLoader", "widgets_values": ["umt5.safetensors", "wan"]}
    named = {"cnr_id": "comfyui-fancy", "ver": "1.10.0"}
    fancy = {"id": 2, "type": "Fancy", "properties": named}
    document = {"nodes": [loader, fancy], "links": []}

    async def scenario(client):
        return await (await client.post("/calotype/check", json=document)).json()

    chosen = dataclasses.replace(settings, custom_nodes_directories=(pack.parent,))
    needs = serving(scenario, chosen)["needs"]
    here, lacking = needs["models"]
    assert (here["name"], here["here"]) == ("umt5.safetensors", True)
    assert (lacking["name"], lacking["kind"]) == ("umt5xxl/spiece.model", "tokenizers")
    assert (lacking["here"], lacking["nodes"]) == (False, [["1", "clip_name"]])
    assert lacking["host"] == "huggingface.co"
    (found,) = needs["packs"]
    assert (found["installed"], found["differs"]) == ("1.9.0", "older")


def test_nothing_is_asked_before_its_host_is_allowed(serving):
    async def scenario(client):
        begun = await (await client.post("/calotype/downloads", json=ASKED)).json()
        looked = await client.post("/calotype/downloads/look", json={"url": URL})
        downloads = client.app[SERVICES].downloads
        while downloads.find(begun["id"]).state != "asks":
            pass_on = await client.get("/calotype/downloads")
            await pass_on.read()
        listed = await (await client.get("/calotype/downloads")).json()
        return looked.status, await looked.json(), listed

    status, looked, listed = serving(scenario)
    assert (status, looked["asks_host"]) == (409, "files.example")
    (found,) = listed["downloads"]
    assert (found["state"], found["asks_host"], listed["hosts"]) == ("asks", "files.example", [])


def test_a_download_is_paused_resumed_and_cancelled(serving):
    async def act(client, name, action):
        answer = await client.post(f"/calotype/downloads/{name}", json={"action": action})
        return answer.status

    async def scenario(client):
        begun = await (await client.post("/calotype/downloads", json=ASKED)).json()
        name = begun["id"]
        said = [await act(client, name, each) for each in ("pause", "resume", "fly", "cancel")]
        return [*said, await act(client, name, "cancel")], await (
            await client.get("/calotype/downloads")
        ).json()

    statuses, left = serving(scenario)
    assert statuses == [200, 200, 400, 200, 409]
    assert left["downloads"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://files.example/a.safetensors"},
        {"url": "https://me:pw@files.example/a.safetensors"},
        {"url": "file:///etc/passwd"},
        {"name": "../a.safetensors"},
        {"name": "/etc/a.safetensors"},
        {"name": "..\\a.safetensors"},
        {"name": "C:a.safetensors"},
        {"name": ".a.safetensors"},
        {"name": "a/.b/c.safetensors"},
        {"name": "a\u202ea.safetensors"},
        {"name": "con.safetensors"},
        {"name": "a.safetensors\0.py"},
        {"name": "a.py"},
        {"name": "a"},
        {"name": "a" * 300 + ".safetensors"},
        {"name": "a/b/c/d/e/f.safetensors"},
        {"kind": "../checkpoints"},
        {"kind": "output"},
        {"kind": "input"},
        {"kind": "custom_nodes"},
        {"kind": "configs"},
        {"kind": ""},
        {"kind": None},
        {"name": 5},
        {"sha256": "12"},
        {"sha256": 5},
        {"name": "a.ckpt"},
    ],
)
def test_requests_that_name_something_else_than_a_model_are_refused(change, serving, settings):
    async def scenario(client):
        answer = await client.post("/calotype/downloads", json={**ASKED, **change})
        return answer.status, await answer.json(), client.app[SERVICES].downloads.list()

    status, said, listed = serving(scenario)
    assert (status, listed) == (400, [])
    assert len(said["error"]) > 10


def test_a_pickled_file_is_taken_with_the_confirmation(serving):
    async def scenario(client):
        asked = {**ASKED, "name": "a.ckpt", "confirmed": True}
        return (await client.post("/calotype/downloads", json=asked)).status

    assert serving(scenario) == 200


def test_hosts_are_allowed_listed_and_forbidden(serving, settings):
    async def scenario(client):
        said = []
        for body in (
            {"host": "Files.Example"},
            {"host": "nas.local:8443", "private": True},
            {"host": "files.example", "allowed": False},
            {"host": "https://x/y"},
            {"host": "a/b"},
            {},
        ):
            answer = await client.post("/calotype/downloads/hosts", json=body)
            said.append((answer.status, (await answer.json()).get("hosts")))
        return said

    said = serving(scenario)
    assert [status for status, _ in said] == [200, 200, 200, 400, 400, 400]
    assert said[2][1] == [{"host": "nas.local:8443", "private": True}]
    stored = json.loads((settings.user_directory / "downloads" / "hosts.json").read_text())
    assert [each["host"] for each in stored] == ["nas.local:8443"]


def test_a_damaged_list_of_hosts_allows_nobody_and_is_kept(serving, settings):
    folder = settings.user_directory / "downloads"
    folder.mkdir()
    (folder / "hosts.json").write_text("[{")

    async def scenario(client):
        return (await (await client.get("/calotype/downloads")).json())["hosts"]

    assert serving(scenario) == []
    assert (folder / "hosts.damaged").read_text() == "[{"


def test_pages_hear_of_downloads(serving):
    async def scenario(client):
        async with client.ws_connect("/ws?clientId=a") as socket:
            await client.post("/calotype/downloads", json=ASKED)
            while True:
                message = await socket.receive_json()
                if message["type"] == "downloads_changed":
                    return message["data"]

    (found,) = serving(scenario)["changed"]
    assert found["name"] == "a.safetensors"
    # Several changes may be told as one.
    assert found["state"] in {"queued", "running", "asks", "failed"}
