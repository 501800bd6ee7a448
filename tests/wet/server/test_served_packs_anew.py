"""Files of packs for browsers, their folders and choices, and packs that are loaded anew.

The last tests change the state of the server, and end it.
"""

import asyncio
import json
import time

import pytest


def test_scripts_are_listed_and_sent(packs_server, real):
    listed = real.get_json(packs_server, "extensions")
    base = "/extensions/pack_with_pages"
    assert listed == [f"{base}/inner/a%20b.js", f"{base}/main.js"]
    status, headers, body = real.ask(packs_server, "GET", "extensions/pack_with_pages/main.js")
    assert status == 200
    assert headers["Content-Type"].startswith("text/javascript")
    assert b"scripts/app.js" in body
    assert real.ask(packs_server, "GET", "api/extensions/pack_with_pages/inner/a%20b.js")[0] in {
        200,
        404,
    }
    _, headers, _ = real.ask(packs_server, "GET", "extensions/pack_with_pages/page.html")
    assert headers["Content-Security-Policy"].startswith("sandbox")


@pytest.mark.parametrize(
    "path",
    [
        "extensions/pack_with_pages/leads_out.js",
        "extensions/pack_with_pages/.hidden.js",
        "extensions/pack_with_pages/..%2f__init__.py",
        "extensions/pack_with_pages/..%5c__init__.py",
        "extensions/pack_with_pages/%2fetc%2fpasswd",
        "extensions/pack_of_routes/__init__.py",
        "extensions/none/main.js",
        "workflow_templates/pack_with_pages/..%2f__init__.py",
        "workflow_templates/pack_with_pages/%2fetc%2fpasswd",
        "workflow_templates/..%2fpack_with_pages/first.json",
    ],
)
def test_nothing_outside_of_a_packs_folder_is_sent(packs_server, real, path):
    status, _, body = real.ask(packs_server, "GET", path)
    assert status == 404, body


def test_translations_are_merged_and_a_broken_file_costs_only_itself(packs_server, real):
    found = real.get_json(packs_server, "i18n")
    assert found["en"]["greeting"] == "Hello"
    assert found["en"]["nodeDefs"] == {"SendsEvents": {"display_name": "Sends events"}}
    assert "de" not in found


def test_example_workflows_are_listed_and_sent(packs_server, real):
    assert real.get_json(packs_server, "workflow_templates") == {"pack_with_pages": ["first"]}
    found = real.get_json(packs_server, "api/workflow_templates/pack_with_pages/first.json")
    assert found == {"nodes": [], "links": [], "version": 0.4}
    names = [each["name"] for each in real.get_json(packs_server, "global_subgraphs").values()]
    assert names == ["small"]


def test_choices_of_files_are_current(packs_server, pack_folder, real):
    def choices(name):
        return real.get_json(packs_server, "object_info/ChoosesFiles")["ChoosesFiles"]["input"][
            "required"
        ][name]

    assert choices("thing")[0] == ["first.safetensors"]
    assert sorted(choices("maybe")[0]) == ["None", "one.txt"]
    folder = pack_folder / "pack_with_folders"
    (folder / "things" / "second.safetensors").write_bytes(b"x")
    assert choices("thing")[0] == ["first.safetensors", "second.safetensors"]
    assert "test_things" in real.get_json(packs_server, "models")
    assert real.get_json(packs_server, "models/test_more") == ["one.txt"]
    assert str(folder / "more") in real.get_json(packs_server, "internal/folder_paths")["test_more"]
    info = real.get_json(packs_server, "object_info")["ChoosesFiles"]
    assert info["input"]["optional"]["any"][0] == "anything"
    assert info["output"] == ["anything"]


def test_choices_that_a_pack_lists_are_read_again_on_a_refresh(packs_server, pack_folder, real):
    first = real.ask(packs_server, "GET", "object_info")
    (pack_folder / "pack_with_folders" / "own" / "b.json").write_text("x")
    deadline = time.monotonic() + 30
    while True:
        tag = {"If-None-Match": first[1]["ETag"]}
        status, _, body = real.ask(packs_server, "GET", "object_info", headers=tag)
        if status == 200:
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    own = json.loads(body)["ChoosesFiles"]["input"]["required"]["own"][0]
    assert own == ["a.json", "b.json"]


def test_a_prompt_uses_choices_wildcards_and_folders(packs_server, real):
    async def scenario(browser):
        chosen = {"thing": "first.safetensors", "maybe": "None", "own": "a.json"}
        prompt = {
            "1": real.node("ChoosesFiles", **chosen),
            "2": real.node("ChoosesFiles", **chosen, any=["1", 0]),
            "3": real.picture(),
            "4": real.node("ChoosesFiles", **chosen, any=["3", 0]),
        }
        return await browser.ended(await browser.queue(prompt))

    entry = real.with_browser(packs_server, scenario)
    assert set(entry["outputs"]) == {"1", "2", "4"}


def test_switching_a_pack_off_reloads_and_its_routes_wait_meanwhile(packs_server, real):
    status, _, body = real.ask(packs_server, "POST", "calotype/packs/none", json={"enabled": False})
    assert status == 404, body
    assert (
        real.ask(packs_server, "POST", "calotype/packs/pack_with_pages", json={"enabled": 1})[0]
        == 400
    )

    async def scenario(browser):
        assert await browser.post("calotype/packs/pack_with_pages", enabled=False) == 200
        await browser.hear("pack_changed")
        seen = set()
        deadline = time.monotonic() + 60
        while True:
            async with browser.session.get(f"{browser.address}pack_of_routes/json/x") as answer:
                seen.add(answer.status)
                assert answer.status in {200, 503}, await answer.text()
            states = {each["name"]: each for each in await browser.get("calotype/packs")}
            is_off = states["pack_with_pages"]["state"] == "disabled"
            # A quick start is waited for, so that no request need be refused meanwhile.
            if is_off and answer.status == 200:
                break
            assert time.monotonic() < deadline, (seen, states)
            await asyncio.sleep(0.02)
        assert "SendsEvents" in await browser.get("object_info")
        return await browser.get("extensions")

    assert real.with_browser(packs_server, scenario) == []


def test_the_next_start_has_the_catalog_at_once(packs_server, pack_folder, real):
    status, _, body = real.ask(packs_server, "GET", "pack_of_routes/exits")
    assert (status, json.loads(body)["error"][:19]) == (503, "the plugin's worker")
    assert real.ask(packs_server, "GET", "queue")[0] == 200
    assert packs_server.end() == 0
    assert not list(packs_server.user.glob("cache/routes-*.sock"))
    again = real.start(
        packs_server.user, "--dtype", "fp32", "--custom-nodes-directory", pack_folder
    )
    try:
        ready = real.get_json(again, "system_stats")["system"]["worker"]["ready"]
        info = real.get_json(again, "object_info")
        status, _, body = real.ask(again, "GET", "pack_of_routes/json/x")
        assert not ready
        assert info["ChoosesFiles"]["input"]["required"]["thing"][0] == [
            "first.safetensors",
            "second.safetensors",
        ]
        assert (status, json.loads(body)["error"][:17]) == (503, "the packs are loa")
    finally:
        again.kill()
        again.process.stdout.close()
