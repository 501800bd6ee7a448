"""`lock` writes what a workflow depends on beside it, and says what differs afterwards."""

import json
from pathlib import Path

import pytest
from PIL import Image

from engine.cli.command import run_command

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "in.png"}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}


@pytest.fixture
def typed(tmp_path: Path, capsys):
    """Runs a command; returns its exit code, what it printed and what it reported."""
    user = tmp_path / "u"
    (user / "input").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(user / "input/in.png")
    (tmp_path / "w.json").write_text(json.dumps(GRAPH))

    def run(*arguments: object) -> tuple[int, str, str]:
        given = [*map(str, arguments), "--user-directory", str(user), "--dtype", "fp32"]
        code = run_command(given, lambda *_: 99)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_a_record_is_written_and_then_checked(typed, tmp_path: Path):
    code, out, _ = typed("lock", tmp_path / "w.json")
    beside = tmp_path / "w.lock.json"
    assert (code, out.strip()) == (0, str(beside))
    record = json.loads(beside.read_text())
    assert [(each["kind"], each["name"]) for each in record["files"]] == [("input", "in.png")]
    assert len(record["files"][0]["sha256"]) == 64
    assert record["computing"]["dtype"] == "fp32"
    code, _, err = typed("lock", tmp_path / "w.json")
    assert (code, err) == (0, "nothing differs from the record\n")

    Image.new("RGB", (8, 8), "blue").save(tmp_path / "u/input/in.png")
    changed = {**GRAPH, "2": {**GRAPH["2"], "inputs": {"images": ["1", 0]}}}
    (tmp_path / "w.json").write_text(json.dumps(changed))
    code, out, _ = typed("lock", tmp_path / "w.json")
    assert code == 1
    assert "input/in.png is another file than it was" in out
    assert "The workflow itself has changed" in out
    assert typed("lock", tmp_path / "w.json", "--update")[0] == 0
    assert typed("lock", tmp_path / "w.json")[0] == 0


def test_the_record_inside_a_picture_is_checked(typed, tmp_path: Path):
    assert typed("run", tmp_path / "w.json")[0] == 0
    picture = tmp_path / "u/output/x_00001_.png"
    assert typed("lock", picture)[0] == 0
    (tmp_path / "u/input/in.png").unlink()
    code, out, _ = typed("lock", picture, "--json")
    assert code == 1
    [difference] = json.loads(out)["differences"]
    assert difference["name"] == "input/in.png"


def test_nothing_is_written_for_what_cannot_run(typed, tmp_path: Path):
    (tmp_path / "u/input/in.png").unlink()
    code, _, err = typed("lock", tmp_path / "w.json")
    assert code == 2
    assert "input/in.png" in err
    (tmp_path / "w.json").write_text('{"1": {"class_type": "Gone", "inputs": {}}}')
    code, _, err = typed("lock", tmp_path / "w.json")
    assert code == 2
    assert "Gone" in err
    assert not (tmp_path / "w.lock.json").exists()


@pytest.mark.parametrize("content", ["[]", "{", '{"record": "x"}'])
def test_a_damaged_record_is_said(typed, tmp_path: Path, content: str):
    (tmp_path / "w.lock.json").write_text(content)
    code, _, err = typed("lock", tmp_path / "w.json")
    assert code in (1, 2)
    assert err


def test_metadata_can_be_switched_off(typed, tmp_path: Path):
    assert typed("run", tmp_path / "w.json", "--disable-metadata")[0] == 0
    with Image.open(tmp_path / "u/output/x_00001_.png") as picture:
        assert picture.info == {}
