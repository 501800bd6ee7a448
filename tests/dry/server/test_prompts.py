"""Accepted prompts are queued durably; pending ones can be listed and removed."""

import json

import pytest

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
        given = one.pop("workflow")
        assert given["prompt"] == TINY
        assert given["extra_data"]["extra_pnginfo"] == extra["extra_pnginfo"]
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
