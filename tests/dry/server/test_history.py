"""A history of any length is read and sent in parts."""

import json

import pytest

from engine.server.app import SERVICES
from engine.store.history import PAGE, History

NAMES = [f"p{number:03}" for number in range(130)]
PROMPT = json.dumps({"1": {"class_type": "X", "inputs": {"text": "ä" * 20_000}}})
INSERT = (
    "INSERT INTO prompts"
    " (id, digest, number, state, prompt, extra, wanted, created, ended, outcome)"
    " VALUES (?, x'00', ?, 'done', ?, '{}', '[\"1\"]', 0, ?, '{\"outputs\":{}}')"
)


async def fill(history):
    rows = [(name, number, PROMPT, number) for number, name in enumerate(NAMES)]
    await history._database.run(lambda connection: connection.executemany(INSERT, rows))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", NAMES),
        ("?max_items=40", NAMES[-40:]),
        ("?max_items=3", NAMES[-3:]),
        ("?max_items=-1", NAMES),
        ("?offset=100", NAMES[100:]),
        ("?max_items=30&offset=7", NAMES[7:37]),
        ("?offset=500", []),
    ],
)
def test_a_long_history_is_never_held_at_once(query, expected, serving, monkeypatch):
    longest = []
    real = History._entries

    async def counted(self, rest, parameters, **more):
        found = await real(self, rest, parameters, **more)
        longest.append(len(found))
        return found

    async def scenario(client):
        await fill(client.app[SERVICES].history)
        monkeypatch.setattr(History, "_entries", counted)
        answer = await client.get(f"/history{query}")
        assert answer.content_type == "application/json"
        return await answer.json()

    found = serving(scenario)
    assert list(found) == expected
    assert all(each["prompt"][2] == json.loads(PROMPT) for each in found.values())
    assert max(longest, default=0) <= (PAGE + 1) * len(PROMPT)


def test_what_is_deleted_while_history_is_sent_moves_nothing(serving):
    async def scenario(client):
        history, parts = client.app[SERVICES].history, []
        await fill(history)
        async for page in history.pages():
            parts.append(page if isinstance(page, str) else page.decode())
            if len(parts) == 1:
                await history.delete(["p000", "p001", "p100"])
        return list(json.loads("{" + ",".join(parts) + "}"))

    assert serving(scenario) == [each for each in NAMES if each != "p100"]


def test_the_head_of_a_long_history_has_no_body(serving):
    async def scenario(client):
        await fill(client.app[SERVICES].history)
        answer = await client.head("/history")
        after = await client.get("/history?max_items=1")  # on the same connection
        return answer.status, await answer.read(), list(await after.json())

    assert serving(scenario) == (200, b"", NAMES[-1:])
