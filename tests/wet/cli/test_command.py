"""The command line: what is printed, what is written, which exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.cli.command import run_command
from engine.settings import ROOT

TINY = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 24, "height": 16, "batch_size": 1, "color": 0xFF0000},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "tiny"}},
}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


def no_server(*_: object, **__: object) -> int:
    raise AssertionError("this command needs no server")


def run(*arguments: object, user: Path) -> int:
    typed = [*map(str, arguments), "--user-directory", str(user), "--dtype", "fp32"]
    return run_command(typed, no_server)


def test_prints_the_file_it_wrote(tiny: Path, tmp_path: Path, capsys):
    assert run("run", tiny, user=tmp_path / "u") == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line == str(tmp_path / "u/output/tiny_00001_.png")
    with Image.open(line) as written:
        assert written.size == (24, 16)
        assert written.getpixel((0, 0)) == (255, 0, 0)
        assert json.loads(written.text["prompt"])["1"]["inputs"]["width"] == 24


def test_a_picture_it_wrote_runs_again_and_never_replaces_one(tiny: Path, tmp_path: Path, capsys):
    assert run("run", tiny, "--set", "EmptyImage.color=255", user=tmp_path / "u") == 0
    first = capsys.readouterr().out.strip()
    assert run("run", first, user=tmp_path / "u") == 0
    second = capsys.readouterr().out.strip()
    assert second != first
    with Image.open(first) as one, Image.open(second) as two:
        assert one.getpixel((0, 0)) == two.getpixel((0, 0)) == (0, 0, 255)


def test_reports_as_json(tiny: Path, tmp_path: Path, capsys):
    assert run("run", tiny, "--json", user=tmp_path / "u") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "done"
    assert [Path(path).name for path in report["files"]] == ["tiny_00001_.png"]


def test_output_is_copied_and_replaced_only_when_asked(tiny: Path, tmp_path: Path, capsys):
    wanted = tmp_path / "out" / "picture.png"
    assert run("run", tiny, "--output", wanted, user=tmp_path / "u") == 0
    assert capsys.readouterr().out.strip() == str(wanted)
    assert run("run", tiny, "--output", wanted, user=tmp_path / "u") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run("run", tiny, "--output", wanted, "--overwrite", user=tmp_path / "u") == 0


def test_an_invalid_workflow_is_explained_and_exits_2(tmp_path: Path, capsys):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**TINY, "1": {"class_type": "EmptyImage", "inputs": {"width": 0}}}))
    assert run("run", path, user=tmp_path / "u") == 2
    told = capsys.readouterr().err
    assert "EmptyImage (node 1)" in told
    assert "height" in told
    assert run("check", path, "--json", user=tmp_path / "u") == 2
    report = json.loads(capsys.readouterr().out)
    assert report["problems"]["1"]["class_type"] == "EmptyImage"


def test_a_missing_class_is_named_with_its_node(tmp_path: Path, capsys):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**TINY, "7": {"class_type": "NoSuchNode", "inputs": {}}}))
    assert run("check", path, user=tmp_path / "u") == 2
    assert "NoSuchNode (node 7)" in capsys.readouterr().err


def test_a_failing_node_is_named_and_exits_1(tmp_path: Path, capsys):
    prompt = {
        **TINY,
        "3": {
            "class_type": "RegexReplace",
            "inputs": {"string": "x", "regex_pattern": "(", "replace": "y"},
        },
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
    }
    path = tmp_path / "x.json"
    path.write_text(json.dumps(prompt))
    assert run("run", path, "--json", user=tmp_path / "u") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "failed"
    assert "(node 3)" in report["message"]


def test_a_wrong_flag_and_a_wrong_setting_exit_2(tiny: Path, tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as ended:
        run("run", tiny, "--nonsense", user=tmp_path / "u")
    assert ended.value.code == 2
    assert run("run", tiny, "--models-directory", tmp_path / "none", user=tmp_path / "u") == 2
    assert "no such folder" in capsys.readouterr().err


def test_ctrl_c_stops_at_the_next_block_and_exits_130(tmp_path: Path):
    command = [sys.executable, "main.py", "run", "web/workflows/text_to_image.json"]
    flags = ["--user-directory", str(tmp_path), "--set", "KSampler.steps=10000"]
    with subprocess.Popen(
        [*command, *flags], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = ""
        while "KSampler" not in said and process.poll() is None:
            said += process.stderr.readline()
        time.sleep(1)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, said + err
    assert "stopped in KSampler" in err
    assert out == ""


def test_a_missing_package_is_told_in_one_line(tmp_path: Path):
    hidden = tmp_path / "rich.py"
    hidden.write_text("raise ModuleNotFoundError(\"No module named 'rich'\", name='rich')")
    done = subprocess.run(
        [sys.executable, "main.py", "run", "web/workflows/text_to_image.json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == "Calotype needs the package 'rich'. In this folder, type: pip install -e .\n"
    )


def test_an_error_made_for_the_user_comes_without_a_traceback(tmp_path: Path, capsys):
    checkpoints = tmp_path / "models" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "cut.safetensors").write_bytes(b"cut")
    flags = ["--set", "CheckpointLoaderSimple.ckpt_name=cut.safetensors"]
    flags += ["--models-directory", str(tmp_path / "models")]
    workflow = ROOT / "web" / "workflows" / "text_to_image.json"
    assert run("run", workflow, *flags, user=tmp_path / "u") == 1
    told = capsys.readouterr().err
    assert "cut.safetensors: not a sound safetensors file" in told
    assert "File " not in told


def test_a_branch_that_cannot_run_fails_the_command_and_the_rest_is_written(tmp_path, capsys):
    nodes = {
        **TINY,
        "3": {"class_type": "LoadImage", "inputs": {"image": "gone.png"}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }
    path = tmp_path / "two.json"
    path.write_text(json.dumps(nodes))
    assert run("run", path, user=tmp_path / "u") == 1
    told = capsys.readouterr()
    assert told.out.strip() == str(tmp_path / "u/output/tiny_00001_.png")
    assert "LoadImage (node 3)" in told.err
    assert "gone.png" in told.err
    assert "failed" in told.err.splitlines()[-1]
    assert run("check", path, user=tmp_path / "u") == 2


def workflow(*nodes):
    return {"nodes": [{"id": n, "type": kind, **more} for n, kind, more in nodes], "links": []}


def test_many_files_are_checked_at_once(tiny, tmp_path, capsys):
    bad, none = tmp_path / "bad.json", tmp_path / "none.json"
    bad.write_text(json.dumps({**TINY, "3": {"class_type": "Nothing", "inputs": {}}}))
    assert run("check", tiny, user=tmp_path / "u") == 0
    assert capsys.readouterr().err == "the workflow is valid\n"
    assert run("check", tiny, bad, none, user=tmp_path / "u") == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"{tiny}: valid"
    assert told[1] == f"{bad}: invalid"
    assert "Nothing" in told[2]
    assert told[3] == f"{none}: invalid"
    assert run("check", tiny, bad, "--json", user=tmp_path / "u") == 2
    found = json.loads(capsys.readouterr().out)
    assert [(each["workflow"], each["status"]) for each in found] == [
        (str(tiny), "valid"),
        (str(bad), "invalid"),
    ]


def test_missing_files_are_named_beside_missing_classes(tmp_path, capsys):
    path = tmp_path / "both.json"
    loader = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "gone.safetensors"}}
    picture = {"class_type": "LoadImage", "inputs": {"image": "gone.png [output]"}}
    other = {"class_type": "Nothing", "inputs": {"x": ["1", 0]}}
    path.write_text(json.dumps({"1": loader, "2": picture, "3": other}))
    assert run("check", path, user=tmp_path / "u") == 2
    told = capsys.readouterr().err
    assert "Nothing (node 3)" in told
    assert "CheckpointLoaderSimple (node 1)" in told
    assert "gone.safetensors" in told
    assert "'gone.png' in output/" in told


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_files_of_other_encodings_are_read(encoding, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(TINY), encoding=encoding)
    assert run("check", path, user=tmp_path / "u") == 0


def test_what_was_damaged_in_a_file_is_said(tmp_path, capsys):
    path = tmp_path / "damaged.json"
    nodes = workflow(
        (1, "EmptyImage", {}), (1, "PreviewImage", {}), (None, "Note", {}), (5, None, {})
    )
    path.write_text(json.dumps(nodes))
    run("check", path, user=tmp_path / "u")
    told = capsys.readouterr().err
    assert "Two nodes have the id 1; the later one, PreviewImage, has the id 6 now." in told
    assert "it, Note, has the id 7 now" in told
    assert "it has id 5 and type None" in told


def test_a_picture_of_another_program_is_checked_as_the_prompt_it_means(tmp_path: Path, capsys):
    info = PngInfo()
    info.add_text("parameters", "a fox AND b\nSteps: 4, Sampler: Euler, Seed: 3, Model: gone")
    Image.new("RGB", (8, 8)).save(tmp_path / "fox.png", pnginfo=info)
    assert run("check", tmp_path / "fox.png", "--json", user=tmp_path / "u") == 2
    report = json.loads(capsys.readouterr().out)
    assert report["notes"] == ["Made from the text of A1111.", "Left out: AND."]
    [problem] = report["problems"]["checkpoint"]["errors"]
    assert "gone.safetensors" in problem["details"]


def test_several_files_make_a_table(tiny: Path, tmp_path: Path, capsys):
    loader = {"class_type": "LoadImage", "inputs": {"image": "none.png"}}
    saver = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}
    for name, graph in (
        ("file.json", {"1": loader, "2": saver}),
        ("class.json", {"1": {"class_type": "Gone", "inputs": {}}, "2": saver}),
        ("link.json", {"2": saver}),
        ("odd.json", {"nodes": [{"id": 1}]}),
    ):
        (tmp_path / name).write_text(json.dumps(graph))
    (tmp_path / "none.json").write_text("{")
    names = ["file.json", "class.json", "link.json", "odd.json", "none.json"]
    paths = [tiny, *(tmp_path / name for name in names)]
    assert run("check", *paths, user=tmp_path / "u") == 2
    heads, *lines, total = capsys.readouterr().out.splitlines()
    rows = [re.split(r"  +", line)[1:] for line in lines]
    columns = ["opens", "converts", "nodes", "classes", "files", "validates"]
    assert heads.split()[1:] == columns
    assert rows == [
        ["yes", "yes", "2", "all here", "all here", "yes"],
        ["yes", "yes", "2", "all here", "1 missing", "but for files"],
        ["yes", "yes", "2", "1 missing", "all here", "no"],
        ["yes", "yes", "1", "all here", "all here", "no"],
        ["yes", "no", "-", "-", "-", "-"],
        ["no", "no", "-", "-", "-", "-"],
    ]
    assert re.split(r"  +", total) == ["6 workflows", "5", "4", "7", "3", "3", "2"]
    run("check", *paths, "--json", user=tmp_path / "u")
    found = json.loads(capsys.readouterr().out)
    assert found[2]["checked"]["missing_classes"] == ["Gone"]
    assert found[1]["checked"]["validates"] == "but for files"
