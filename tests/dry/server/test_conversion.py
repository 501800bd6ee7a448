"""Saved workflows and texts of other programs are converted on request, and accepted as prompts."""

import json

import pytest

WORKFLOW = {
    "nodes": [
        {
            "id": 1,
            "type": "EmptyImage",
            "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
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


@pytest.mark.parametrize(
    "body", [{"prompt": WORKFLOW}, {"workflow": WORKFLOW}, WORKFLOW, {"prompt": WORKFLOW, "x": 1}]
)
def test_a_saved_workflow_is_accepted_in_place_of_a_prompt(serving, body):
    async def steps(client):
        answer = await client.post("/prompt", json=body)
        found = await answer.json()
        assert answer.status == 200, found
        queue = await (await client.get("/queue")).json()
        return queue["queue_pending"][0]

    _, _, prompt, extra, outputs = serving(steps)
    assert prompt["2"]["inputs"] == {"images": ["1", 0], "filename_prefix": "x"}
    assert extra["extra_pnginfo"]["workflow"]["nodes"] == WORKFLOW["nodes"]
    assert outputs == ["2"]


def test_a_workflow_that_was_sent_along_stays(serving):
    async def steps(client):
        extra = {"extra_pnginfo": {"workflow": {"id": "mine"}}}
        await client.post("/prompt", json={"prompt": WORKFLOW, "extra_data": extra})
        return (await (await client.get("/queue")).json())["queue_pending"][0][3]

    assert serving(steps)["extra_pnginfo"]["workflow"] == {"id": "mine"}


@pytest.mark.parametrize("nodes", [[], [None], [{"id": 1, "type": "Gone"}]])
def test_a_workflow_that_cannot_run_is_refused_with_the_reason(serving, nodes):
    async def steps(client):
        answer = await client.post("/prompt", json={"prompt": {"nodes": nodes, "links": []}})
        return answer.status, await answer.json()

    status, body = serving(steps)
    assert status == 400
    assert body["error"]["message"]


def test_documents_and_texts_are_converted(serving):
    text = (
        "a fox\nNegative prompt: dark\nSteps: 4, Sampler: Euler a, Seed: 3, Hires upscale: 2, AD: 1"
    )

    async def steps(client):
        found = []
        for body in (WORKFLOW, {"text": text}, {"texts": {"parameters": text, "x": 1}}):
            answer = await client.post("/api/workflows/convert", json=body)
            assert answer.status == 200
            found.append(await answer.json())
        bodies = ({"texts": {"parameters": "nothing"}}, {"a": 1}, {"1": {"class_type": 3}})
        bad = [await client.post("/workflows/convert", json=body) for body in bodies]
        return found, [each.status for each in bad], await bad[0].json()

    (workflow, one, two), statuses, error = serving(steps)
    assert workflow["source"] == "workflow"
    assert workflow["prompt"]["2"]["inputs"]["images"] == ["1", 0]
    assert one == two
    assert one["source"] == "A1111"
    assert one["prompt"]["second"]["class_type"] == "KSamplerAdvanced"
    assert statuses == [400, 400, 400]
    assert "Fooocus" in json.dumps(error)
