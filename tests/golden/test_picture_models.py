"""Runs of inpainting and editing models against the reference's, on files made here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet

REFERENCE = Path(__file__).parents[1] / "reference"
RUNS = {
    run["name"]: run["tolerance"]
    for run in json.loads((REFERENCE / "picture_models.json").read_text(encoding="utf-8"))
}
IN_CI = ("inp15_cond_odd", "ip2p15_dual_nested")
CHANNELS = {"tiny15_inpaint": 9, "tiny15_ip2p": 8}
PREFIX = "model.diffusion_model."


@pytest.fixture(scope="module")
def files(test_cache: Path, tiny15_checkpoint: Path, random_checkpoints: ModuleType) -> None:
    """UNets of the reduced SD1 with more input channels, made once."""
    del tiny15_checkpoint  # the runs take its text encoder and autoencoder
    for name, channels in CHANNELS.items():
        path = test_cache / f"{name}.safetensors"
        if path.is_file():
            continue
        config = regular_unet(
            320, (1, 1), (1, 0), context=768, heads=8, blocks=1, in_channels=channels
        )
        with torch.device("meta"):
            shapes = {key: tuple(each.shape) for key, each in UNet(config).state_dict().items()}
        tensors = {
            PREFIX + key: random_checkpoints.value(PREFIX + key, shape).half()
            for key, shape in shapes.items()
        }
        part = path.with_suffix(f".{os.getpid()}.part")
        save_file(tensors, part)
        part.replace(path)


@pytest.mark.parametrize(
    "name", [n if n in IN_CI else pytest.param(n, marks=pytest.mark.slow) for n in RUNS]
)
@pytest.mark.usefixtures("files")
def test_run(name: str, run_reference: Callable[..., Any], record_property: Any) -> None:
    found, expected = run_reference(name)
    assert found.shape == expected.shape
    strays = float((found.double() - expected).norm() / expected.double().norm())
    record_property("relative_l2", strays)
    assert strays <= RUNS[name]
