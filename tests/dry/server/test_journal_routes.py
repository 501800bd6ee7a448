"""The routes of journals: who may write, what is refused, and that damage affects one only."""

import json

import pytest

NAME = "11111111-2222-4333-8444-555555555555"


def line(n, *, window=None, closed=None, **more):
    tab = {} if window is None else {"tab": {"window": window, "closed": closed, "name": "a"}}
    return json.dumps({"n": n, **tab, **more}).encode() + b"\n"


def test_routes(serving, settings):
    address = f"/calotype/journals/{NAME}"

    async def scenario(client):
        statuses = [
            (await client.get(address)).status,
            (await client.post(f"{address}?window=one", data=line(1))).status,
            (await client.put(f"{address}?window=one", data=line(1, window="one"))).status,
            (await client.post(f"/api{address}?window=one", data=line(2))).status,
            (await client.post(f"{address}?window=two", data=line(3))).status,
            (await client.post(address, data=line(3))).status,
            (await client.post(f"{address}?window=one", data=b'{"n": 3}')).status,
            (await client.post(f"{address}?window=one", data=b"")).status,
            (await client.put(f"{address}?window=two", data=line(3, window="one"))).status,
        ]
        listed = await (await client.get("/calotype/journals")).json()
        async with client.ws_connect("/ws?clientId=one"):
            alive = (await (await client.get("/calotype/journals")).json())[0]["alive"]
        content = await (await client.get(address)).read()
        statuses += [(await client.delete(address)).status, (await client.get(address)).status]
        return statuses, listed, alive, content

    statuses, listed, alive, content = serving(scenario)
    assert statuses == [404, 409, 200, 200, 409, 400, 400, 400, 400, 204, 404]
    assert [(each["id"], each["alive"]) for each in listed] == [(NAME, False)]
    assert alive
    assert content == line(1, window="one") + line(2)


@pytest.mark.parametrize("name", ["..%2Fcalotype", "a", "%00", NAME.upper() + "x", "CON", ".."])
def test_names_are_ids(name, serving, settings):
    async def scenario(client):
        put = await client.put(f"/calotype/journals/{name}?window=one", data=line(1, window="one"))
        return put.status

    assert serving(scenario) in {400, 404, 405}
    assert not list((settings.user_directory / "journals").glob("*"))


def test_a_disk_that_refuses_keeps_what_was_there(serving, settings):
    folder = settings.user_directory / "journals"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("no folder")

    async def scenario(client):
        put = await client.put(f"/calotype/journals/{NAME}?window=one", data=line(1, window="one"))
        return put.status, await put.text()

    status, text = serving(scenario)
    assert status == 400
    assert str(settings.user_directory) not in text


def test_one_damaged_journal_costs_the_others_nothing(serving, settings):
    folder = settings.user_directory / "journals"
    folder.mkdir(parents=True)
    lines = (
        b'{"n":1,"tab":{"window":["x"]}}',
        b'{"n":1,"tab":{"window":"w","closed":1' + b"0" * 400 + b"}}",
        b'{"n":1,"tab":{"window":"w","big":1' + b"0" * 5000 + b"}}",
        b'{"n":1,"tab":{"a":' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"n":1,"tab":{"window":"\xff"}}',
        b"\0\0",
    )
    for number, content in enumerate(lines):
        (folder / f"{NAME[:-1]}{number}.jsonl").write_bytes(content + b"\n")
    (folder / f"{NAME[:-1]}9.jsonl").mkdir()

    async def scenario(client):
        put = await client.put(
            f"/calotype/journals/{NAME[:-1]}8?window=w", data=line(1, window="w")
        )
        listed = await client.get("/calotype/journals")
        missing = await client.get(f"/calotype/journals/{NAME[:-1]}9")
        return put.status, listed.status, await listed.text(), missing.status

    put, status, text, folder_status = serving(scenario)
    assert (put, status, folder_status) == (200, 200, 400)
    names = {each["id"][-1] for each in json.loads(text.replace("1" + "0" * 5000, "1"))}
    assert names == set("0123458")
