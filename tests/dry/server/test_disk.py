"""Disks that are full, read-only or without hard links: a clear error, and nothing is lost."""

import errno
import json
import os

import aiohttp
import pytest

JOURNAL = b'{"n": 1, "tab": {"window": "w", "closed": null}}\n'
JOURNAL_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def refusing(number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    return refuse


def form(name="a.png", content=b"picture", **fields):
    made = aiohttp.FormData(fields)
    made.add_field("image", content, filename=name)
    return made


WRITES = {
    "upload": lambda client: client.post("/upload/image", data=form()),
    "workflow": lambda client: client.post("/userdata/workflows%2Fa.json", data=b"{}"),
    "move": lambda client: client.post("/userdata/old.txt/move/new%2Fname.txt"),
    "setting": lambda client: client.post("/settings/a", data=b"1"),
    "settings": lambda client: client.post("/settings", data=b'{"a": 1}'),
    "version": lambda client: client.post("/calotype/versions?of=x", data=b"{}"),
    "journal": lambda client: client.put(f"/calotype/journals/{JOURNAL_ID}?window=w", data=JOURNAL),
}


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [
        (errno.ENOSPC, 507, "the disk is full"),
        (errno.EDQUOT, 507, "the disk is full"),
        (errno.EROFS, 503, "the disk refused: Read-only"),
        (errno.EIO, 503, "the disk refused: Input/output"),
    ],
)
@pytest.mark.parametrize("name", WRITES)
def test_a_disk_that_refuses_is_no_fault_of_the_request(
    name, number, status, sentence, serving, settings, monkeypatch
):
    others = settings.user_directory / "userdata"
    others.mkdir()
    (others / "old.txt").write_text("old")

    async def scenario(client):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refusing(number))
            refused = await WRITES[name](client)
            said = await refused.json()
        return refused.status, said["error"], (await WRITES[name](client)).status

    answered, said, later = serving(scenario)
    assert answered == status
    assert sentence in said
    assert str(settings.user_directory) not in said
    assert later in {200, 404} if name == "move" else later == 200


def test_more_of_a_journal_on_a_full_disk(serving, monkeypatch):
    async def scenario(client):
        await WRITES["journal"](client)
        address = f"/calotype/journals/{JOURNAL_ID}?window=w"
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refusing(errno.ENOSPC))
            refused = await client.post(address, data=b'{"n": 2}\n')
        again = await client.post(address, data=b'{"n": 2}\n')
        return refused.status, again.status

    assert serving(scenario) == (507, 200)


def test_a_disk_without_hard_links_takes_new_files(serving, settings, monkeypatch):
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))

    async def scenario(client):
        path = "/userdata/workflows%2Fa.json"
        answers = [
            await client.post(f"{path}?overwrite=false", data=b"1"),
            await client.post(f"{path}?overwrite=false", data=b"2"),
            await client.post(f"{path}/move/workflows%2Fb.json"),
            await client.post(f"{path}", data=b"3"),
            await client.post(f"{path}/move/workflows%2Fb.json"),
            await client.post("/upload/image", data=form(content=b"one")),
            await client.post("/upload/image", data=form(content=b"two")),
        ]
        return [each.status for each in answers], (await answers[-1].json())["name"]

    statuses, name = serving(scenario)
    assert statuses == [200, 409, 200, 200, 409, 200, 200]
    assert name == "a (1).png"
    workflows = settings.user_directory / "workflows"
    assert (workflows / "b.json").read_bytes() == b"1"
    assert (workflows / "a.json").read_bytes() == b"3"
    assert (settings.input_directory / "a.png").read_bytes() == b"one"
    left = [path.name for path in settings.user_directory.rglob("*.part")]
    assert left == []


def test_a_workflow_that_another_takes_the_name_of_stays_as_a_version(serving, settings):
    async def scenario(client):
        path = "/userdata/workflows%2Fa.json"
        await client.post(path, data=b'{"nodes": [1]}')
        await client.post(f"{path}?overwrite=true", data=b'{"nodes": [1, 2]}')
        other = settings.user_directory / "workflows" / "b.json"
        other.write_text(json.dumps({"nodes": ["precious"]}))  # like another program
        moved = await client.post(f"{path}/move/workflows%2Fb.json?overwrite=true")
        listed = await (await client.get("/calotype/versions?of=workflows/b.json")).json()
        texts = []
        for each in listed:
            address = f"/calotype/versions/{each['when']}?of=workflows/b.json"
            texts.append(await (await client.get(address)).text())
        return moved.status, other.read_text(), [each["kind"] for each in listed], texts

    status, now, kinds, texts = serving(scenario)
    assert (status, now) == (200, '{"nodes": [1, 2]}')
    assert '{"nodes": ["precious"]}' in texts
    assert "replaced" in kinds
    # The newest is the present content, and the previous version was stored too.
    assert texts[0] == now
    assert '{"nodes": [1]}' in texts


def test_a_workflow_moved_over_itself_stays(serving, settings):
    async def scenario(client):
        path = "/userdata/workflows%2Fa.json"
        await client.post(path, data=b"{}")
        answer = await client.post(f"{path}/move/workflows%2Fa.json?overwrite=true")
        return answer.status, (settings.user_directory / "workflows" / "a.json").read_bytes()

    assert serving(scenario) == (200, b"{}")
