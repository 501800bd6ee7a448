"""LTX-Video and HunyuanVideo: the reference's results with files of random weights.

The files are made here, byte for byte. `test_flow_folder.py` runs all of them.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.execute.executor import Job
from engine.families.family import Run
from engine.graph.prompt import parse
from engine.inference.load import load_denoiser
from engine.inference.sample import network_run
from engine.nodekit.contract import node
from engine.residency.manager import DeviceResidency, installed
from engine.settings import Settings
from engine.wire.messages import Succeeded
from engine.worker.loop import Worker
from nodes.ltxv import ltxv_scheduler
from nodes.sockets import Conditioning

SIGMA = 0.5


@pytest.fixture(scope="module")
def reference(reference_folder: Path) -> Mapping[str, Any]:
    told = json.loads((reference_folder / "flow.json").read_text(encoding="utf-8"))
    return told | {"tensors": load_file(reference_folder / "flow.safetensors")}


@pytest.fixture(scope="module")
def models(reference: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, shapes in reference["shapes"].items():
        tensors = {key: value(key, shape) for key, shape in shapes.items()}
        save_file(tensors, folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def value(key: str, shape: list[int]) -> torch.Tensor:
    """A function of the name and the shape alone, in fp16."""
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    drawn = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        drawn.mul_(0.02).add_(0.0 if key.endswith("bias") else 1.0)
    elif key.endswith("scale_shift_table"):
        drawn.mul_(0.3)
    else:
        drawn.mul_(1 / math.sqrt(math.prod(shape[1:])))
    return drawn.half()


@node("FixedConditioning", category="test")
def fixed_conditioning(
    seed: int, tokens: int, width: int, pooled: int | None = None, scale: float | None = None
) -> Conditioning:
    """Random numbers instead of a text."""
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(1, tokens, width, generator=generator) * (scale or 1.0)
    extras = {"pooled_output": torch.randn(1, pooled, generator=generator)} if pooled else {}
    return [[embedding, extras]]


def strays_by(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    return float((found.double() - expected.double()).norm() / expected.double().norm())


@pytest.mark.parametrize("family", ["ltxv", "hunyuan_video"])
def test_predictions(
    family: str, reference: Mapping[str, Any], models: Path, two_threads: None
) -> None:
    case = reference["predictions"][family]
    conditioning = fixed_conditioning(**case["conditioning"])
    if case["guidance"] is not None:
        conditioning[0][1]["guidance"] = case["guidance"]
    x = torch.randn(case["shape"], generator=torch.Generator().manual_seed(100))
    sigmas = torch.tensor([SIGMA, 0.0])
    with (
        installed(DeviceResidency(torch.device("cpu"), torch.float32)),
        torch.no_grad(),
    ):
        model = load_denoiser(models / f"{family}_tiny.safetensors")
        ready = network_run({"positive": conditioning}, model, Run(x.shape), sigmas, lambda: None)
        with ready as run:
            (found,) = run.evaluators.of()(x, sigmas[:1], run.named["positive"])
    assert strays_by(found, reference["tensors"][f"{family}_x0"]) <= 1e-5


def test_a_whole_run(
    reference: Mapping[str, Any], models: Path, two_threads: None, tmp_path: Path
) -> None:
    run = reference["run"]
    settings = Settings(
        user_directory=tmp_path,
        output_directory=tmp_path / "output",
        model_folders={"diffusion_models": (models,)},
        dtype="fp32",
    )
    worker = Worker(settings)
    worker.registry.add(fixed_conditioning)
    worker.catalog = worker.registry.catalog()
    report = worker.check(parse(run["prompt"]))
    assert not report.node_errors, report.node_errors
    torch.set_num_threads(run["threads"])
    nodes = run["prompt"].items()
    saver = next(key for key, each in nodes if each["class_type"] == "SaveLatent")
    result = worker.run(Job(run["name"], [saver]), report.prompt, lambda _: None)
    assert isinstance(result.end, Succeeded), result.end
    (saved,) = result.shown[saver]["latents"]
    found = load_file(tmp_path / "output" / saved["subfolder"] / saved["filename"])
    assert strays_by(found["latent_tensor"], reference["tensors"][run["name"]]) <= 1e-5


def test_noise_levels(reference: Mapping[str, Any]) -> None:
    for case, expected in reference["ltxv_scheduler"].items():
        steps, rest = case.split(" ", 1)
        options, _, shape = rest.partition(") ")
        most, least, stretch, terminal = options.strip("(").split(", ")
        latent = None if shape == "None" else {"samples": torch.zeros(json.loads(shape))}
        stretches = stretch == "True"
        found = ltxv_scheduler(
            int(steps), float(most), float(least), stretches, float(terminal), latent
        )
        assert found.isfinite().all()
        # A single step that is stretched is no number, or 0.1, there.
        if not (steps == "1" and stretches):
            assert found.tolist() == pytest.approx(expected, abs=1e-6), case
