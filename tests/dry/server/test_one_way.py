"""A prompt is decoded, parsed and ordered only once in the server."""

import json
import sys
from collections import Counter

import msgspec
import pytest

from engine.graph import order, prompt

MARK = "the-mark-in-a-prompt"


@pytest.fixture
def counts(monkeypatch):
    """How often prompts with the mark were decoded, parsed and ordered by the engine's code."""
    found: Counter[str] = Counter()

    def decoding(real):
        def decode(text, *rest, **options):
            content = text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
            caller = sys._getframe(1).f_globals["__name__"]
            if MARK in content and caller.startswith("engine."):
                found["decoded"] += 1
            return real(text, *rest, **options)

        return decode

    def counting(name, real):
        def call(*given, **options):
            found[name] += 1
            return real(*given, **options)

        return call

    monkeypatch.setattr(json, "loads", decoding(json.loads))
    monkeypatch.setattr(msgspec.json, "decode", decoding(msgspec.json.decode))
    monkeypatch.setattr(prompt, "_parse_nodes", counting("parsed", prompt._parse_nodes))
    monkeypatch.setattr(order, "_visit", counting("ordered", order._visit))
    return found


def marked(asking):
    graph = asking.prompt()
    graph["2"]["inputs"]["filename_prefix"] = MARK
    return graph


def test_what_one_prompt_costs(scenario, asking, counts):
    """The first goes to an idle worker, the others stay in the queue for a while."""

    async def steps(client):
        await asking.ended(client, await asking.put(client))
        counts.clear()
        names = []
        for _ in range(3):
            answer = await client.post("/prompt", json={"prompt": marked(asking)})
            names.append((await answer.json())["prompt_id"])
        return [await asking.ended(client, each) for each in names]

    entries = scenario(steps)
    assert [each["status"]["status_str"] for each in entries] == ["success"] * 3
    assert counts == {"decoded": 3, "parsed": 3, "ordered": 3}


def test_after_a_restart_it_is_read_from_the_store(serving, scenario, asking, counts):
    async def accept(client):
        await client.post("/prompt", json={"prompt": marked(asking), "prompt_id": "it"})

    async def finish(client):
        return await asking.ended(client, "it")

    serving(accept)
    counts.clear()
    assert scenario(finish)["status"]["status_str"] == "success"
    assert counts == {"decoded": 1, "parsed": 1, "ordered": 1}
