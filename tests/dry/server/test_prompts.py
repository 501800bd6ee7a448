"""What may be queued is queued for good; what may not is refused with its node and input named."""

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


def test_an_accepted_prompt_waits_with_its_number(serving):
    async def scenario(client):
        answers = []
        for more in ({}, {"front": True}, {"number": 2.5}, {}):
            answer = await client.post("/api/prompt", data=body(TINY, client_id="me", **more))
            assert answer.status == 200
            answers.append(await answer.json())
        queue = await (await client.get("/queue")).json()
        count = await (await client.get("/prompt")).json()
        return answers, queue, count

    answers, queue, count = serving(scenario)
    assert [each["number"] for each in answers] == [0, -1, 2.5, 3]
    assert all(each["node_errors"] == {} for each in answers)
    waiting = [item[1] for item in queue["queue_pending"]]
    assert waiting == [answers[place]["prompt_id"] for place in (1, 0, 2, 3)]
    assert count == {"exec_info": {"queue_remaining": 4}}
    number, prompt_id, prompt, extra, outputs = queue["queue_pending"][0]
    assert (number, prompt_id, prompt, outputs) == (-1, answers[1]["prompt_id"], TINY, ["2"])
    assert extra["client_id"] == "me"
    assert extra["create_time"] > 10**12


@pytest.mark.parametrize(
    "kind",
    [None, "text/plain", "application/x-www-form-urlencoded", "nonsense", "application/json"],
)
def test_any_content_type_will_do(kind, serving):
    async def scenario(client):
        headers = {} if kind is None else {"Content-Type": kind}
        return (await client.post("/prompt", data=body(TINY), headers=headers)).status

    assert serving(scenario) == 200


def test_numbers_are_kept_and_texts_become_numbers(serving):
    prompt = with_input("1", "width", "32")
    prompt["1"]["inputs"]["unknown"] = 2**64 - 1

    async def scenario(client):
        assert (await client.post("/prompt", data=body(prompt))).status == 200
        text = await (await client.get("/queue")).text()
        return json.loads(text)["queue_pending"][0][2]["1"]["inputs"]

    found = serving(scenario)
    assert found["width"] == 32
    assert found["unknown"] == 2**64 - 1


def test_the_same_id_is_the_same_prompt_or_a_conflict(serving):
    async def scenario(client):
        first = await client.post("/prompt", data=body(TINY, prompt_id="mine"))
        again = await client.post("/prompt", data=body(TINY, prompt_id="mine"))
        other = await client.post(
            "/prompt", data=body(with_input("1", "width", 24), prompt_id="mine")
        )
        count = await (await client.get("/prompt")).json()
        return first.status, again.status, await again.json(), other.status, count

    first, again, told, other, count = serving(scenario)
    assert (first, again, other) == (200, 200, 409)
    assert told["prompt_id"] == "mine"
    assert count["exec_info"]["queue_remaining"] == 1


def test_keys_of_a_paid_service_are_not_kept(serving):
    extra = {"auth_token_comfy_org": "canary-1", "api_key_comfy_org": "canary-2"}

    async def scenario(client):
        assert (await client.post("/prompt", data=body(TINY, extra_data=extra))).status == 200
        return await (await client.get("/queue")).text()

    assert "canary" not in serving(scenario)


def test_some_outputs_run_when_others_cannot(serving):
    prompt = {**TINY, "3": {"class_type": "SaveImage", "inputs": {}}}

    async def scenario(client):
        answer = await client.post("/prompt", data=body(prompt))
        queue = await (await client.get("/queue")).json()
        return answer.status, await answer.json(), queue["queue_pending"][0][4]

    status, found, outputs = serving(scenario)
    assert status == 200
    assert list(found["node_errors"]) == ["3"]
    assert outputs == ["2"]


def test_only_the_asked_for_outputs_run(serving):
    prompt = {**TINY, "3": TINY["2"]}

    async def scenario(client):
        await client.post("/prompt", data=body(prompt, partial_execution_targets=["3"]))
        return (await (await client.get("/queue")).json())["queue_pending"][0][4]

    assert serving(scenario) == ["3"]


def test_what_waits_can_be_taken_out(serving):
    async def scenario(client):
        for name in "abc":
            await client.post("/prompt", data=body(TINY, prompt_id=name))
        first = await client.post("/queue", json={"delete": ["b", "none"]})
        left = [item[1] for item in (await (await client.get("/queue")).json())["queue_pending"]]
        page = await (await client.get("/queue?max_items=1&offset=1")).json()
        await client.post("/queue", json={"clear": True})
        end = await (await client.get("/queue")).json()
        wrong = await client.post("/queue", json={"delete": "b"})
        return first.status, await first.read(), left, page, end, wrong.status

    status, content, left, page, end, wrong = serving(scenario)
    assert (status, content) == (200, b"")
    assert left == ["a", "c"]
    assert [item[1] for item in page["queue_pending"]] == ["c"]
    assert end == {"queue_running": [], "queue_pending": []}
    assert wrong == 400


def test_a_stop_where_nothing_runs_is_fine(serving):
    async def scenario(client):
        return [
            (await client.post("/interrupt", data=sent)).status
            for sent in (b"", b"{}", b'{"prompt_id": "none"}', b"no json", b"[1]")
        ]

    assert serving(scenario) == [200] * 5


def test_jobs_are_listed_and_cancelled(serving):
    async def scenario(client):
        extra = {"extra_pnginfo": {"workflow": {"id": "w1"}}}
        for name in "abc":
            await client.post("/prompt", data=body(TINY, prompt_id=name, extra_data=extra))
        listed = await (await client.get("/api/jobs?status=pending&limit=2&sort_order=asc")).json()
        one = await (await client.get("/api/jobs/a")).json()
        other = await (await client.get("/api/jobs?workflow_id=w2")).json()
        missing = await client.get("/api/jobs/none")
        wrong = [
            (await client.get(f"/api/jobs?{query}")).status
            for query in ("status=lost", "limit=0", "limit=x", "offset=-1", "sort_by=size")
        ]
        await client.post("/api/jobs/a/cancel")
        await client.post("/api/jobs/cancel", json={"job_ids": ["b", "none"]})
        left = await (await client.get("/api/jobs")).json()
        return listed, one, other, missing.status, await missing.json(), wrong, left

    listed, one, other, status, missing, wrong, left = serving(scenario)
    assert [job["id"] for job in listed["jobs"]] == ["a", "b"]
    assert listed["pagination"] == {"offset": 0, "limit": 2, "total": 3, "has_more": True}
    assert one["status"] == "pending"
    assert one["workflow_id"] == "w1"
    assert "execution_start_time" not in one
    assert other["jobs"] == []
    assert (status, missing) == (404, {"error": "Job not found"})
    assert wrong == [400] * 5
    assert [job["id"] for job in left["jobs"]] == ["c"]


def test_history_is_empty_at_first(serving):
    async def scenario(client):
        answers = [
            await (await client.get(path)).json()
            for path in ("/history", "/history?max_items=5", "/history/none")
        ]
        wrong = await client.get("/history?max_items=x")
        cleared = await client.post("/history", json={"clear": True})
        return answers, wrong.status, cleared.status

    assert serving(scenario) == ([{}, {}, {}], 400, 200)


def test_a_document_is_checked_and_converted(serving):
    workflow = {
        "nodes": [
            {
                "id": 1,
                "type": "EmptyImage",
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
                "inputs": [],
                "widgets_values": [16, 16, 1, 0],
            },
            {
                "id": 2,
                "type": "SaveImage",
                "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
                "widgets_values": ["x"],
            },
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
        "version": 0.4,
    }

    async def scenario(client):
        good = await client.post("/calotype/check", json=workflow)
        bad = await client.post("/calotype/check", json=with_input("1", "width", 0))
        none = await client.post("/calotype/check", json={"a": 1})
        return [(each.status, await each.json()) for each in (good, bad, none)]

    good, bad, none = serving(scenario)
    assert good[0] == 200
    inputs = {key: node["inputs"] for key, node in good[1]["prompt"].items()}
    assert inputs == {key: node["inputs"] for key, node in TINY.items()}
    assert good[1]["report"]["error"] is None
    assert good[1]["report"]["outputs"] == ["2"]
    assert bad[0] == 200
    assert list(bad[1]["report"]["node_errors"]) == ["1"]
    assert (none[0], none[1]["error"]["type"]) == (400, "invalid_workflow")


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
