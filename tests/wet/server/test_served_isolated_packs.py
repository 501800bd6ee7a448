"""Packs in processes of their own, through the real server: values, hooks, faults, environments."""

import asyncio
import json
import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.timeout(900)
PACKS = Path(__file__).resolve().parents[2] / "plugins" / "isolated"
VERSIONS = {"wants_one": "1.0", "wants_two": "2.0"}
IMAGE = {
    "class_type": "EmptyImage",
    "inputs": {"width": 64, "height": 32, "batch_size": 2, "color": 0x408020},
}


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


@pytest.fixture(scope="module")
def base(tmp_path_factory, real):
    """A folder with the packs, their environments made by the command line."""
    base = tmp_path_factory.mktemp("isolated")
    shutil.copytree(PACKS, base / "custom_nodes")
    for name, version in VERSIONS.items():
        folder = base / "custom_nodes" / name
        file = f"apart_thing-{version}-py3-none-any.whl"
        real.wheel(folder / file, version)
        (folder / "requirements.txt").write_text(f"./{file}\ntorch>=2\nnumpy\n")
        network = ("--no-network",) if name == "wants_two" else ()
        done = real.packs_command(base, "isolate", name, "--yes", *network)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Installed into it: ./{file}" in done.stdout
        assert "Never installed again: torch>=2" in done.stdout
        assert "Used from Calotype's environment: numpy" in done.stdout
    done = real.packs_command(base, "isolate", "apart", "--yes", "--memory", "2GB")
    assert done.returncode == 0, done.stdout + done.stderr
    return base


@pytest.fixture(scope="module")
def served(real, base):
    served = real.start(
        base / "user", "--dtype", "fp32", "--custom-nodes-directory", base / "custom_nodes"
    )
    try:
        real.with_browser(served, lambda browser: browser.worker_ready(seconds=240))
        yield served
    finally:
        if served.process.poll() is None:
            served.kill()
        served.process.stdout.close()


@pytest.fixture(scope="module")
def run(served, real):
    """Run a prompt; returns its history."""

    def go(prompt, **more):
        async def scenario(browser):
            return await browser.ended(await browser.queue(prompt, **more))

        return real.with_browser(served, scenario)

    return go


@pytest.fixture(scope="module")
def texts(run):
    """Run a prompt whose node `out` shows texts."""

    def go(prompt, **more):
        found = run(prompt, **more)
        assert found["status"]["status_str"] == "success", found["status"]
        return found["outputs"]["out"]["text"]

    return go


@pytest.fixture
def fault(run):
    """Run a node that fails; its error."""

    def go(prompt):
        messages = dict(run(prompt)["status"]["messages"])
        return messages["execution_error"]

    return go


def shown(real, served, path):
    return real.get_json(served, path)


def worker(served):
    """The worker, and the processes of packs."""
    found = psutil.Process(served.process.pid).children(recursive=True)
    of = {"engine.worker": [], "engine.compat.isolation": []}
    for each in found:
        for module, processes in of.items():
            if module in each.cmdline():
                processes.append(each)
    return of["engine.worker"][0], of["engine.compat.isolation"]


def test_isolated_packs_are_told_with_their_nodes(served, real):
    found = {each["name"]: each for each in shown(real, served, "calotype/packs")}
    assert {name: each["state"] for name, each in found.items()} == {
        "apart": "isolated",
        "wants_one": "isolated",
        "wants_two": "isolated",
    }
    assert "ApartMake" in found["apart"]["nodes"]
    assert found["apart"]["isolated"]
    assert found["apart"]["network"]
    assert found["apart"]["memory"] == 2 * 1024**3 or found["apart"]["memory"] == 2 * 10**9


def test_two_packs_use_two_versions_of_one_module(run):
    for name, version in (("Wants_one", "1.0"), ("Wants_two", "2.0")):
        assert run({"out": node(name)})["outputs"]["out"]["text"] == [version]


def test_a_pack_without_network_can_open_no_socket_of_it(run, served, real):
    found = {each["name"]: each["network"] for each in shown(real, served, "calotype/packs")}
    assert found == {"apart": True, "wants_one": True, "wants_two": False}
    assert run({"out": node("WantsNetwork")})["outputs"]["out"]["text"] == [
        "open",
        "PermissionError",
        "PermissionError",
    ]


def test_values_of_every_kind_come_back_as_they_were(texts):
    prompt = {"1": node("ApartMake"), "out": node("ApartTell", values=["1", 0])}
    found = texts(prompt)
    wanted = [
        "int: 7",
        f"big: {1 << 90}",
        "float: 0.1",
        "text: 'äöü 🙂'",
        "none: None",
        "true: True",
        "bytes: b'\\x00\\xff'",
        "tuple: (1, (2, [3]))",
        "set: {1, 2}",
        "3: 'a key that is no text'",
        "nan: nan",
        "half: ('torch.float16', (2, 3), [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])",
        "bf16: ('torch.bfloat16', (2,), [1.5, -2.0])",
        "bool: ('torch.bool', (2,), [True, False])",
        "scalar: ('torch.int64', (), 5)",
        "empty: ('torch.float32', (0, 4), [])",
    ]
    assert found[: len(wanted)] == wanted
    assert found[-1] == "shared: True"


def test_pictures_latents_and_conditionings_go_there_and_back(run, texts, served, real):
    prompt = {
        "1": IMAGE,
        "2": node("ApartFade", image=["1", 0], by=0.5),
        "3": node("SaveImage", images=["2", 0], filename_prefix="faded"),
        "4": node("SaveImage", images=["1", 0], filename_prefix="whole"),
        "5": node("ApartShow", value=["2", 2]),
        "6": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "7": node("ConditioningZeroOut", conditioning=["8", 1]),
        "8": node("ApartNested", latent=["6", 0], conditioning=["9", 0]),
        "9": node("ApartPass", value=["10", 0]),
        "10": node("ApartConditioning"),
        "out": node("ApartShow", value=["7", 0]),
    }
    found = texts(prompt, extra_data={"extra_pnginfo": {"workflow": {"id": 5}}})
    assert "'strength': 0.5" in found[0]
    pixel = pixel_of(served, real, "faded"), pixel_of(served, real, "whole")
    assert pixel == ((0x20, 0x40, 0x10), (0x40, 0x80, 0x20))  # the cached one did not change


def pixel_of(served, real, prefix):
    import io

    from PIL import Image

    status, _, body = real.ask(served, "GET", f"view?filename={prefix}_00001_.png")
    assert status == 200
    return Image.open(io.BytesIO(body)).convert("RGB").getpixel((3, 3))


def test_hidden_inputs_events_and_the_graph_are_there(served, real):
    prompt = {"1": node("ApartLater", number=4), "out": node("ApartShow", value=["1", 0])}

    async def scenario(browser):
        extra = {"extra_pnginfo": {"workflow": {"id": 5}}}
        prompt_id = await browser.queue(prompt, extra_data=extra)
        event = await browser.hear("apart.event")
        return event, await browser.ended(prompt_id)

    event, found = real.with_browser(served, scenario)
    assert event == {"node": "out"}
    value, nodes, workflow, me, class_type, display, pid, client, last = found["outputs"]["out"][
        "text"
    ]
    assert (value, nodes, workflow, me) == ("8", "['1', 'out']", "{'id': 5}", "out")
    assert (class_type, display, client, last) == ("ApartShow", "out", "me", "out")
    assert int(pid) in {each.pid for each in worker(served)[1]}


WORKFLOW = {"extra_data": {"extra_pnginfo": {"workflow": {"id": 5}}}}


def test_state_lists_lazy_inputs_expansion_and_blocks(texts, run):
    counted = {"1": node("ApartCount"), "out": node("ApartShow", value=["1", 0])}
    first = texts(counted, **WORKFLOW)[0]
    assert int(texts(counted, **WORKFLOW)[0]) == int(first) + 1

    listed = {
        "1": node("ApartList", count=3),
        "2": node("ApartReverse", numbers=["1", 0]),
        "3": node("ApartLater", number=["2", 0]),
        "4": node("ApartReverse", numbers=["3", 0]),
        "5": node("ApartGather", numbers=["4", 0]),
        "out": node("ApartShow", value=["5", 0]),
    }
    assert texts(listed, **WORKFLOW)[0] == "'[0, 2, 4]'"

    lazy = {
        "1": node("ApartFault", what="raise"),
        "2": node("ApartList", count=1),
        "3": node("ApartSwitch", which=False, yes=["1", 0], no=["2", 0]),
        "out": node("ApartShow", value=["3", 0]),
    }
    assert texts(lazy, **WORKFLOW)[0] == "0"

    expanded = {
        "1": IMAGE,
        "2": node("ApartExpand", image=["1", 0]),
        "3": node("ApartPixel", image=["2", 0]),
        "out": node("ApartShow", value=["3", 0]),
    }
    red = 1 - 0x40 / 255 / 2
    assert abs(float(texts(expanded, **WORKFLOW)[0]) - red) < 1e-4

    blocked = {
        "1": node("ApartList", count=1),
        "2": node("ApartBlock", value=["1", 0]),
        "out": node("ApartShow", value=["2", 0]),
    }
    assert "out" not in run(blocked)["outputs"]


def test_a_check_of_its_own_refuses_a_value(served, real, run):
    async def scenario(browser):
        prompt = {
            "1": node("ApartChecked", number=500),
            "out": node("ApartShow", value=["1", 0]),
        }
        return await browser.ended(await browser.queue(prompt))

    found = real.with_browser(served, scenario)
    assert "too many" in json.dumps(found["status"])


def test_objects_stay_in_their_process_and_say_so(texts, fault, served, real):
    own = {
        "1": node("ApartThing", text="inside"),
        "2": node("ApartPass", value=["1", 0]),
        "3": node("ApartOpen", thing=["2", 0]),
        "out": node("ApartShow", value=["3", 0]),
    }
    assert texts(own, **WORKFLOW)[0] == "'inside'"
    model = {
        "1": node("CheckpointLoaderSimple", ckpt_name="calotype-demo.safetensors"),
        "2": node("ApartModel", model=["1", 0]),
        "out": node("ApartShow", value=["2", 0]),
    }
    error = fault(model)
    assert "this pack is isolated" in error["exception_message"]
    assert "packs share apart" in error["exception_message"]
    passed = {
        **{key: model[key] for key in "1"},
        "2": node("ApartPass", value=["1", 1]),
        "3": node("CLIPTextEncode", clip=["2", 0], text="a cat"),
        "out": node("ApartTokens", conditioning=["3", 0]),
    }
    assert texts(passed)[0].startswith("(1, ")
    info = shown(real, served, "object_info/ApartModel")["ApartModel"]
    assert "MODEL stay in the process" in info["description"]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("raise", "not there"),
        ("sys.exit", "ended the program"),
        ("segfault", "SIGSEGV"),
        ("exit", "exit code 3"),
    ],
)
def test_a_fault_costs_one_node(fault, texts, served, what, sentence):
    before = worker(served)[0].pid
    error = fault({"1": node("ApartFault", what=what), "out": node("ApartShow", value=["1", 0])})
    assert sentence in error["exception_message"]
    assert error["node_id"] == "1"
    if what == "raise":
        assert error["exception_type"] == "KeyError"
        assert any("apart" in line for line in error["traceback"])
    # The next use works, in the same worker.
    works = {"1": node("ApartLater", number=2), "out": node("ApartShow", value=["1", 0])}
    assert texts(works, **WORKFLOW)[0] == "4"
    assert worker(served)[0].pid == before


def test_memory_is_bounded(fault, texts, served):
    before = worker(served)[0].pid
    prompt = {"1": node("ApartFault", what="allocate"), "out": node("ApartShow", value=["1", 0])}
    error = fault(prompt)
    assert "memory" in error["exception_message"]
    assert worker(served)[0].pid == before


@pytest.mark.parametrize("what", ["throw", "steps", "sleep"])
def test_a_stop_reaches_it_or_ends_its_process(served, real, what):
    before, pids = worker(served)[0].pid, {each.pid for each in worker(served)[1]}

    async def scenario(browser):
        prompt = {"1": node("ApartFault", what=what), "out": node("ApartShow", value=["1", 0])}
        prompt_id = await browser.queue(prompt)
        await browser.hear("executing", node="1")
        if what == "steps":
            await browser.hear("progress")
        await asyncio.sleep(0.3)
        await browser.post("interrupt")
        return await browser.ended(prompt_id)

    found = real.with_browser(served, scenario)
    assert found["status"]["messages"][-1][0] == "execution_interrupted"
    assert worker(served)[0].pid == before
    if what != "sleep":
        assert {each.pid for each in worker(served)[1]} == pids


def test_routes_and_handlers_of_prompts_pass_the_same_guard(served, real, texts):
    texts({"1": node("ApartList", count=1), "out": node("ApartShow", value=["1", 0])}, **WORKFLOW)
    deadline = time.monotonic() + 60
    while (answer := real.ask(served, "GET", "apart/pid"))[0] != 200:
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)
    assert json.loads(answer[2])["pid"] in {each.pid for each in worker(served)[1]}
    other = {"Origin": "http://evil.example"}
    assert real.ask(served, "GET", "apart/pid", headers=other)[0] == 403
    replaced = {
        "1": node("ApartThing", text="replace me"),
        "2": node("ApartOpen", thing=["1", 0]),
        "out": node("ApartShow", value=["2", 0]),
    }
    assert texts(replaced, **WORKFLOW)[0] == "'replaced'"
    status, _, body = real.ask(served, "GET", "extensions/apart/page.js")
    assert (status, b"isolated" in body) == (200, True)
    assert "apart_files" in shown(real, served, "models")


def test_nothing_is_left_when_the_worker_is_killed(served, real, run):
    process, packs = worker(served)
    before = {each.name for each in Path("/dev/shm").iterdir()}
    run(
        {
            "1": IMAGE,
            "2": node("ApartFade", image=["1", 0], by=0.25),
            "out": node("ApartShow", value=["2", 2]),
        }
    )
    os.kill(process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs([process, *packs], timeout=10)
    assert not alive
    assert {each.name for each in Path("/dev/shm").iterdir()} == before
    temporary = served.user / "temp" / "isolated"
    assert not temporary.exists() or not list(temporary.iterdir())
    real.with_browser(served, lambda browser: browser.worker_ready(seconds=240))


def test_a_pack_is_shared_again_and_its_fault_costs_no_process(base, real):
    """Last, since it changes what is stored."""
    done = real.packs_command(base, "share", "wants_one")
    assert done.returncode == 0, done.stderr
    stored = json.loads((base / "user" / "packs" / "preferences.json").read_text())
    assert "wants_one" not in stored["isolated"]
    listed = real.packs_command(base, "list").stdout.splitlines()
    [two] = [line for line in listed if line.startswith("wants_two:")]
    assert two.count("isolated") == 1
    assert ", without network" in two
