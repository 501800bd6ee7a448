"""Workflows and settings are stored whole, inside their folders, and replaced only on request."""

import json

import pytest

from engine.paths import BadNameError, resolve


def test_a_workflow_is_saved_listed_moved_and_deleted(serving, settings):
    async def scenario(client):
        path = "/userdata/workflows%2Fsub%2Fa.json"
        saved = await client.post(path, data=b'{"a": 1}')
        again = await client.post(path, data=b'{"a": 2}')
        kept = await client.post(f"{path}?overwrite=false", data=b'{"a": 2}')
        replaced = await client.post(f"{path}?overwrite=true&full_info=true", data=b'{"a": 3}')
        content = await (await client.get(path)).read()
        listed = await (
            await client.get("/userdata?dir=workflows&recurse=true&full_info=true")
        ).json()
        split = await (
            await client.get("/api/userdata?dir=workflows&recurse=true&split=true")
        ).json()
        top = await (await client.get("/v2/userdata?path=workflows")).json()
        moved = await client.post(
            "/userdata/workflows%2Fsub%2Fa.json/move/workflows%2Fb.json", data=b""
        )
        gone = await client.get(path)
        deleted = await client.delete("/userdata/workflows%2Fb.json")
        twice = await client.delete("/userdata/workflows%2Fb.json")
        return {
            "statuses": [
                each.status for each in (saved, again, kept, replaced, moved, gone, deleted, twice)
            ],
            "name": await saved.json(),
            "info": await replaced.json(),
            "content": content,
            "listed": listed,
            "split": split,
            "top": top,
        }

    found = serving(scenario)
    assert found["statuses"] == [200, 409, 409, 200, 200, 404, 204, 404]
    assert found["name"] == "workflows/sub/a.json"
    assert found["info"]["size"] == 8
    assert found["content"] == b'{"a": 3}'
    assert [each["path"] for each in found["listed"]] == ["sub/a.json"]
    assert found["split"] == [["sub/a.json", "sub", "a.json"]]
    assert found["top"] == [{"name": "sub", "path": "workflows/sub", "type": "directory"}]
    assert (settings.user_directory / "workflows" / "sub").is_dir()


@pytest.mark.parametrize(
    "name",
    [
        "..%2Fcalotype.db",
        "workflows%2F..%2Fcalotype.db",
        "workflows%2F..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "..%5Ccalotype.db",
        "workflows%2Fa%00.json",
        "workflows%2Fcon.json",
        "workflows",
        "workflows%2F" + "a" * 300,
        "C:%5Cx",
    ],
)
def test_names_stay_inside(name, serving, settings):
    async def scenario(client):
        answers = [
            await client.post(f"/userdata/{name}?overwrite=true", data=b"x"),
            await client.get(f"/userdata/{name}"),
            await client.delete(f"/userdata/{name}"),
        ]
        return [(each.status, await each.text()) for each in answers]

    for status, text in serving(scenario):
        assert status in {400, 403, 404, 405}
        assert str(settings.user_directory) not in text


def test_the_database_and_the_token_are_no_userdata(serving):
    async def scenario(client):
        return [
            (await client.get(f"/userdata/{name}")).status
            for name in ("calotype.db", "token", "settings.json", "calotype.toml", "output/a.png")
        ]

    assert serving(scenario) == [404] * 5


def test_other_files_are_kept_apart(serving, settings):
    async def scenario(client):
        await client.post("/userdata/comfy.templates.json", data=b"[]")
        missing = await client.get("/userdata?dir=subgraphs")
        none = await client.get("/userdata")
        top = await (await client.get("/v2/userdata")).json()
        return missing.status, none.status, [each["path"] for each in top]

    assert serving(scenario) == (404, 400, ["comfy.templates.json"])
    assert (settings.user_directory / "userdata" / "comfy.templates.json").read_bytes() == b"[]"


def test_settings_are_merged_and_kept(serving, settings):
    async def scenario(client):
        first = await (await client.get("/settings")).json()
        await client.post("/settings", json={"a": 1, "b": 2})
        await client.post("/api/settings/b", data=json.dumps([3]))
        await client.post("/settings/c", data="null")
        one = await (await client.get("/settings/b")).json()
        none = await (await client.get("/settings/none")).json()
        wrong = (await client.post("/settings", data="[]")).status
        users = await (await client.get("/users")).json()
        return first, one, none, await (await client.get("/settings")).json(), wrong, users

    first, one, none, found, wrong, users = serving(scenario)
    assert (first, one, none, wrong) == ({}, [3], None, 400)
    assert found == {"a": 1, "b": [3], "c": None}
    assert json.loads((settings.user_directory / "settings.json").read_text()) == found
    assert users == {"storage": "server", "migrated": True}


def test_damaged_settings_are_told_and_not_overwritten(serving, settings):
    path = settings.user_directory / "settings.json"
    path.write_text("{")

    async def scenario(client):
        return (await client.get("/settings")).status, (
            await client.post("/settings", json={"a": 1})
        ).status

    assert serving(scenario) == (400, 400)
    assert path.read_text() == "{"


@pytest.mark.parametrize(
    "name", ["a/../b", "/a", "a\\b", "a\nb", "aux", "b:c", "x" * 256, "\ud800"]
)
def test_bad_names_are_refused(name, tmp_path):
    with pytest.raises(BadNameError):
        resolve(tmp_path, name)


@pytest.mark.parametrize("name", ["a", "a/b.png", "ü (1).png", "./a", "", "a//b", "console.json"])
def test_good_names_lie_inside(name, tmp_path):
    assert resolve(tmp_path, name).is_relative_to(tmp_path)
