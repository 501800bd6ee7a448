"""Documents from files and pictures, and `--set`."""

import json
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.cli.document import changed, changed_workflow, parse_change, read_document
from engine.errors import MediaError, WorkflowError
from engine.graph.prompt import parse
from engine.graph.workflow import convert
from engine.settings import ROOT
from nodes import builtin_registry

WORKFLOW = ROOT / "web" / "workflows" / "text_to_image.json"
PROMPT = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 8}, "_meta": {"title": "A. first"}},
    "2": {"class_type": "EmptyImage", "inputs": {"width": 8}},
    "3": {"class_type": "StringConcatenate", "inputs": {"string_a": "x"}},
}


@pytest.fixture(scope="module")
def catalog():
    return builtin_registry().catalog()


def picture(path: Path, **texts: object) -> Path:
    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, json.dumps(value))
    Image.new("RGB", (8, 8)).save(path, pnginfo=chunks)
    return path


def test_a_picture_gives_the_prompt_that_made_it_and_keeps_its_workflow(tmp_path: Path):
    found = read_document(picture(tmp_path / "x.png", prompt=PROMPT, workflow={"nodes": []}))
    assert found.document == PROMPT
    assert found.workflow == {"nodes": []}


def test_a_picture_without_a_workflow_is_told_apart_from_a_broken_one(tmp_path: Path):
    with pytest.raises(WorkflowError, match="carries no workflow"):
        read_document(picture(tmp_path / "x.png"))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\xff" * 40)
    with pytest.raises((MediaError, WorkflowError), match=r"broken\.png"):
        read_document(tmp_path / "broken.png")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "JSON"), (b"[1, 2]", "list"), (b"{}", "no keys"), (b"[" * 100_000, "nested too deeply")],
)
def test_what_is_no_workflow_is_named(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(WorkflowError, match=message):
        read_document(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(WorkflowError, match="No such file"):
        read_document(tmp_path / "x.json")


def test_a_change_finds_its_node_by_id_title_or_class(catalog):
    prompt = parse(PROMPT)
    texts = ["2.width=16", "A. first.width=32", "StringConcatenate.string_a=12", "3.delimiter=a=b"]
    nodes = changed(prompt, [parse_change(text) for text in texts], catalog).nodes
    assert nodes["2"].inputs["width"] == 16
    assert nodes["1"].inputs["width"] == 32
    assert nodes["3"].inputs == {"string_a": "12", "delimiter": "a=b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width=3", "NODE.INPUT=VALUE"),
        ("1.width", "NODE.INPUT=VALUE"),
        ("9.width=3", "no node '9'"),
        ("EmptyImage.width=3", "2 nodes.*1, 2"),
        ("1.wide=3", "no input 'wide'; it has width"),
    ],
)
def test_a_change_that_cannot_be_made_is_explained(catalog, text: str, message: str):
    with pytest.raises(WorkflowError, match=message):
        changed(parse(PROMPT), [parse_change(text)], catalog)


def test_a_changed_value_is_changed_in_the_saved_workflow_too(catalog):
    source = read_document(WORKFLOW)
    prompt = convert(source.document, catalog).prompt
    changes = ["KSampler.seed=18446744073709551615", "Prompt.text=a castle", "KSampler.cfg=2.5"]
    after = changed(prompt, [parse_change(text) for text in changes], catalog)
    workflow = changed_workflow(source, after, catalog)
    assert workflow is not None
    assert convert(workflow, catalog).prompt.nodes == after.nodes
    assert source.workflow != workflow


def test_a_link_set_to_a_value_leaves_the_workflow_out(catalog):
    source = read_document(WORKFLOW)
    prompt = convert(source.document, catalog).prompt
    after = changed(prompt, [parse_change("KSampler.latent_image=3")], catalog)
    assert changed_workflow(source, after, catalog) is None
