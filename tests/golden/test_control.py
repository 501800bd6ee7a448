"""Runs with ControlNets against the reference's, on files of random weights made here."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.layouts import regular_unet

if TYPE_CHECKING:
    Run = Callable[..., tuple[torch.Tensor, torch.Tensor]]

REFERENCE = Path(__file__).parents[1] / "reference"
RUNS = {
    run["name"]: run["tolerance"]
    for run in json.loads((REFERENCE / "controls.json").read_text(encoding="utf-8"))
}
IN_CI = ("cn15_chain_same", "cn15_difference_07")


def shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of the ControlNet for the reduced SD1."""
    unet = regular_unet(320, (1, 1), (1, 0), context=768, heads=8, blocks=1)
    with torch.device("meta"):
        net = ControlNet(
            ControlNetConfig(
                in_channels=4,
                model_channels=320,
                time_channels=1280,
                vector_channels=None,
                input_blocks=unet.input_blocks,
                middle_block=unet.middle_block,
                hint_channels=(3, 16, 16, 32, 32, 96, 96, 256, 320),
            )
        )
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


def values(file: str, prefix: str) -> dict[str, torch.Tensor]:
    """Random numbers that depend on the file's name and the tensor's only."""
    found = {}
    for key, shape in shapes().items():
        name, width = prefix + key, math.prod(shape[1:])
        mean, deviation = 0.0, 1 / math.sqrt(width)
        if "zero_convs" in key or "middle_block_out" in key:
            deviation = 0.4 / math.sqrt(width) if len(shape) > 1 else 0.02
        elif len(shape) == 1:
            mean, deviation = 0.0 if key.endswith("bias") else 1.0, 0.02
        elif "input_hint" in key:
            deviation = 2.0 / math.sqrt(width)
        generator = torch.Generator().manual_seed(zlib.crc32(f"{file}/{name}".encode()))
        found[name] = (torch.randn(shape, generator=generator) * deviation + mean).half()
    return found


def differences() -> dict[str, torch.Tensor]:
    """A file to be added to the model's weights."""
    own = ("zero_convs", "middle_block_out", "input_hint")
    found = values("cn15_difference", "control_model.")
    for name, tensor in found.items():
        if not any(part in name for part in own):
            less = 0.2 if tensor.ndim == 1 and name.endswith("weight") else 0.0
            found[name] = (tensor.float() * 0.2 - less).half()
    return {**found, "difference": torch.zeros(1)}


MADE: dict[str, Callable[[], dict[str, Any]]] = {
    "cn15_cldm": lambda: values("cn15_cldm", "control_model."),
    "cn15_plain_shuffle": lambda: values("cn15_plain_shuffle", ""),
    "cn15_difference": differences,
}


def make_files(folder: Path, prompt: dict[str, Any]) -> None:
    """The control networks that a run names, made once."""
    for node in prompt.values():
        name = node["inputs"].get("control_net_name")
        if name is not None and not (folder / name).is_file():
            part = folder / f"{name}.{os.getpid()}.part"
            save_file(MADE[Path(name).stem](), part)
            part.replace(folder / name)


@pytest.mark.parametrize(
    "name", [n if n in IN_CI else pytest.param(n, marks=pytest.mark.slow) for n in RUNS]
)
@pytest.mark.usefixtures("tiny15_checkpoint")
def test_control(
    name: str, run_reference: Run, runs: Mapping[str, Mapping[str, Any]], test_cache: Path
) -> None:
    make_files(test_cache, dict(runs[name]["prompt"]))
    found, expected = run_reference(name)
    strays = float((found.double() - expected).norm() / expected.double().norm())
    assert strays <= RUNS[name]
