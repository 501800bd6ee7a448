"""Fields that clients of ComfyUI read without checking that they exist."""

import json
import re

import pytest

from engine.server.app import PAGE_ROUTES, ROUTES, UNPREFIXED_ROUTES
from engine.server.hub import outgoing
from engine.server.messages import NodeProgress, Progress, ProgressState
from engine.settings import ROOT

PATHS = {
    re.sub(r"\{\w+(:[^}]*)?\}", "x", path)
    for method, path, _ in (*ROUTES, *UNPREFIXED_ROUTES, *PAGE_ROUTES)
    if method == "GET"
}


@pytest.mark.parametrize("path", sorted(PATHS))
def test_what_can_be_read_has_a_head(path, serving):
    async def scenario(client):
        read = await client.get(path)
        length = len(await read.read())
        head = await client.head(path)
        return read, length, head, await head.read()

    read, length, head, body = serving(scenario)
    assert head.status == read.status
    assert head.headers.get("Content-Type") == read.headers.get("Content-Type")
    assert body == b""
    if "Content-Encoding" not in read.headers:
        assert int(head.headers["Content-Length"]) == length or path == "/system_stats"


def test_templates_are_listed_and_read(serving):
    async def scenario(client):
        index = await (await client.get("/templates/index.json")).json()
        names = [each["name"] for each in index[0]["templates"]]
        files = [await client.get(f"/api/templates/{name}.json") for name in names]
        pictures = [await client.get(f"/templates/{name}-1.webp") for name in names]
        nothing = [
            (await client.get(f"/templates/{name}")).status
            for name in ("none.json", "..%2F..%2Fpyproject.toml", "text_to_image", "none-1.svg")
        ]
        return names, [await each.json() for each in files], pictures, nothing

    names, files, pictures, nothing = serving(scenario)
    assert names == sorted(path.stem for path in (ROOT / "web" / "workflows").glob("*.json"))
    assert all("nodes" in each for each in files)
    assert {each.headers["Content-Type"] for each in pictures} == {"image/webp"}
    assert nothing == [404] * 4


def test_templates_of_families_are_categories_with_placeholders_for_pictures(serving):
    async def scenario(client):
        _, *families = await (await client.get("/templates/index.json")).json()
        names = [each["name"] for family in families for each in family["templates"]]
        files = [await client.get(f"/templates/{name}.json") for name in names]
        picture = await client.get("/templates/flux_dev-1.svg")
        return families, names, [await each.json() for each in files], await picture.text()

    families, names, files, picture = serving(scenario)
    folder = ROOT / "web" / "workflows" / "families"
    assert {*names, "index"} == {path.stem for path in folder.glob("*.json")}
    assert {"FLUX.1", "Qwen-Image 2.1"} <= {family["title"] for family in families}
    assert all(each["mediaSubtype"] == "svg" for f in families for each in f["templates"])
    for document in files:
        declared = [m for node in document["nodes"] for m in node["properties"].get("models", ())]
        assert all(model["url"].endswith(model["name"]) for model in declared)
        assert declared
    assert picture.startswith("<svg")
    assert ">FLUX.1</text>" in picture


def test_json_files_of_the_user_say_that_they_are(serving):
    async def scenario(client):
        await client.post("/userdata/workflows%2Fa.json", data=b'{"nodes": []}')
        await client.post("/userdata/page.html", data=b"<script>1</script>")
        found = await client.get("/userdata/workflows%2Fa.json")
        page = await client.get("/userdata/page.html")
        return found.headers, await found.json(), page.headers

    headers, content, page = serving(scenario)
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert content == {"nodes": []}
    assert page["Content-Type"] == "application/octet-stream"
    assert page["Content-Disposition"].startswith("attachment")


def test_loaders_without_files_offer_empty_lists(serving):
    async def scenario(client):
        return (
            await (await client.get("/object_info")).json(),
            await (await client.get("/models")).json(),
            [
                await (await client.get(f"/models/{kind}")).json()
                for kind in ("vae", "diffusion_models", "unet", "clip_vision")
            ],
        )

    info, kinds, lists = serving(scenario)
    choices = info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]
    assert isinstance(choices, list)
    assert isinstance(info["VAELoader"]["input"]["required"]["vae_name"][0], list)
    assert isinstance(info["LoadImage"]["input"]["required"]["image"][0], list)
    assert lists == [[]] * 4
    assert "diffusion_models" in kinds


def test_a_missing_class_is_said_in_the_older_form_and_the_newer(serving):
    prompt = {
        "1": {"class_type": "NoSuchNode", "inputs": {}, "_meta": {"title": "Mine"}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        "3": {"class_type": "NorThis", "inputs": {}},
    }

    async def scenario(client):
        answer = await client.post("/prompt", json={"prompt": prompt})
        return answer.status, await answer.json()

    status, said = serving(scenario)
    assert status == 400
    assert said["error"]["type"] == "invalid_prompt"
    assert said["error"]["details"] == "Node ID '#1'"
    assert set(said["node_errors"]) == {"1", "3"}
    found = said["node_errors"]["1"]
    assert found["class_type"] == "NoSuchNode"
    assert [each["type"] for each in found["errors"]] == ["missing_node_type"]
    assert found["errors"][0]["extra_info"] == {
        "node_id": "1",
        "class_type": "NoSuchNode",
        "node_title": "Mine",
    }


def test_ten_thousand_missing_nodes_are_not_all_told(serving):
    prompt = {str(n): {"class_type": "NoSuchNode", "inputs": {}} for n in range(10_000)}

    async def scenario(client):
        answer = await client.post("/prompt", json={"prompt": prompt})
        return await answer.text()

    text = serving(scenario)
    assert len(json.loads(text)["node_errors"]) == 100
    assert len(text) < 100_000


def progress_of(value, most, state="running"):
    node = NodeProgress(value, most, state, "1", "p", "1", None, "1")
    return ProgressState("p", {"1": node})


def test_the_last_step_is_skipped_for_nobody():
    assert outgoing(Progress(3, 20, "p", "1")).skippable
    assert not outgoing(Progress(20, 20, "p", "1")).skippable
    assert outgoing(progress_of(3, 20)).skippable
    assert not outgoing(progress_of(20, 20)).skippable
    assert not outgoing(progress_of(20, 20, "finished")).skippable
    assert outgoing(progress_of(0, 1)).skippable
