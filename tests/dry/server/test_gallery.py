"""The queue is reordered and paused by request; finished prompts are searched and deleted."""

import pytest

from engine.server.notes import note_of
from engine.server.services import SERVICES
from engine.store.entries import End

from .conftest import tiny


async def put(client, prompt_id, **said):
    extra = {"extra_pnginfo": {"workflow": {"id": "w"}}, "calotype": said}
    answer = await client.post(
        "/prompt", json={"prompt": tiny(), "prompt_id": prompt_id, "extra_data": extra}
    )
    assert answer.status == 200


async def listed(client, path="/calotype/queue"):
    return await (await client.get(path)).json()


def test_the_queue_is_listed_moved_and_paused(serving):
    async def scenario(client):
        for each in "abc":
            await put(client, each, title=f"Work {each}", batch="g", place={"x": each})
        before = await listed(client)
        moved = await client.post("/calotype/queue/move", json={"prompt_id": "c", "before": "a"})
        last = await client.post("/calotype/queue/move", json={"prompt_id": "a", "before": None})
        gone = await client.post("/calotype/queue/move", json={"prompt_id": "x", "before": None})
        wrong = await client.post("/calotype/queue/move", json={"prompt_id": 1})
        paused = await client.post("/api/calotype/queue/pause", json={"paused": True})
        nothing = await client.post("/calotype/queue/pause", json={"paused": "yes"})
        statuses = [each.status for each in (moved, last, gone, wrong, paused, nothing)]
        return before, statuses, await listed(client)

    before, statuses, after = serving(scenario)
    assert before["paused"] is False
    assert [each["id"] for each in before["waiting"]] == ["a", "b", "c"]
    first = before["waiting"][0]
    assert (first["title"], first["batch"], first["place"]) == ("Work a", "g", {"x": "a"})
    assert (first["status"], first["workflow_id"]) == ("pending", "w")
    assert statuses == [200, 200, 409, 400, 200, 400]
    assert (after["paused"], after["total"]) == (True, 3)
    assert [each["id"] for each in after["waiting"]] == ["c", "b", "a"]


def outputs(*names, place="output", subfolder=""):
    images = [{"filename": each, "subfolder": subfolder, "type": place} for each in names]
    return {"2": {"images": images}}


async def ended(client, prompt_id, made):
    services = client.app[SERVICES]
    await put(client, prompt_id, title="Work")
    assert services.queue.claim(await services.queue.next())
    end = End(prompt_id, "done", {"outputs": made}, 2.0)
    await services.queue.record({prompt_id: 1.0}, [end])


def test_what_has_run_is_searched_starred_and_forgotten(serving):
    async def scenario(client):
        for each in "abc":
            await ended(client, each, {})
        await client.post("/calotype/history/star", json={"job_ids": ["b"], "starred": True})
        starred = await listed(client, "/calotype/history?starred=true")
        found = await listed(client, "/calotype/history?search=WORK%20x&days=true&zone=60&limit=2")
        quoted = await listed(client, '/calotype/history?search="work x"')
        broken = await listed(client, '/calotype/history?search="work')
        forgot = await client.post("/calotype/history/delete", json={"job_ids": ["a"]})
        wrong = [
            (await client.post("/calotype/history/delete", json={})).status,
            (await client.get("/calotype/history?status=odd")).status,
            (await client.get("/calotype/history?since=x")).status,
        ]
        left = await listed(client, "/calotype/history")
        return starred, found, quoted, broken, await forgot.json(), wrong, left

    starred, found, quoted, broken, forgot, wrong, left = serving(scenario)
    assert [(each["id"], each["starred"]) for each in starred["jobs"]] == [("b", True)]
    assert ([each["id"] for each in found["jobs"]], found["total"]) == (["c", "b"], 3)
    assert [count for _, count in found["days"]] == [3]
    assert found["workflows"] == [{"id": "w", "title": "Work", "count": 3}]
    assert quoted["total"] == 0
    assert broken["total"] == 3
    assert forgot == {"files": 0}
    assert wrong == [400, 400, 400]
    assert [each["id"] for each in left["jobs"]] == ["c", "b"]


def test_files_are_deleted_only_when_asked_and_only_where_results_lie(serving, settings):
    kept, made = settings.output_directory / "kept.png", settings.output_directory / "made.png"
    outside = settings.output_directory.parent / "outside.png"
    upload = settings.input_directory / "upload.png"

    async def scenario(client):
        for each in (kept, made, outside, upload):
            each.write_bytes(b"x")
        await ended(client, "a", outputs("kept.png"))
        await ended(client, "b", outputs("made.png", "gone.png"))
        await ended(client, "c", outputs("outside.png", subfolder=".."))
        await ended(client, "d", outputs("upload.png", place="input"))
        await ended(client, "e", outputs("upload.png [input]"))
        await ended(client, "f", outputs("../outside.png"))
        counts = []
        for name, files in (("a", False), ("b", True), ("c", True), ("d", True), ("ef", True)):
            asked = {"job_ids": [*name], "files": files}
            answer = await client.post("/calotype/history/delete", json=asked)
            counts.append((await answer.json())["files"])
        return counts

    assert serving(scenario) == [0, 1, 0, 0, 0]
    assert [each.exists() for each in (kept, made, outside, upload)] == [True, False, True, True]


def test_a_note_tells_the_positive_prompt_and_finds_texts_files_and_seeds():
    prompt = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "Demo.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a much longer bad one"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": ["4", 0]}},
        "4": {"class_type": "PrimitiveString", "inputs": {"value": "A Red Fox"}},
        "5": {"class_type": "Combine", "inputs": {"positive": ["3", 0]}},
        "6": {
            "class_type": "KSampler",
            "inputs": {"seed": 2**64 - 1, "steps": 20, "positive": ["5", 0], "negative": ["2", 0]},
        },
    }
    note = note_of(prompt, {"calotype": {"title": "Foxes", "batch": "b", "place": {"x": 1}}})
    assert (note.title, note.excerpt, note.batch, note.place) == (
        "Foxes",
        "A Red Fox",
        "b",
        {"x": 1},
    )
    for word in ("foxes", "demo.safetensors", "a red fox", str(2**64 - 1), "bad one"):
        assert word in note.words
    assert "20" not in note.words.split()


@pytest.mark.parametrize(
    "prompt",
    [{}, {"1": 5}, {"1": {"inputs": 3}}, {"1": {"inputs": {"positive": ["1", 0]}}}],
)
def test_any_prompt_has_a_note(prompt):
    note = note_of(prompt, {"calotype": ["nonsense"]})
    assert (note.title, note.excerpt) == (None, "")
