"""Prompts that cannot run are refused, with the node and input named."""

import io
import json

import pytest

from engine.server.app import SERVICES

TINY = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}


def with_input(node, name, value):
    prompt = json.loads(json.dumps(TINY))
    prompt[node]["inputs"][name] = value
    return prompt


def body(prompt, **more):
    return json.dumps({"prompt": prompt, **more}).encode()


CIRCLE = {
    "1": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
    "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}
SELF = {
    "1": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}
DEEP = b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
# name: body, error type, node and the type of its problem
HOSTILE = {
    "circle": (body(CIRCLE), "prompt_outputs_failed_validation", "2", "dependency_cycle"),
    "self": (body(SELF), "prompt_outputs_failed_validation", "1", "dependency_cycle"),
    "unknown class": (
        body({"1": {"class_type": "Nothing", "inputs": {}}}),
        "invalid_prompt",
        None,
        "#1",
    ),
    "no class": (body({"1": {"inputs": {}}}), "invalid_prompt", None, "#1"),
    "too small": (
        body(with_input("1", "width", 0)),
        "prompt_outputs_failed_validation",
        "1",
        "value_smaller_than_min",
    ),
    "too big": (
        body(with_input("1", "width", 10**9)),
        "prompt_outputs_failed_validation",
        "1",
        "value_bigger_than_max",
    ),
    "too big for 64 bits": (
        body(with_input("1", "width", 2**80)),
        "prompt_outputs_failed_validation",
        "1",
        "value_bigger_than_max",
    ),
    "NaN": (
        body(with_input("1", "width", float("nan"))),
        "invalid_prompt",
        None,
        "width",
    ),
    "infinity": (
        body(with_input("1", "width", float("inf"))),
        "invalid_prompt",
        None,
        "width",
    ),
    "1e999": (body(TINY).replace(b"16", b"1e999", 1), "invalid_prompt", None, "width"),
    "5,000 digits": (
        body(TINY).replace(b"16", b"9" * 5000, 1),
        "invalid_prompt",
        None,
        None,
    ),
    "a lone surrogate": (
        body(TINY).replace(b'"x"', b'"\\ud800"'),
        "invalid_prompt",
        None,
        None,
    ),
    "no number": (
        body(with_input("1", "width", "wide")),
        "prompt_outputs_failed_validation",
        "1",
        "invalid_input_type",
    ),
    "no link": (
        body(with_input("2", "images", ["1", 0, 0])),
        "prompt_outputs_failed_validation",
        "2",
        "bad_linked_input",
    ),
    "link to nowhere": (
        body(with_input("2", "images", ["99", 0])),
        "prompt_outputs_failed_validation",
        "2",
        "exception_during_validation",
    ),
    "slot 7": (
        body(with_input("2", "images", ["1", 7])),
        "prompt_outputs_failed_validation",
        "2",
        "exception_during_validation",
    ),
    "slot -1": (
        body(with_input("2", "images", ["1", -1])),
        "prompt_outputs_failed_validation",
        "2",
        "bad_linked_input",
    ),
    "missing input": (
        body({"2": {"class_type": "SaveImage", "inputs": {}}}),
        "prompt_outputs_failed_validation",
        "2",
        "required_input_missing",
    ),
    "no output": (body({"1": TINY["1"]}), "prompt_no_outputs", None, None),
    "empty": (body({}), "prompt_no_outputs", None, None),
    "no prompt": (b"{}", "no_prompt", None, None),
    "null": (body(None), "no_prompt", None, None),
    "a list": (body([1, 2]), "invalid_prompt", None, None),
    "a text": (body("hello"), "invalid_prompt", None, None),
    "a list of bodies": (b"[]", "invalid_prompt", None, None),
    "no JSON": (b"prompt=1", "invalid_prompt", None, None),
    "nothing": (b"", "invalid_prompt", None, None),
    "bytes": (b"\xff\xfe\x00", "invalid_prompt", None, None),
    "cut off": (body(TINY)[:-20], "invalid_prompt", None, None),
    "100,000 levels": (DEEP, "invalid_prompt", None, None),
    "65 levels in an input": (
        body(TINY).replace(b'"x"', b'{"a":' * 70 + b"1" + b"}" * 70),
        "invalid_prompt",
        None,
        "filename_prefix",
    ),
    "nodes that are none": (body({"1": 5}), "invalid_prompt", None, "#1"),
    "inputs that are none": (
        body({"1": {"class_type": "SaveImage", "inputs": []}}),
        "invalid_prompt",
        None,
        "#1",
    ),
    "a class that is none": (
        body({"1": {"class_type": ["SaveImage"], "inputs": {}}}),
        "invalid_prompt",
        None,
        "#1",
    ),
    "extra that is none": (body(TINY, extra_data=[1]), "invalid_prompt", None, None),
    "an id that is none": (body(TINY, prompt_id={}), "invalid_prompt", None, None),
    "a long id": (body(TINY, prompt_id="x" * 300), "invalid_prompt", None, None),
    "a number that is none": (body(TINY, number="first"), "invalid_prompt", None, None),
    "targets that are none": (
        body(TINY, partial_execution_targets="2"),
        "invalid_prompt",
        None,
        None,
    ),
    "__proto__": (
        b'{"prompt": {"__proto__": {"class_type": "x"}}}',
        "invalid_prompt",
        None,
        "__proto__",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_run_is_refused(name, serving, settings):
    sent, kind, node, problem = HOSTILE[name]

    async def scenario(client):
        answer = await client.post("/prompt", data=sent)
        remaining = await client.app[SERVICES].queue.remaining()
        return answer.status, await answer.json(), await answer.text(), remaining

    status, found, text, remaining = serving(scenario)
    assert status == 400
    assert remaining == 0
    assert set(found) == {"error", "node_errors"}
    assert set(found["error"]) == {"type", "message", "details", "extra_info"}
    assert found["error"]["type"] == kind
    if node is not None:
        told = found["node_errors"][node]
        assert set(told) == {"errors", "dependent_outputs", "class_type"}
        assert problem in [each["type"] for each in told["errors"]]
    elif problem is not None:
        assert problem in found["error"]["details"] + found["error"]["message"]
    assert str(settings.user_directory) not in text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("route", ["/prompt", "/calotype/check"])
def test_a_body_is_read_as_the_command_line_reads_files(encoding, route, serving):
    sent = {"prompt": TINY, "extra_data": {"extra_pnginfo": {"workflow": {"x": float("nan")}}}}

    async def scenario(client):
        answer = await client.post(route, data=json.dumps(sent).encode(encoding))
        return answer.status, (await answer.json()).get("report", {}).get("error")

    assert serving(scenario) == (200, None)


@pytest.mark.parametrize("depth", [150, 195, 198, 205, 900, 960, 990])
def test_what_is_accepted_can_be_read_back(depth, serving):
    """A prompt that one reader accepts and the next rejects would be stuck for good."""
    deep = b"[" * depth + b"]" * depth
    sent = body(TINY, prompt_id="deep", extra_data={"deep": "DEEP"}).replace(b'"DEEP"', deep)

    async def scenario(client):
        posted = await client.post("/prompt", data=sent)
        job = await client.get("/api/jobs/deep")
        queue = await client.get("/queue")
        return posted.status, job.status, queue.status, await posted.text()

    posted, job, queue, text = serving(scenario)
    assert queue == 200
    assert (posted, job) in {(200, 200), (400, 404)}
    assert posted == 200 or "nested too deeply" in text
    assert (posted == 200) == (depth < 200)


def test_half_a_character_beside_a_prompt_is_replaced(serving):
    sent = body(TINY, prompt_id="half", client_id="\ud83d", extra_data={"title": "fox \ud83d"})

    async def scenario(client):
        posted = await client.post("/prompt", data=sent)
        job = await (await client.get("/api/jobs/half")).json()
        return posted.status, job["workflow"]["extra_data"]

    status, extra = serving(scenario)
    assert status == 200
    assert (extra["title"], extra["client_id"]) == ("fox \ufffd", "\ufffd")


def test_half_a_character_in_a_name_is_an_answer(serving):
    async def scenario(client):
        nodes = {"1": {"class_type": "No\ud83d", "inputs": {}}}
        return [
            (await client.post("/prompt", data=body(nodes))).status,
            (await client.post("/prompt", data=body({"\ud83d": TINY["1"]}))).status,
            (await client.post("/prompt", data=body(with_input("1", "\ud83d", 1)))).status,
            (await client.post("/calotype/check", data=json.dumps(nodes).encode())).status,
        ]

    assert serving(scenario) == [400, 400, 400, 200]


def test_missing_files_are_told_beside_missing_classes(serving):
    nodes = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "gone.ckpt"}},
        "2": {"class_type": "Nothing", "inputs": {}},
    }

    async def scenario(client):
        return await (await client.post("/calotype/check", json=nodes)).json()

    report = serving(scenario)["report"]
    assert report["missing"] == {"Nothing": ["2"]}
    (problem,) = report["node_errors"]["1"]["errors"]
    assert problem["extra_info"]["folder"] == "checkpoints"


def test_what_was_damaged_in_a_workflow_is_told(serving):
    nodes = [{"id": 1, "type": "EmptyImage"}, {"id": 1, "type": "Note"}, None]

    async def scenario(client):
        answer = await client.post("/calotype/check", json={"nodes": nodes, "links": []})
        return (await answer.json())["report"]["notes"]

    assert len(serving(scenario)) == 2


def test_a_chain_of_100_000_nodes_is_accepted(serving):
    count = 100_000
    prompt = {
        str(node): {"class_type": "ImageInvert", "inputs": {"image": [str(node - 1), 0]}}
        for node in range(1, count)
    }
    prompt["0"] = TINY["1"]
    prompt["end"] = {
        "class_type": "SaveImage",
        "inputs": {"images": [str(count - 1), 0], "filename_prefix": "x"},
    }

    async def scenario(client):
        return (await client.post("/prompt", data=io.BytesIO(body(prompt)))).status

    assert serving(scenario) == 200
