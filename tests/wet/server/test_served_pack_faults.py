"""Hostile packs on one real server: it, the other packs and the next prompt go on.

What happens at import to raise, exit, crash or hang is in `test_served_pack_loading.py`.
"""

import asyncio
import json
import os
import shutil
import sys
import time
from pathlib import Path

import aiohttp
import pytest

pytestmark = pytest.mark.timeout(600)
PACKS = Path(__file__).resolve().parents[2] / "plugins" / "faults"
ODD_NAMES = ("with space", "dots.in.it", "ünï 😀", "a<b>'&")


def write_odd_packs(folder):
    """Packs that only a disk can make: odd names, links, no text, many files, others' modules."""
    (folder / "many" / "parts").mkdir(parents=True)
    for number in range(10_000):
        (folder / "many" / "parts" / f"part_{number}.py").touch()
    (folder / "many" / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}")
    # Either imports the other: one while it is loaded, one after it was.
    for name, other in (("meets_a", "meets_b"), ("meets_b", "meets_a")):
        (folder / name).mkdir()
        source = "import sys, pathlib\nsys.path.append(str(pathlib.Path(__file__).parents[1]))\n"
        source += f"import {other}\nNODE_CLASS_MAPPINGS = {{}}\nNAME = {other}.__name__\n"
        (folder / name / "__init__.py").write_text(source)
    for name in ODD_NAMES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("from . import inner\nNODE_CLASS_MAPPINGS = {}")
        (folder / name / "inner.py").touch()
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "inside").mkdir()
    source = "NODE_CLASS_MAPPINGS = {}\nWEB_DIRECTORY = 'w'"
    (folder / "inside" / "__init__.py").write_text(source)
    (folder / "inside" / "w").mkdir()
    (folder / "inside" / "w" / "again").symlink_to(folder / "inside")
    (folder / "nulls.py").write_bytes(b"\0\xff" * 100)
    if sys.platform == "linux":
        name = os.fsencode(folder) + b"/bad\xff"
        Path(os.fsdecode(name)).mkdir()
        Path(os.fsdecode(name), "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}")


@pytest.fixture(scope="module")
def served(real, tmp_path_factory):
    base = tmp_path_factory.mktemp("faults")
    packs = base / "custom_nodes"
    shutil.copytree(PACKS, packs, ignore=shutil.ignore_patterns("__pycache__"))
    write_odd_packs(packs)
    served = real.start(base / "user", "--dtype", "fp32", "--custom-nodes-directory", packs)
    try:
        real.with_browser(served, lambda browser: browser.worker_ready(seconds=240))
        yield served
    finally:
        served.kill()
        served.process.stdout.close()


@pytest.fixture(scope="module")
def told(served, real):
    return {each["name"]: each for each in real.get_json(served, "calotype/packs")}


async def run(browser, real, fault, seconds=120):
    """How the run of one node ended: its state, its message and node, what it showed."""
    prompt = {"1": real.node(f"Fault{fault}", text=str(time.monotonic()))}
    async with asyncio.timeout(seconds):
        entry = await browser.ended(await browser.queue(prompt))
    last = entry["status"]["messages"][-1][1]
    shown = (entry["outputs"].get("1") or {}).get("text", [])
    message, kind = last.get("exception_message", ""), last.get("node_type", "")
    return entry["status"]["status_str"], message, kind, shown


def test_every_pack_is_loaded_or_told(told):
    failed = {name: each["error"] for name, each in told.items() if each["state"] != "loaded"}
    assert set(failed) == {"nulls"}
    assert failed["nulls"].startswith("it is not valid Python")
    assert {*ODD_NAMES, "inside", "many", "meets_a", "meets_b"} <= set(told)
    assert {"z_last", "garbage", "same_b"} <= set(told)
    assert "loop" not in told


def test_what_packs_change_of_the_process_is_undone_and_told(served, told, real):
    sentence = " ".join(told["changes_process"]["warnings"])
    assert "torch's default dtype" in sentence
    assert "torch's default device" in sentence
    assert "the working directory" in sentence
    assert "what Ctrl-C does" in sentence
    assert "sys.modules" in " ".join(told["forgets_modules"]["warnings"])

    async def scenario(browser):
        again = await run(browser, real, "ChangesProcess")
        return again, await run(browser, real, "Last")

    again, last = real.with_browser(served, scenario)
    assert again[0] == last[0] == "success", last
    assert last[3][1] == '["torch.float32", "cpu", 1.0]'
    real.logged(served, "a node of this prompt did harm")


def test_built_in_nodes_are_ours_whatever_a_pack_writes_over(served, told, real):
    async def scenario(browser):
        return await browser.ended(await browser.queue(real.tiny(color=5)))

    assert real.with_browser(served, scenario)["outputs"]["2"]["images"]
    assert "KSampler" in " ".join(told["patches_core"]["warnings"])


def test_garbage_costs_the_class_that_declares_it(served, told, real):
    info = real.get_json(served, "object_info")
    left_out = told["garbage"]["left_out"]
    for name in ("None", "List", "RequiredList", "NoText", "Exit", "Interrupt", "Cycle", "Text"):
        assert f"Fault{name}" not in info
    lost = {"FaultNone", "FaultNoText", "FaultExit", "FaultInterrupt", "FaultCycle"}
    assert lost <= set(left_out), "those that the catalog cannot hold, too"
    assert {"FaultGood", "FaultLong", "FaultNaN", "FaultLast", "FaultGenerator"} <= set(info)
    assert "Fault/slash\\ 😀 <b onclick=alert(1)>" in info


def test_packs_with_modules_of_the_same_names_have_their_own(served, real):
    async def scenario(browser):
        return await run(browser, real, "SameA"), await run(browser, real, "SameB")

    first, second = real.with_browser(served, scenario)
    assert (first[0], first[3][0][:2]) == ("success", "a:")
    assert (second[0], second[3][0][:2]) == ("success", "b:")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("Exits", "its code ended the program (exit code 'enough of this')"),
        ("RaisesStop", "KeyboardInterrupt"),
        ("BadText", "half a character"),
        ("ErrorWithoutText", "NoText"),
        ("FunctionMissing", "has no attribute 'nowhere'"),
    ],
)
def test_a_node_that_fails_oddly_costs_its_own_run(served, real, fault, sentence):
    """And neither the worker nor what the next node needs of it."""
    before = [each.pid for each in real.children(served.process)]
    state, message, kind, _ = real.with_browser(served, lambda browser: run(browser, real, fault))
    assert (state, kind) == ("error", f"Fault{fault}")
    assert sentence in message
    assert [each.pid for each in real.children(served.process)] == before


def test_routes_of_the_server_stay_the_server_s(served, real):
    assert json.loads(real.ask(served, "GET", "queue")[2])["queue_running"] == []
    assert "KSampler" in real.get_json(served, "object_info")
    status, _, body = real.ask(served, "GET", "")
    assert (status, b"taken by a pack" in body) == (200, False)
    assert real.ask(served, "GET", "faults/unknown")[2] == b"taken by a pack"
    assert real.ask(served, "GET", "faults/raises")[0] == 500

    async def scenario(browser):
        with pytest.raises(TimeoutError):
            await browser.session.get(
                f"{browser.address}faults/never", timeout=aiohttp.ClientTimeout(total=0.5)
            )
        return await run(browser, real, "Last")

    assert real.with_browser(served, scenario)[0] == "success"


def test_browser_files_outside_of_a_pack_are_not_served(told):
    assert "not inside of the pack" in " ".join(told["leads_out"]["warnings"])


def test_a_fork_that_outlives_the_worker_holds_nothing_up(served, real):
    """It has the worker's channel, output and lock; the crash costs one node."""

    async def scenario(browser):
        lost = await run(browser, real, "LeavesProcess")
        await browser.worker_ready(seconds=240)
        return lost, await run(browser, real, "Last")

    lost, last = real.with_browser(served, scenario)
    assert lost[:3] == (
        "error",
        "the worker process ended by itself (exit code 4) while node 1 (FaultLeavesProcess) ran",
        "FaultLeavesProcess",
    )
    assert last[0] == "success"
