"""Whole graphs of image nodes through the executor, from files to files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from engine.execute.cache import Cache
from engine.execute.executor import Job, Result, execute
from engine.files import Files
from engine.graph.prompt import parse
from engine.media.metadata import read_embedded
from engine.nodekit.registry import Registry
from engine.wire.messages import Failed, Succeeded
from nodes import builtin_registry
from nodes.pixels import from_picture


@pytest.fixture(scope="module")
def registry() -> Registry:
    return builtin_registry()


@pytest.fixture
def run(registry: Registry, files: Files):
    cache = Cache(1 << 28)

    def run_graph(graph: Mapping[str, Any], wanted: str) -> Result:
        job = Job("1", [wanted], extra={"workflow": {"nodes": [], "version": 0.4}})
        return execute(job, parse(graph), registry, cache, lambda _: None, files=files)

    return run_graph


def node(class_type: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def saved(files: Files, name: str) -> torch.Tensor:
    with Image.open(files.folders("output")[0] / name) as picture:
        return from_picture(picture)


def put(files: Files, color: tuple[int, int, int], size: tuple[int, int] = (4, 2)) -> Path:
    path = files.folders("input")[0] / "in.png"
    Image.new("RGB", size, color).save(path)
    return path


def test_a_picture_goes_through_and_carries_its_graph(run, files: Files):
    put(files, (51, 102, 153))
    graph = {
        "load": node("LoadImage", image="in.png"),
        "invert": node("ImageInvert", image=["load", 0]),
        "save": node("SaveImage", images=["invert", 0], filename_prefix="negative"),
    }
    result = run(graph, "save")
    assert isinstance(result.end, Succeeded)
    assert result.shown["save"]["images"][0]["filename"] == "negative_00001_.png"
    # Levels are rounded down when saved: 1 - 153/255 is slightly below 102/255.
    assert (saved(files, "negative_00001_.png")[0, 0] * 255).round().tolist() == [204, 153, 101]
    embedded = read_embedded(files.folders("output")[0] / "negative_00001_.png")
    assert embedded.prompt == graph
    assert embedded.workflow == {"nodes": [], "version": 0.4}


def test_only_a_changed_file_runs_again(run, files: Files):
    put(files, (0, 0, 0))
    graph = {
        "load": node("LoadImage", image="in.png"),
        "size": node("GetImageSize", image=["load", 0]),
        "show": node("PreviewAny", source=["size", 0]),
    }
    assert run(graph, "show").executed == ("load", "size", "show")
    assert run(graph, "show").executed == ()
    put(files, (0, 0, 0), (9, 2))
    again = run(graph, "show")
    assert again.executed == ("load", "size", "show")
    assert again.shown["show"]["text"] == ["9"]


def test_what_shows_and_saves_hands_on(run, files: Files):
    graph = {
        "make": node("EmptyImage", width=4, height=2, batch_size=1, color=0xFFFFFF),
        "show": node("PreviewImage", images=["make", 0]),
        "save": node("SaveImage", images=["show", 0], filename_prefix="a"),
        "mask": node("ImageToMask", image=["save", 0], channel="red"),
        "look": node("MaskPreview", mask=["mask", 0]),
        "text": node("PreviewAny", source=["look", 0]),
        "long": node("StringLength", string=["text", 0]),
        "last": node("PreviewAny", source=["long", 0]),
    }
    result = run(graph, "last")
    assert isinstance(result.end, Succeeded)
    assert [place in result.shown for place in ("show", "save", "look", "text")] == [True] * 4
    assert int(result.shown["last"]["text"][0]) == len(result.shown["text"]["text"][0])


def test_one_image_is_a_batch(run, files: Files):
    graph = {
        "make": node("EmptyImage", width=4, height=2, batch_size=3, color=0),
        "batch": node("BatchImagesNode", **{"images.image0": ["make", 0]}),
        "last": node("ImageFromBatch", image=["batch", 0], batch_index=-1, length=1),
        "save": node("SaveImage", images=["last", 0], filename_prefix="a"),
    }
    result = run(graph, "save")
    assert isinstance(result.end, Succeeded)
    assert len(result.shown["save"]["images"]) == 1


def test_growing_inputs_lists_and_batches(run, files: Files):
    """Three greys batched, split into single pictures, each saved in a separate call."""
    greys = {
        str(level): node("EmptyImage", width=2, height=2, batch_size=1, color=level * 0x010101)
        for level in (10, 20, 30)
    }
    images = {f"images.image{at}": [name, 0] for at, name in enumerate(greys)}
    graph = {
        **greys,
        "batch": node("BatchImagesNode", **images),
        "deal": node("RebatchImages", images=["batch", 0], batch_size=1),
        "save": node("SaveImage", images=["deal", 0], filename_prefix="grey"),
    }
    result = run(graph, "save")
    assert isinstance(result.end, Succeeded)
    names = [item["filename"] for item in result.shown["save"]["images"]]
    assert names == ["grey_00001_.png", "grey_00002_.png", "grey_00003_.png"]
    levels = [(saved(files, name)[0, 0, 0] * 255).round().item() for name in names]
    assert levels == [10, 20, 30]


def test_masks_strings_and_numbers_meet(run, files: Files):
    graph = {
        "name": node("StringConcatenate", string_a="a", string_b="b", delimiter="-"),
        "side": node("PrimitiveInt", value=6),
        "image": node("EmptyImage", width=["side", 0], height=4, batch_size=1, color=0xFFFFFF),
        "mask": node("SolidMask", value=0.25, width=["side", 0], height=4),
        "join": node("JoinImageWithAlpha", image=["image", 0], alpha=["mask", 0]),
        "save": node("SaveImage", images=["join", 0], filename_prefix=["name", 0]),
    }
    assert isinstance(run(graph, "save").end, Succeeded)
    picture = saved(files, "a-b_00001_.png")
    assert picture.shape == (4, 6, 4)
    assert (picture[0, 0] * 255).round().tolist() == [255, 255, 255, 191]


def test_a_failing_node_says_what_was_wrong(run, files: Files):
    (files.folders("input")[0] / "in.png").write_text("no picture")
    graph = {
        "load": node("LoadImage", image="in.png"),
        "show": node("PreviewImage", images=["load", 0]),
    }
    end = run(graph, "show").end
    assert isinstance(end, Failed)
    assert (end.class_type, end.node.id) == ("LoadImage", "load")
    assert "in.png: is no picture" in end.message
