"""Runs of SDXL with control networks against the reference's.

Only the UNet is made here, see `test_parity_sdxl.py`: the prompts' conditioning is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.families.detect import detect
from engine.files import Files
from engine.inference.load import model_of
from engine.inference.values import Model
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from engine.settings import Settings
from engine.weights.state_dict import StateDict
from nodes import builtin_nodes
from tests.golden.control_files import make_file

REFERENCE = Path(__file__).parents[1] / "reference"
RUNS = {
    run["name"]: run
    for run in json.loads((REFERENCE / "controls.json").read_text(encoding="utf-8"))
}
PREFIX = "model.diffusion_model."
SIZES: Mapping[str, tuple[int, ...]] = {"tinyvega": (1, 1, 1), "vega": (1, 2, 4)}
"""The width of each level, by the checkpoint."""


def model_named(name: str, random_checkpoints: ModuleType) -> Model:
    """A UNet of Vega's depths with a middle of one residual block."""
    sizes = regular_unet(320, SIZES[name], (0, 1, 2), context=2048, linear=True, vector=2816)
    with torch.device("meta"):
        shapes = {key: tuple(each.shape) for key, each in UNet(sizes).state_dict().items()}
    weights = StateDict.of(
        {
            PREFIX + key: random_checkpoints.value(PREFIX + key, shape).half()
            for key, shape in shapes.items()
            if not key.startswith(("middle_block.1.", "middle_block.2."))
        }
    )
    return model_of(*detect(weights), weights)


def texts() -> Mapping[str, Any]:
    """The two prompts' conditioning by their text."""
    stored = load_file(REFERENCE / "sdxl.safetensors")
    named = {"positive": "a red fox in the snow, (golden light:1.2)", "negative": "blurry, lowres"}
    return {
        text: [[stored[f"{name}.tokens"], {"pooled_output": stored[f"{name}.pooled"]}]]
        for name, text in named.items()
    }


def evaluated(prompt: Mapping[str, Any], key: str, given: Model, context: RunningContext) -> Any:
    """The outputs of a node of a prompt; its checkpoint is given, and its texts are stored."""
    known = {node.class_type: node for node in builtin_nodes()}
    encoded = texts()
    results: dict[str, Any] = {}

    def outputs(key: str) -> Any:
        kind, inputs = prompt[key]["class_type"], prompt[key]["inputs"]
        if kind == "CheckpointLoaderSimple":
            return [given]
        if kind == "CLIPTextEncode":
            return [encoded[inputs["text"]]]
        if key not in results:
            found = {
                name: outputs(each[0])[each[1]] if isinstance(each, list) else each
                for name, each in inputs.items()
            }
            results[key] = known[kind].run(found, context).values
        return results[key]

    return outputs(key)


def chosen() -> list[Any]:
    """Those of the tiny model, and slowly those of true widths."""
    found = []
    for name, run in RUNS.items():
        checkpoint = Path(run["prompt"]["4"]["inputs"]["ckpt_name"]).stem
        if checkpoint in SIZES:
            marks = (
                () if checkpoint == "tinyvega" else (pytest.mark.slow, pytest.mark.timeout(1800))
            )
            found.append(pytest.param(name, checkpoint, marks=marks))
    return found


@pytest.mark.parametrize(("name", "checkpoint"), chosen())
def test_run(
    name: str,
    checkpoint: str,
    random_checkpoints: ModuleType,
    test_cache: Path,
    tmp_path: Path,
    record_property: Any,
) -> None:
    prompt = RUNS[name]["prompt"]
    for node in prompt.values():
        if wanted := node["inputs"].get("control_net_name"):
            make_file(test_cache, wanted)
    settings = Settings(user_directory=tmp_path, model_folders={"controlnet": (test_cache,)})
    context = RunningContext("1", Files(settings))
    threads = torch.get_num_threads()
    torch.set_num_threads(RUNS[name]["threads"])
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        model = model_named(checkpoint, random_checkpoints)
        found = evaluated(prompt, "3", model, context)[0]["samples"]
    torch.set_num_threads(threads)
    expected = load_file(REFERENCE / "controls.safetensors")[name]
    assert found.shape == expected.shape
    strays = float((found.double() - expected.double()).norm() / expected.double().norm())
    record_property("relative_l2", strays)
    assert strays <= RUNS[name]["tolerance"]
