"""`run` and `check` load packs; one that ended the program is left out by the next command."""

import json
import shutil
import subprocess
import sys

import pytest

from engine.settings import ROOT

PACKS = ROOT / "tests" / "plugins" / "loading"


@pytest.fixture
def command(tmp_path):
    packs = tmp_path / "custom_nodes"
    packs.mkdir()
    for name in ("good", "leaves"):
        shutil.copytree(PACKS / name, packs / name)
    workflow = tmp_path / "workflow.json"
    prompt = {"1": {"class_type": "LoadingGood", "inputs": {"text": "hello"}}}
    workflow.write_text(json.dumps(prompt), encoding="utf-8")

    def run(*arguments):
        return subprocess.run(
            [
                *(sys.executable, "main.py", *arguments),
                *("--user-directory", tmp_path / "user", "--custom-nodes-directory", packs),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    run.workflow = str(workflow)
    return run


def test_a_workflow_of_a_pack_runs_and_what_it_prints_is_no_result(command):
    crashed = command("run", command.workflow)
    assert crashed.stdout == ""
    done = command("run", command.workflow, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    assert "good says hello" in done.stderr
    assert "the pack leaves is not loaded: it ended the program" in done.stderr
    without = command("check", command.workflow, "--disable-all-custom-nodes")
    assert without.returncode == 2
    assert "LoadingGood" in without.stderr


def test_packs_are_listed_and_switched_by_command(command):
    listed = command("packs", "list")
    assert listed.stdout.splitlines() == ["good: new, version 1.2.3", "leaves: new"]
    assert command("packs", "disable", "leaves").returncode == 0
    found = {each["name"]: each for each in json.loads(command("packs", "list", "--json").stdout)}
    assert found["leaves"]["state"] == "disabled"
    assert command("packs", "enable", "leaves").returncode == 0
    assert "leaves: new" in command("packs", "list").stdout
    unknown = command("packs", "enable", "nobody")
    assert unknown.returncode == 1
    assert "there is no plugin 'nobody'; found: good, leaves" in unknown.stderr
    assert "No server runs" in command("packs", "reload").stdout
