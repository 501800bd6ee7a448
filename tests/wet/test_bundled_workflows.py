"""The bundled workflows run with the bundled model, and have the described effect."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import max_pool2d

from engine.execute.executor import Job
from engine.graph.prompt import Prompt, PromptNode
from engine.graph.workflow import convert
from engine.settings import ROOT, Settings
from engine.wire.messages import Succeeded
from engine.worker.loop import Worker
from nodes.image_edges import canny

WORKFLOWS = sorted((ROOT / "web" / "workflows").glob("*.json"))
STEPS = 4
MORE_STEPS = 8
"""For what shows only in a picture that is nearly done."""


@pytest.fixture
def worker(settings: Settings) -> Worker:
    return Worker(replace(settings, dtype="fp32"))


def pictures(worker: Worker, name: str, **inputs: Any) -> Mapping[str, np.ndarray]:
    """The pictures a workflow writes, in a few steps, by their prefix.

    `inputs` are set on every node that has one of that name.
    """
    document = json.loads((ROOT / "web" / "workflows" / f"{name}.json").read_text())
    prompt = convert(document, worker.catalog).require_classes()
    wanted = {"steps": STEPS, **inputs}
    quick = {
        key: PromptNode(
            node.class_type,
            {**node.inputs, **{n: each for n, each in wanted.items() if n in node.inputs}},
            node.title,
        )
        for key, node in prompt.nodes.items()
    }
    report = worker.check(Prompt(quick))
    assert report.error is None, report.to_json()
    assert report.node_errors == {}
    for path in worker.files.folders("output")[0].glob("*.png"):
        path.unlink()  # of an earlier run in the same test
    job = Job(name, report.outputs, {"workflow": document})
    end = worker.run(job, report.prompt, lambda _: None).end
    assert isinstance(end, Succeeded), getattr(end, "message", end)
    found = {}
    for path in worker.files.folders("output")[0].glob("*.png"):
        with Image.open(path) as picture:
            assert json.loads(picture.text["workflow"]) == document
            found[path.name.rsplit("_", 2)[0]] = np.asarray(picture.convert("RGB"), np.float32)
    return found


def smaller(picture: np.ndarray) -> np.ndarray:
    """A picture before it was enlarged four times."""
    height, width, channels = picture.shape
    return picture.reshape(height // 4, 4, width // 4, 4, channels).mean((1, 3))


def test_each_is_tested_here():
    assert [path.stem for path in WORKFLOWS] == [
        "background_replacement",
        "controlnet",
        "hires_fix",
        "image_to_image",
        "inpaint",
        "outpaint",
        "style_transfer",
        "text_to_image",
        "winter_lora",
    ]


def test_text_to_image(worker: Worker):
    [picture] = pictures(worker, "text_to_image").values()
    assert picture.shape == (512, 512, 3)
    assert picture.std() > 10


def test_winter_lies_where_the_meadow_was(worker: Worker):
    [picture] = pictures(worker, "winter_lora").values()
    assert picture.shape == (512, 512, 3)
    red, green, blue = picture[400:].mean((0, 1))
    assert blue > green - 10, "the ground is green"
    assert red > 0.7 * green


def test_hires_fix_enlarges(worker: Worker):
    [picture] = pictures(worker, "hires_fix").values()
    assert picture.shape == (768, 768, 3)
    assert picture.std() > 10


def test_image_to_image_starts_from_the_first_picture(worker: Worker):
    found = pictures(worker, "image_to_image")
    before, after = found["image_to_image_before"], smaller(found["image_to_image"])
    assert before.shape == after.shape
    assert np.abs(before - after).mean() > 5


def test_inpainting_changes_the_masked_part_and_keeps_the_rest(worker: Worker):
    found = pictures(worker, "inpaint")
    change = np.abs(found["inpaint_before"] - smaller(found["inpaint"])).mean(axis=-1)
    masked = np.zeros(change.shape, bool)
    masked[48:112, 36:92] = True
    away = np.zeros(change.shape, bool)
    away[:24] = away[:, :16] = away[:, 112:] = True
    assert change[masked].mean() > 4 * change[away].mean()


def test_another_background_leaves_the_subject_as_it_was(worker: Worker):
    """The boat has a red sail, the sea and the sky are blue: what is red is the subject."""
    found = pictures(worker, "background_replacement", steps=MORE_STEPS)
    before, after = found["background_before"], smaller(found["background"])
    change = np.abs(before - after).mean(axis=-1)
    subject = before[..., 0] > before[..., 2] + 60
    sky = np.s_[:40]
    assert subject.sum() > 300
    assert change[sky].mean() > 40
    assert change[subject].mean() < 0.25 * change[sky].mean()


def test_a_style_is_laid_over_a_picture(worker: Worker):
    """The grass turns to snow, the house stays where it was."""
    found = pictures(worker, "style_transfer", steps=MORE_STEPS)
    before, after = found["style_before"], smaller(found["style"])
    green = [each[100:, :, 1].mean() - each[100:, :, 2].mean() for each in (before, after)]
    assert green[0] > 40
    assert green[1] < 0.3 * green[0]


def test_a_picture_follows_the_edges_of_another(worker: Worker):
    """The edges of the first picture are in the second; without the ControlNet, by chance only."""
    found, by_chance = (
        pictures(worker, "controlnet", steps=MORE_STEPS, **changes)
        for changes in ({}, {"strength": 0.0})
    )
    edges = [edges_of(each) for each in (found["controlnet_before"], smaller(found["controlnet"]))]
    others = edges_of(smaller(by_chance["controlnet"]))
    assert edges[0].sum() > 100
    assert share_near(edges[0], edges[1]) > 1.5 * share_near(edges[0], others)


def edges_of(picture: np.ndarray) -> torch.Tensor:
    return canny(torch.from_numpy(picture)[None] / 255, 0.1, 0.3)[0]


def share_near(lines: torch.Tensor, others: torch.Tensor) -> float:
    """The share of lines that are within two pixels of others."""
    return float((lines * max_pool2d(others[None], 5, 1, 2)[0]).sum() / lines.sum())


def test_outpainting_widens_and_keeps_the_picture(worker: Worker):
    [picture] = pictures(worker, "outpaint").values()
    assert picture.shape == (512, 768, 3)
    assert picture[:, 560:].std() > 5


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_bundled_workflow_names_only_what_is_here(path: Path, worker: Worker):
    document = json.loads(path.read_text())
    conversion = convert(document, worker.catalog)
    assert conversion.missing == {}
    used = [
        node.inputs["ckpt_name"]
        for node in conversion.prompt.nodes.values()
        if node.class_type == "CheckpointLoaderSimple"
    ]
    assert used == ["calotype-demo.safetensors"]
