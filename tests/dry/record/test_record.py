"""A record names versions, files and packs; comparing says what differs now."""

from dataclasses import replace

import msgspec
import pytest

from engine.files import Files
from engine.graph.prompt import parse
from engine.graph.schema import InputSchema, NodeSchema
from engine.record.compare import differences
from engine.record.make import Recorder, commit_of
from engine.record.named import named_files
from engine.record.record import NUMERICS, Computing, RecordError, read_record, to_json

FP32 = Computing("fp32", "cpu", "x86_64", "2.9.0")
CATALOG = {
    "Load": NodeSchema(
        "Load", "Load", "", (InputSchema("ckpt_name", "COMBO", folder="checkpoints"),)
    ),
    "Text": NodeSchema("Text", "Text", "", (InputSchema("text", "STRING"),)),
    "Odd": NodeSchema("Odd", "Odd", "", python_module="custom_nodes.odd_pack"),
}
PROMPT = parse(
    {
        "1": {"class_type": "Load", "inputs": {"ckpt_name": "sub/a.safetensors"}},
        "2": {"class_type": "Text", "inputs": {"text": "a (embedding:good:1.2), b"}},
        "3": {"class_type": "Odd", "inputs": {}},
        "4": {"class_type": "Gone", "inputs": {"ckpt_name": "x"}},
    }
)


@pytest.fixture
def recorder(settings, tmp_path):
    models = tmp_path / "models"
    for name, content in (("checkpoints/sub/a.safetensors", b"a"), ("embeddings/good.pt", b"g")):
        (models / name).parent.mkdir(parents=True)
        (models / name).write_bytes(content)
    pack = tmp_path / "packs" / "odd_pack"
    pack.mkdir(parents=True)
    (pack / "__init__.py").touch()
    (pack / "pyproject.toml").write_text('[project]\nname = "odd"\nversion = "1.2"\n')
    settings = replace(
        settings,
        models_directories=(models,),
        custom_nodes_directories=(tmp_path / "packs",),
    )
    return Recorder(settings, Files(settings))


def texts(recorder, record, computing=FP32):
    return [each.text for each in differences(record, recorder, computing)]


def test_a_record_names_what_the_prompt_depends_on(recorder):
    found = to_json(recorder.record(PROMPT, CATALOG, FP32))
    assert found["numerics"] == NUMERICS
    assert found["computing"] == {
        "dtype": "fp32",
        "device": "cpu",
        "name": "x86_64",
        "torch": "2.9.0",
    }
    assert [(each["kind"], each["name"], each["size"]) for each in found["files"]] == [
        ("checkpoints", "sub/a.safetensors", 1),
        ("embeddings", "good", 1),
    ]
    assert all(len(each["sha256"]) == 64 for each in found["files"])
    assert found["packs"] == [{"name": "odd_pack", "version": "1.2"}]


def test_a_record_comes_back_from_json_and_fits_itself(recorder):
    record = recorder.record(PROMPT, CATALOG, FP32)
    again = read_record(msgspec.json.decode(msgspec.json.encode(to_json(record))))
    assert again == record
    assert texts(recorder, again) == []


def test_another_file_under_the_same_name_is_found_and_the_old_one_too(recorder, tmp_path):
    record = recorder.record(PROMPT, CATALOG, FP32)
    path = tmp_path / "models/checkpoints/sub/a.safetensors"
    path.rename(path.with_name("kept.safetensors"))
    [text] = texts(recorder, record)
    assert "checkpoints/sub/a.safetensors is missing" in text
    assert "checkpoints/sub/kept.safetensors" in text
    path.write_bytes(b"b")
    [text] = texts(recorder, record)
    assert "is another file than it was, under the same name" in text
    assert "checkpoints/sub/kept.safetensors" in text


def test_a_file_without_a_known_hash_is_compared_by_its_sample(recorder, tmp_path):
    record = recorder.record(PROMPT, CATALOG, FP32, lambda _: "")
    assert texts(recorder, record) == []
    (tmp_path / "models/embeddings/good.pt").write_bytes(b"h")
    [text] = texts(recorder, record)
    assert "embeddings/good" in text


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (Computing("bf16", "cpu", "x86_64", "2.9.0"), "--dtype fp32"),
        (Computing("fp32", "cuda", "H", "2.9.0"), "computed on cpu"),
        (Computing("fp32", "cpu", "arm64", "2.9.0"), "x86_64"),
        (Computing("fp32", "cpu", "x86_64", "3.0"), "torch 2.9.0"),
    ],
)
def test_another_computation_is_said(recorder, now, word):
    [text] = texts(recorder, recorder.record(PROMPT, CATALOG, FP32), now)
    assert word in text


def test_other_versions_and_packs_are_said(recorder, tmp_path):
    record = recorder.record(PROMPT, CATALOG, FP32)
    older = msgspec.structs.replace(record, numerics=NUMERICS - 1, version="0.0.1", python="3.1")
    found = differences(older, recorder, FP32)
    assert [(each.concern, each.decides) for each in found] == [
        ("numerics", True),
        ("version", False),
        ("version", False),
    ]
    project = tmp_path / "packs/odd_pack/pyproject.toml"
    project.write_text('[project]\nname = "odd"\nversion = "2.0"\n')
    recorder.forget_packs()
    [text] = texts(recorder, record)
    assert "1.2" in text
    assert "2.0" in text
    project.parent.rename(tmp_path / "elsewhere")
    [text] = texts(recorder, record)
    assert "odd_pack is missing" in text


def test_a_file_that_was_missing_then_makes_no_difference(recorder):
    prompt = parse({"1": {"class_type": "Load", "inputs": {"ckpt_name": "none.safetensors"}}})
    record = recorder.record(prompt, CATALOG, FP32)
    assert record.files[0].size == -1
    assert texts(recorder, record) == []


@pytest.mark.parametrize("raw", [None, [], {}, {"record": "x"}, {"record": 1, "files": [3]}])
def test_what_is_no_record_is_refused(raw):
    with pytest.raises(RecordError, match="no record of a run"):
        read_record(raw)


def test_a_newer_record_is_read(recorder):
    raw = {**to_json(recorder.record(PROMPT, CATALOG, FP32)), "record": 7, "more": {"x": 1}}
    assert read_record(raw).record == 7


def test_a_name_that_leads_out_is_no_file(recorder):
    prompt = parse({"1": {"class_type": "Load", "inputs": {"ckpt_name": "../../secret"}}})
    assert recorder.record(prompt, CATALOG, FP32).files[0].size == -1


def test_linked_inputs_name_no_files():
    prompt = parse({"1": {"class_type": "Load", "inputs": {"ckpt_name": ["2", 0]}}})
    assert named_files(prompt, CATALOG) == ()


def test_the_commit_of_a_repository_is_read(tmp_path):
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    assert commit_of(tmp_path) == ""
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text(f"# pack-refs\n{'a' * 40} refs/heads/main\n")
    assert commit_of(tmp_path) == "a" * 40
    (git / "refs/heads/main").write_text(f"{'b' * 40}\n")
    assert commit_of(tmp_path) == "b" * 40
    (git / "HEAD").write_text(f"{'c' * 40}\n")
    assert commit_of(tmp_path) == "c" * 40
