"""Packs through the real server: what they bring is served, and each costs itself only."""

import asyncio
import json
import shutil
import time
from pathlib import Path

import aiohttp
import pytest

pytestmark = pytest.mark.timeout(1500)  # three workers end before the fourth has loaded all
PACKS = Path(__file__).resolve().parents[2] / "plugins" / "loading"
SECONDS = 8
"""Until an import counts as hung; all others take far less."""
FAULTY = {"raises", "exits", "leaves", "crashes", "hangs", "missing", "syntax"}
GOOD = {"a_early", "good", "prestarts", "single_file", "twice_a", "twice_b", "writes", "installs"}
GOOD |= {"entry_async", "entry_sync"}


@pytest.fixture(scope="module")
def served(real, tmp_path_factory):
    """A server with all packs of `tests/plugins/loading`, once they have loaded."""
    base = tmp_path_factory.mktemp("packs")
    packs = base / "custom_nodes"
    shutil.copytree(PACKS, packs)
    (packs / "syntax.py").write_text("def broken(:\n", encoding="utf-8")
    (packs / ".hidden").mkdir()
    (packs / ".hidden" / "__init__.py").write_text("raise SystemExit", encoding="utf-8")
    served = real.start(
        base / "user",
        *("--dtype", "fp32", "--custom-nodes-directory", packs, "--pack-timeout", str(SECONDS)),
    )
    served.packs = packs
    try:
        # Asked for while packs load for the first time: it waits for them.
        served.early = real.with_browser(served, lambda browser: run(browser, "asked early"))
        yield served
    finally:
        if served.process.poll() is None:
            served.kill()
        served.process.stdout.close()


async def run(browser, text):
    prompt = {"1": {"class_type": "LoadingGood", "inputs": {"text": text}}}
    body = {"prompt": prompt, "client_id": "me"}
    patient = aiohttp.ClientTimeout(total=1200)
    async with browser.session.post(
        f"{browser.address}prompt", json=body, timeout=patient
    ) as answer:
        found = await answer.json()
        assert answer.status == 200, found
    # Not by the socket: while the request waited, nothing has answered the server's pings.
    deadline = time.monotonic() + 300
    while not (history := await browser.get(f"history/{found['prompt_id']}")):
        assert time.monotonic() < deadline, "the prompt never ended"
        await asyncio.sleep(0.1)
    return history[found["prompt_id"]]["outputs"]["1"]["text"]


async def loaded(browser):
    """The packs by name, once the worker has loaded them."""
    deadline = time.monotonic() + 300
    while True:
        found = {each["name"]: each for each in await browser.get("calotype/packs")}
        if all(each["state"] not in {"loading", "new"} for each in found.values()):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def told(served, real):
    """`GET /calotype/packs` by name."""
    return real.with_browser(served, loaded)


@pytest.fixture(scope="module")
def info(served, real):
    return real.with_browser(served, lambda browser: browser.get("object_info"))


def test_a_prompt_waits_for_packs_that_load_for_the_first_time(served):
    text, key, module = served.early
    assert text == "asked early"
    assert key == str(served.packs / "good").replace(".", "_x_")
    assert module == "custom_nodes.good"


def test_every_pack_is_told_with_its_state(told):
    states = {name: each["state"] for name, each in told.items()}
    assert {name for name, state in states.items() if state == "loaded"} == GOOD
    assert {name: states[name] for name in FAULTY} == {
        **dict.fromkeys(FAULTY, "failed"),
        **dict.fromkeys(("leaves", "crashes"), "crashed"),
        "hangs": "hung",
    }
    assert states["off"] == "disabled"
    assert set(told) == GOOD | FAULTY | {"off"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("raises", "ValueError: no luck today"),
        ("exits", "ended the program while it was imported (exit code 'I want to go')"),
        ("leaves", "ended by itself (exit code 0)"),
        ("crashes", "SIGSEGV"),
        ("hangs", f"longer than {SECONDS} s"),
        ("missing", "the Python module not_a_real_module_anywhere is not installed"),
        ("syntax", "not valid Python"),
    ],
)
def test_what_went_wrong_is_one_sentence(told, name, sentence):
    assert sentence in told[name]["error"]


def test_the_line_that_installs_what_is_missing_is_the_pack_s_own(told):
    line = "python -m pip install 'not-a-real-module_anywhere>=1.2'"
    assert told["missing"]["install"] == line
    assert told["good"]["install"] == ""


def test_a_pack_installs_nothing_and_is_told_how_it_could_be_done(served, told, real):
    names = ("one", "two", "three", "four")
    wanted = " ".join(f"not-there-{name}" for name in names)
    assert told["installs"]["install"] == f"python -m pip install {wanted}"

    async def scenario(browser):
        prompt = {"1": {"class_type": "LoadingInstalls", "inputs": {"count": 1}}}
        return await browser.ended(await browser.queue(prompt))

    *refused, other = real.with_browser(served, scenario)["outputs"]["1"]["text"]
    for name, sentence in zip(names, refused, strict=True):
        assert sentence.startswith(f"installs wanted to install not-there-{name};")
    assert "returncode=0" in other


def test_what_packs_bring_is_in_the_catalog(info, told):
    assert info["LoadingGood"]["display_name"] == "A good one"
    assert info["LoadingGood"]["python_module"] == "custom_nodes.good"
    assert {"LoadingEntryAsync", "LoadingEntrySync", "LoadingSingle", "LoadingEarly"} <= set(info)
    assert told["good"]["version"] == "1.2.3"
    assert told["entry_async"]["nodes"] == ["LoadingEntryAsync"]


def test_a_class_that_cannot_be_described_costs_itself(info, told):
    assert "LoadingUnreadable" not in info
    assert told["good"]["left_out"] == {"LoadingUnreadable": "OSError: the list cannot be read"}


def test_a_class_of_two_packs_has_the_first_one_s_plain_name(info):
    assert info["LoadingTwice"]["category"] == "test/twice_a"
    assert info["twice_a/LoadingTwice"]["category"] == "test/twice_a"
    assert info["twice_b/LoadingTwice"]["category"] == "test/twice_b"


def test_built_in_names_are_protected_however_they_are_taken(info, told):
    assert info["EmptyImage"]["category"] == "image"
    assert info["twice_b/EmptyImage"]["category"] == "test/twice_b"
    assert info["SaveImage"]["output_node"]
    assert any("SaveImage" in each for each in told["writes"]["warnings"])


def test_classes_written_into_the_host_s_table_are_seen_and_see_all_others(info):
    listed = info["LoadingWritten"]["input"]["required"]["others"][0]
    assert {"LoadingGood", "LoadingWritten", "KSampler"} <= set(listed)
    assert "LoadingHalf" not in info
    assert "LoadingHalf" not in listed


def test_what_they_print_is_in_the_log(served):
    log = served.log.read_text(encoding="utf-8")
    assert "good says hello" in log
    assert "packs loaded in" in log


def test_a_changed_pack_is_loaded_anew_without_a_restart(served, real):
    """One that crashed, too, since its files have changed; the others that did stay out."""
    source = (served.packs / "single_file.py").read_text(encoding="utf-8")
    (served.packs / "crashes" / "__init__.py").write_text(
        source.replace("LoadingSingle", "LoadingMended"), encoding="utf-8"
    )

    async def scenario(browser):
        assert await browser.post("calotype/packs/reload") == 200
        deadline = time.monotonic() + 300
        while "LoadingMended" not in await browser.get("object_info"):
            assert time.monotonic() < deadline, served.log.read_text()[-2000:]
            await browser.worker_ready()
        return await run(browser, "again"), await loaded(browser)

    shown, found = real.with_browser(served, scenario)
    assert shown[0] == "again"
    states = {name: each["state"] for name, each in found.items()}
    assert states["crashes"] == "loaded"
    assert {name for name, state in states.items() if state == "loaded"} == GOOD | {"crashes"}


def test_the_next_start_answers_at_once_and_tries_no_crash_again(served, real):
    assert served.end() == 0
    before = served.log.read_text(encoding="utf-8")
    again = real.start(
        served.user,
        *("--dtype", "fp32", "--custom-nodes-directory", served.packs),
        *("--pack-timeout", str(SECONDS)),
    )
    try:

        async def scenario(browser):
            at_once = await browser.get("object_info")
            await browser.worker_ready()
            return at_once

        at_once = real.with_browser(again, scenario)
        assert {"LoadingGood", "LoadingMended", "twice_b/LoadingTwice"} <= set(at_once)
    finally:
        again.kill()
        again.process.stdout.close()
    log = served.log.read_text(encoding="utf-8")[len(before) :]
    assert "another one is started" not in log
    faults = json.loads((served.user / "packs" / "faults.json").read_text(encoding="utf-8"))
    assert {"leaves", "hangs"} <= set(faults)
