"""A real server runs real prompts, and sends events in the order that clients rely on."""

import json
import struct

import psutil
from PIL import Image


def test_a_run_is_told_in_order_and_its_picture_carries_its_workflow(server, real):
    prompt = real.tiny(color=7, prefix="%year%/served")
    workflow = {"id": "w", "nodes": [], "links": [], "seed": 2**64 - 1}

    async def scenario(browser):
        await browser.worker_ready()
        await browser.hear("feature_flags")
        browser.heard.clear()
        name = await browser.queue(prompt, extra_data={"extra_pnginfo": {"workflow": workflow}})
        entry = await browser.ended(name)
        again = await browser.queue(prompt)
        cached = await browser.ended(again)
        return name, browser.heard, entry, cached

    name, heard, entry, cached = real.with_browser(server, scenario)
    end = next(place for place, each in enumerate(heard) if each[1].get("node", "") is None)
    first = heard[: end + 1]
    assert [kind for kind, _ in first] == [
        "status",
        "status",
        "execution_start",
        "execution_cached",
        "progress_state",
        "executing",
        "progress_state",
        "progress_state",
        "executing",
        "executed",
        "progress_state",
        "execution_success",
        "status",
        "executing",
    ]
    counts = [
        data["status"]["exec_info"]["queue_remaining"] for kind, data in first if kind == "status"
    ]
    assert counts == [1, 1, 0]
    assert entry["status"]["status_str"] == "success"
    [shown] = entry["outputs"]["2"]["images"]
    path = server.user / "output" / shown["subfolder"] / shown["filename"]
    with Image.open(path) as picture:
        assert json.loads(picture.text["prompt"]) == prompt
        assert json.loads(picture.text["workflow"]) == workflow
    # The second time nothing runs, and the output is reported again.
    second = [kind for kind, _ in heard[end + 1 :]]
    assert second == [
        "status",
        "status",
        "execution_start",
        "execution_cached",
        "executed",
        "execution_success",
        "status",
        "executing",
    ]
    assert cached["outputs"] == entry["outputs"]
    assert entry["prompt"][1] == name


def test_sampling_shows_previews_and_stops_at_once(server, real):
    async def scenario(browser):
        asked = {"preview_method": "auto"}
        name = await browser.queue(real.endless(seed=3), extra_data=asked)
        await browser.hear("progress", node="4")
        while not any(kind == "binary" for kind, _ in browser.heard):
            await browser.hear("progress", node="4")
        running = (await browser.get("queue"))["queue_running"]
        jobs = await browser.get("api/jobs?status=in_progress")
        await browser.post("interrupt", prompt_id="another")
        await browser.hear("progress", node="4")
        await browser.post("interrupt", prompt_id=name)
        stopped = await browser.hear("execution_interrupted", seconds=20)
        entry = await browser.ended(name)
        after = await browser.ended(await browser.queue(real.tiny(color=8)))
        return name, browser.heard, running, jobs, stopped, entry, after

    name, heard, running, jobs, stopped, entry, after = real.with_browser(server, scenario)
    picture = next(data for kind, data in heard if kind == "binary")
    kind, size = struct.unpack(">II", picture[:8])
    assert kind == 4
    metadata = json.loads(picture[8 : 8 + size])
    assert (metadata["node_id"], metadata["prompt_id"]) == ("4", name)
    assert picture[8 + size :].startswith(b"\xff\xd8\xff")
    assert running[0][1] == name
    assert [job["id"] for job in jobs["jobs"]] == [name]
    assert stopped["node_id"] == "4"
    assert entry["status"]["status_str"] == "error"
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"
    assert after["status"]["status_str"] == "success"


def load_image(name):
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


def test_a_file_that_is_not_there_is_refused_with_its_node(server, real):
    async def scenario(browser):
        body = {"prompt": load_image("../../etc/passwd")}
        async with browser.session.post(f"{browser.address}prompt", json=body) as answer:
            return answer.status, await answer.json()

    status, found = real.with_browser(server, scenario)
    assert status == 400
    assert found["node_errors"]["1"]["class_type"] == "LoadImage"
    assert "passwd" in json.dumps(found["node_errors"]["1"]["errors"])


def test_what_only_a_node_can_see_fails_with_its_node(server, real):
    (server.user / "input").mkdir(exist_ok=True)
    (server.user / "input" / "letter.png").write_text("no picture at all")

    async def scenario(browser):
        name = await browser.queue(load_image("letter.png"))
        error = await browser.hear("execution_error")
        return error, await browser.ended(name)

    error, entry = real.with_browser(server, scenario)
    assert error["node_id"] == "1"
    assert error["node_type"] == "LoadImage"
    assert "letter.png" in error["exception_message"]
    assert entry["status"]["completed"] is False


def test_memory_is_given_back_between_prompts(server, real):
    async def scenario(browser):
        await browser.ended(await browser.queue(real.tiny(color=9)))
        await browser.post("free", unload_models=True, free_memory=True)
        name = await browser.queue(real.tiny(color=9))
        await browser.ended(name)
        return [data for kind, data in browser.heard if kind == "execution_cached"]

    assert real.with_browser(server, scenario)[-1]["nodes"] == []


def test_a_killed_worker_costs_its_job_and_nothing_else(server, real):
    async def scenario(browser):
        slow = await browser.queue(real.endless(seed=4))
        after = await browser.queue(real.tiny(color=10))
        await browser.hear("progress", node="4")
        [worker] = real.children(server.process)
        worker.kill()
        error = await browser.hear("execution_error", prompt_id=slow)
        meanwhile = await browser.get("queue")
        entry = await browser.ended(slow)
        second = await browser.ended(after)
        return error, meanwhile, entry, second, worker.pid

    error, _, entry, second, pid = real.with_browser(server, scenario)
    assert "signal 9 (SIGKILL" in error["exception_message"]
    assert (error["node_id"], error["node_type"]) == ("4", "KSampler")
    assert entry["status"]["status_str"] == "error"
    assert second["status"]["status_str"] == "success"
    assert pid not in [each.pid for each in real.children(server.process)]
    assert not psutil.pid_exists(pid)


def test_a_plan_agrees_with_what_the_worker_then_does(server, real):
    prompt = real.tiny(color=11, prefix="planned")
    changed = {**prompt, "2": {**prompt["2"], "inputs": {**prompt["2"]["inputs"]}}}
    changed["2"]["inputs"]["filename_prefix"] = "another"

    async def planned(browser, asked):
        address = f"{browser.address}calotype/check"
        async with browser.session.post(address, json=asked) as answer:
            nodes = (await answer.json())["plan"]["nodes"]
        return [each for each, node in nodes.items() if node["state"] == "run"]

    async def scenario(browser):
        before = await planned(browser, prompt)
        await browser.ended(await browser.queue(prompt))
        after, other = await planned(browser, prompt), await planned(browser, changed)
        browser.heard.clear()
        await browser.ended(await browser.queue(changed))
        ran = [data["node"] for kind, data in browser.heard if kind == "executing"]
        return before, after, other, [each for each in ran if each is not None]

    before, after, other, ran = real.with_browser(server, scenario)
    assert before == ["1", "2"]
    assert after == []
    assert other == ran == ["2"]
