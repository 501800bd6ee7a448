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


def marked(asking, number=0):
    graph = asking.prompt()
    graph["2"]["inputs"]["filename_prefix"] = f"{MARK}-{number}"
    return graph


def test_what_one_prompt_costs(scenario, asking, counts):
    """The first goes to an idle worker, the others stay in the queue for a while."""

    async def steps(client):
        await asking.ended(client, await asking.put(client))
        counts.clear()
        names = []
        for number in range(3):
            answer = await client.post("/prompt", json={"prompt": marked(asking, number)})
            names.append((await answer.json())["prompt_id"])
        return [await asking.ended(client, each) for each in names]

    entries = scenario(steps)
    assert [each["status"]["status_str"] for each in entries] == ["success"] * 3
    assert counts == {"decoded": 3, "parsed": 3, "ordered": 3}


def test_the_same_prompt_again_is_neither_decoded_nor_checked(scenario, asking, counts):
    """What else the request says is its own."""

    async def steps(client):
        names = []
        for number in range(3):
            body = {"prompt": marked(asking), "extra_data": {"number": number}}
            answer = await client.post("/prompt", json=body)
            names.append((await answer.json())["prompt_id"])
        return [await asking.ended(client, each) for each in names]

    entries = scenario(steps)
    assert [each["prompt"][3]["number"] for each in entries] == [0, 1, 2]
    assert all(each["prompt"][2] == marked(asking) for each in entries)
    assert counts == {"decoded": 1, "parsed": 1, "ordered": 1}


def test_prompts_that_only_compare_equal_are_not_the_same(serving, asking):
    async def steps(client):
        texts = []
        for color in ("1", "1.0", "true", "null", "NaN"):
            prompt = json.dumps(marked(asking)).replace('"color": 0', f'"color": {color}')
            answer = await client.post("/prompt", data=f'{{"prompt": {prompt}}}')
            texts.append((answer.status, (await answer.json()).get("node_errors")))
        queue = await (await client.get("/queue")).json()
        return texts, [each[2]["1"]["inputs"]["color"] for each in queue["queue_pending"]]

    answers, colors = serving(steps)
    assert [status for status, _ in answers] == [200, 200, 200, 400, 400]
    assert [(type(each), each) for each in colors] == [(int, 1)] * 3


def test_the_same_prompt_again_needs_its_files_again(serving, asking, settings):
    picture = settings.input_directory / "a.png"
    graph = marked(asking) | {"1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}

    async def post(client):
        return (await client.post("/prompt", json={"prompt": graph})).status

    async def steps(client):
        found = [await post(client)]
        picture.write_bytes(b"a picture")
        found += [await post(client), await post(client)]
        picture.unlink()
        found.append(await post(client))
        picture.write_bytes(b"another one")
        return [*found, await post(client)]

    assert serving(steps) == [400, 200, 200, 400, 200]


def test_after_a_restart_it_is_read_from_the_store(serving, scenario, asking, counts):
    async def accept(client):
        await client.post("/prompt", json={"prompt": marked(asking), "prompt_id": "it"})

    async def finish(client):
        return await asking.ended(client, "it")

    serving(accept)
    counts.clear()
    assert scenario(finish)["status"]["status_str"] == "success"
    assert counts == {"decoded": 1, "parsed": 1, "ordered": 1}
