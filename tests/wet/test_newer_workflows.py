"""Workflows and prompts of later versions of the incumbent convert and pass the check."""

from typing import Any

import pytest

from engine.graph.prompt import parse, to_api
from engine.graph.schema import Catalog
from engine.graph.validate import validate
from engine.graph.workflow import convert
from nodes import builtin_registry


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return dict(builtin_registry().catalog())


def slot(name: str, kind: str, link: int | None = None, *, widget: bool = False) -> dict[str, Any]:
    saved = {"name": name, "type": kind, "link": link}
    return saved | ({"widget": {"name": name}} if widget else {})


def node(
    number: int, kind: str, inputs: list[dict[str, Any]], outputs: list[str], values: list[Any]
) -> dict[str, Any]:
    return {
        "id": number,
        "type": kind,
        "mode": 0,
        "inputs": inputs,
        "outputs": [{"name": each, "type": each, "links": []} for each in outputs],
        "widgets_values": values,
    }


def test_inputs_and_outputs_that_nodes_gained(catalog: Catalog):
    """An upload slot, one image in a batch, a place from the end, outputs of previews."""
    document = {
        "version": 0.4,
        "nodes": [
            node(
                1,
                "LoadImage",
                [slot("image", "COMBO", widget=True), slot("upload", "IMAGEUPLOAD", widget=True)],
                ["IMAGE", "MASK"],
                ["x.png", "image"],
            ),
            node(
                2,
                "BatchImagesNode",
                [slot("images.image0", "IMAGE", 1), slot("images.image1", "IMAGE")],
                ["IMAGE"],
                [],
            ),
            node(3, "ImageFromBatch", [slot("image", "IMAGE", 2)], ["IMAGE"], [-1, 1]),
            node(4, "PreviewImage", [slot("images", "IMAGE", 3)], ["IMAGE"], []),
            node(5, "SaveImage", [slot("images", "IMAGE", 4)], [], ["a"]),
            node(
                6, "CustomCombo", [slot("choice", "COMBO", widget=True)], [], ["b", 0, "a", "b", ""]
            ),
            node(7, "PreviewAny", [slot("source", "*", 5)], ["STRING"], [None, None, False]),
        ],
        "links": [
            [1, 1, 0, 2, 0, "IMAGE"],
            [2, 2, 0, 3, 0, "IMAGE"],
            [3, 3, 0, 4, 0, "IMAGE"],
            [4, 4, 0, 5, 0, "IMAGE"],
            [5, 6, 1, 7, 0, "INT"],
        ],
    }
    prompt = convert(document, catalog).prompt
    report = validate(prompt, catalog)
    assert (report.error, report.node_errors) == (None, {})
    inputs = {key: each["inputs"] for key, each in to_api(prompt).items()}
    assert inputs == {
        "1": {"image": "x.png"},
        "2": {"images.image0": ["1", 0]},
        "3": {"batch_index": -1, "length": 1, "image": ["2", 0]},
        "4": {"images": ["3", 0]},
        "5": {"filename_prefix": "a", "images": ["4", 0]},
        "6": {"choice": "b", "index": 1},
        "7": {"source": ["6", 1]},
    }


def test_prompts_with_the_editor_s_own_values(catalog: Catalog):
    prompt = parse(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": "x.png", "upload": "image"}},
            "2": {
                "class_type": "CustomCombo",
                "inputs": {"choice": "b", "index": 1, "option1": "a", "option2": "b"},
            },
            "3": {
                "class_type": "PreviewAny",
                "inputs": {"source": ["2", 1], "preview_text": "", "previewMode": False},
            },
            "4": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        }
    )
    report = validate(prompt, catalog)
    assert (report.error, report.node_errors) == (None, {})
