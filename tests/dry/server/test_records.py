"""Records are compared by a route; hashes are computed while nothing runs."""

import hashlib
import time
from dataclasses import replace

import pytest

from engine.files import Files
from engine.graph.prompt import Prompt, parse
from engine.graph.schema import InputSchema, NodeSchema
from engine.record.hashes import SMALL
from engine.record.make import Recorder
from engine.record.record import Computing, to_json
from engine.server.app import SERVICES
from engine.server.hashing import BackgroundHasher
from engine.server.hub import Hub
from engine.server.running import run_message
from engine.store.entries import Entry

LOADER = NodeSchema("Load", "Load", "", (InputSchema("name", "COMBO", folder="checkpoints"),))
PROMPT = {"1": {"class_type": "Load", "inputs": {"name": "m.safetensors"}}}


def recorder_of(settings):
    folder = settings.models_directories[0] / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "m.safetensors").write_bytes(b"m" * (SMALL + 1))
    return Recorder(settings, Files(settings)), folder / "m.safetensors"


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_files_are_hashed_once_nothing_runs_and_not_before(settings):
    recorder, path = recorder_of(settings)
    idle, asked = [False], []

    def is_idle():
        asked.append(idle[0])
        return idle[0]

    hasher = BackgroundHasher(recorder, lambda: {"Load": LOADER}, is_idle, quiet=0)
    hasher.note(parse(PROMPT))
    hasher.start()
    try:
        until(lambda: len(asked) > 1)
        assert recorder.hashes.known(path) == ""
        idle[0] = True
        until(lambda: recorder.hashes.known(path))
    finally:
        hasher.stop()
    assert recorder.hashes.known(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_server_that_stops_does_not_wait_for_a_hash(settings):
    recorder, path = recorder_of(settings)
    hasher = BackgroundHasher(recorder, lambda: {"Load": LOADER}, lambda: False, quiet=0)
    hasher.note(parse(PROMPT))
    hasher.start()
    hasher.stop()
    assert hasher._thread is not None
    assert not hasher._thread.is_alive()
    assert recorder.hashes.known(path) == ""


def test_the_route_says_what_differs(serving, settings):
    async def steps(client):
        recorder = client.app[SERVICES].recorder
        record = recorder.record(Prompt({}), {}, Computing())
        same = await client.post("/calotype/record/compare", json={"record": to_json(record)})
        other = {**to_json(record), "numerics": 0}
        differs = await client.post("/calotype/record/compare", json={"record": other})
        bad = await client.post("/calotype/record/compare", json={"record": {"a": 1}})
        return (await same.json(), await differs.json(), bad.status, await bad.json())

    same, differs, status, error = serving(steps, chosen=replace(settings))
    assert same == {"differences": []}
    assert [each["concern"] for each in differs["differences"]] == ["numerics"]
    assert status == 400
    assert "no record of a run" in error["error"]


@pytest.mark.parametrize(("said", "expected"), [({}, True), ({"metadata": False}, False)])
def test_a_prompt_may_ask_for_no_metadata(said, expected):
    entry = Entry("p", PROMPT, ["1"], extra=said)
    assert run_message(entry, Hub()).metadata is expected
