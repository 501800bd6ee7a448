"""Runs with GLIGEN and a hypernetwork against the reference's, on files of random weights."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

if TYPE_CHECKING:
    Run = Callable[..., tuple[torch.Tensor, torch.Tensor]]

REFERENCE = Path(__file__).parents[1] / "reference"
RUNS = {
    run["name"]: run["tolerance"]
    for run in json.loads((REFERENCE / "inside_attention.json").read_text(encoding="utf-8"))
}
IN_CI = ("gligen_one", "hyper15_neg")
BLOCKS = ("input_blocks.1.1", "middle_block.1", "output_blocks.2.1", "output_blocks.3.1")
WIDTH, TEXT, BOX = 320, 768, 64


def random(file: str, name: str, shape: tuple[int, ...], scale: float, mean: float = 0.0):
    """Numbers that depend on the file's name and the tensor's only."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{file}/{name}".encode()))
    return torch.randn(shape, generator=generator) * scale + mean


def gligen15() -> dict[str, torch.Tensor]:
    shapes: dict[str, tuple[int, ...]] = {}

    def pair(name: str, *shape: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

    for block in BLOCKS:
        name = f"{block}.transformer_blocks.0.fuser"
        pair(f"{name}.linear", WIDTH, TEXT)
        for part in ("to_q", "to_k", "to_v"):
            shapes[f"{name}.attn.{part}.weight"] = (WIDTH, WIDTH)
        pair(f"{name}.attn.to_out.0", WIDTH, WIDTH)
        pair(f"{name}.ff.net.0.proj", 8 * WIDTH, WIDTH)
        pair(f"{name}.ff.net.2", WIDTH, 4 * WIDTH)
        pair(f"{name}.norm1", WIDTH)
        pair(f"{name}.norm2", WIDTH)
    for layer, shape in ((0, (512, TEXT + BOX)), (2, (512, 512)), (4, (TEXT, 512))):
        pair(f"position_net.linears.{layer}", *shape)
    found = {
        name: random("gligen15", name, shape, shape[-1] ** -0.5)
        if len(shape) > 1
        else random("gligen15", name, shape, 0.02, 0.0 if name.endswith("bias") else 1.0)
        for name, shape in shapes.items()
    }
    for kind, width in (("positive", TEXT), ("position", BOX)):
        name = f"position_net.null_{kind}_feature"
        found[name] = random("gligen15", name, (width,), 0.5)
    found = {name: each.half() for name, each in found.items()}
    for block in BLOCKS:
        name = f"{block}.transformer_blocks.0.fuser"
        found[f"{name}.alpha_attn"] = torch.tensor(0.7)
        found[f"{name}.alpha_dense"] = torch.tensor(0.5)
    return found


def hyper15() -> dict[Any, Any]:
    """Widths 320 and 768, two layers, relu between them."""
    found: dict[Any, Any] = {}
    for width in (320, 768):
        pairs = []
        for number in (0, 1):
            part = {}
            for layer, (out, inner) in ((0, (2 * width, width)), (2, (width, 2 * width))):
                for kind, shape, scale in (
                    ("weight", (out, inner), 0.3 / math.sqrt(inner)),
                    ("bias", (out,), 0.02),
                ):
                    name = f"linear.{layer}.{kind}"
                    part[name] = random("hyper15.pt", f"{width}.{number}.{name}", shape, scale)
            pairs.append(part)
        found[width] = pairs
    return {**found, "activation_func": "relu", "is_layer_norm": False, "activate_output": False}


MADE: dict[str, Callable[[Path], None]] = {
    "gligen15.safetensors": lambda path: save_file(gligen15(), path),
    "hyper15.pt": lambda path: torch.save(hyper15(), path),
}


@pytest.fixture(scope="session")
def made_files(test_cache: Path) -> None:
    """The files, in the folder of all big test files."""
    for name, make in MADE.items():
        if not (test_cache / name).is_file():
            part = test_cache / f"{os.getpid()}-{name}"
            make(part)
            part.replace(test_cache / name)


@pytest.mark.parametrize(
    "name", [n if n in IN_CI else pytest.param(n, marks=pytest.mark.slow) for n in RUNS]
)
@pytest.mark.usefixtures("tiny15_checkpoint", "made_files")
def test_run(name: str, run_reference: Run, record_property: Callable[[str, object], None]) -> None:
    found, expected = run_reference(name)
    strays = float((found.double() - expected).norm() / expected.double().norm())
    record_property("relative_l2", strays)
    assert strays <= RUNS[name]
