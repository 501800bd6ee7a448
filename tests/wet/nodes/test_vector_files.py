"""Saved SVG files are SVG that an XML parser reads, and carry the workflow."""

import io
import json
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from engine.errors import MediaError, NodeError
from engine.nodekit.context import RunningContext
from nodes.vector_files import save_svg

SVG = "{http://www.w3.org/2000/svg}"
PICTURE = (
    b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" data-a="x > y"><path/></svg>'
)


def context(files):
    prompt = {"1": {"class_type": "X", "inputs": {"text": "a ]]> b < c & d"}}}
    return RunningContext("1", files, prompt=prompt, extra={"workflow": {"nodes": []}})


def saved(files):
    return sorted(files.folders("output")[0].glob("svg/*.svg"))


def test_each_picture_is_saved_with_the_workflow(files):
    given = SimpleNamespace(data=[io.BytesIO(PICTURE), io.BytesIO(PICTURE)])
    given.data[0].read()  # someone read it before
    save_svg(given, context(files))
    first, second = saved(files)
    assert (first.name, second.name) == ("ComfyUI_00001_.svg", "ComfyUI_00002_.svg")
    root = ET.parse(first).getroot()
    assert root.tag == f"{SVG}svg"
    assert root.get("data-a") == "x > y"
    texts = json.loads(root.find(f"{SVG}metadata").text)
    assert texts["prompt"]["1"]["inputs"]["text"] == "a ]]> b < c & d"
    assert texts["workflow"] == {"nodes": []}
    assert root.find(f"{SVG}path") is not None


def test_without_metadata_the_bytes_stay(files):
    files.embed_metadata = False
    save_svg(SimpleNamespace(data=[io.BytesIO(PICTURE)]), context(files))
    assert saved(files)[0].read_bytes() == PICTURE


@pytest.mark.parametrize("data", [b"", b"<html/>", b"<svg", b"<svgx></svgx>", b"<svg/>"])
def test_what_is_no_svg_is_refused(files, data):
    with pytest.raises(MediaError, match="no SVG file"):
        save_svg(SimpleNamespace(data=[io.BytesIO(data)]), context(files))


def test_values_of_another_form(files):
    with pytest.raises(NodeError, match="got str; connect the SVG output"):
        save_svg("<svg></svg>", context(files))
    with pytest.raises(NodeError, match=r"is of int, expected io\.BytesIO"):
        save_svg(SimpleNamespace(data=[3]), context(files))
