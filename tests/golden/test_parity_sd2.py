"""Stable Diffusion 2 and the x4 upscaler: same seed, same latent as the reference.

The UNets have 320 or 256 channels at each level; their random weights are made here, byte for byte.
The two prompts were encoded by this program in a run that matches the reference as a whole; the
text encoder of these runs takes 0.7 GB. `test_reference_folder.py` runs all of them.
"""

from __future__ import annotations

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
from engine.nets.unet import UNet, UNetConfig
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from engine.weights.state_dict import StateDict
from nodes.image import empty_image, image_composite_masked
from nodes.latent import empty_latent_image
from nodes.model_patches import model_sampling_discrete
from nodes.picture_conditioning import upscale_conditioning
from nodes.sampling import ksampler

PREFIX = "model.diffusion_model."
NORM = f"{PREFIX}output_blocks.11.1.transformer_blocks.0.norm1.bias"
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def reference(reference_folder: Path) -> Mapping[str, torch.Tensor]:
    return load_file(reference_folder / "sd2.safetensors")


def made(random_checkpoints: ModuleType, config: UNetConfig) -> dict[str, torch.Tensor]:
    """The UNet's tensors, by the recipe that the reference's have."""
    with torch.device("meta"):
        shapes = {name: tuple(each.shape) for name, each in UNet(config).state_dict().items()}
    return {
        PREFIX + name: random_checkpoints.value(PREFIX + name, shape).half()
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def sd2(random_checkpoints: ModuleType) -> dict[str, torch.Tensor]:
    return made(
        random_checkpoints, regular_unet(320, (1, 1, 1, 1), (1, 1, 1, 0), context=1024, linear=True)
    )


def sampled(model: Model, steps: int, how: tuple[str, str], files: Files, **inputs: Any) -> Any:
    sampler, scheduler = how
    return ksampler(
        model=model,
        seed=42,
        steps=steps,
        cfg=7.0,
        sampler_name=sampler,
        scheduler=scheduler,
        denoise=1.0,
        ctx=RunningContext("1", files),
        **inputs,
    )["samples"]


def prompts(reference: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    return {name: [[reference[f"{name}.tokens"], {}]] for name in ("positive", "negative")}


def strays_by(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    return float((found.double() - expected.double()).norm() / expected.double().norm())


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("sd20_euler_normal", 1.2e-5),
        pytest.param("sd21v_zsnr", 4.8e-5, marks=SLOW),
        pytest.param("sd21v_euler_normal", 1.7e-5, marks=SLOW),
    ],
)
def test_run(
    name: str,
    tolerance: float,
    reference: Mapping[str, torch.Tensor],
    sd2: dict[str, torch.Tensor],
    files: Files,
    record_property: Any,
) -> None:
    tensors = dict(sd2)
    if name.startswith("sd21v"):
        random = torch.randn(320, generator=torch.Generator().manual_seed(7))
        tensors[NORM] = (random * 0.5).half()
    weights = StateDict.of(tensors)
    model = model_of(*detect(weights), weights)
    schedule = "normal"
    if name == "sd21v_zsnr":
        model, schedule = (
            model_sampling_discrete(model=model, sampling="v_prediction", zsnr=True),
            "sgm_uniform",
        )
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        empty = empty_latent_image(128, 128)
        inputs = {**prompts(reference), "latent_image": empty}
        found = sampled(model, 3, ("euler", schedule), files, **inputs)
    strays = strays_by(found, reference[name])
    record_property("relative_l2", strays)
    assert strays <= tolerance


@pytest.mark.parametrize(
    ("name", "ratio", "noise", "how", "tolerance"),
    [
        ("x4_2x", 2.0, 0.05, ("dpmpp_2m", "karras"), 2.3e-5),
        pytest.param("x4_plain", 4.0, 0.0, ("euler", "normal"), 1.6e-5, marks=SLOW),
    ],
)
def test_the_x4_upscaler(
    name: str,
    ratio: float,
    noise: float,
    how: tuple[str, str],
    tolerance: float,
    reference: Mapping[str, torch.Tensor],
    random_checkpoints: ModuleType,
    files: Files,
    record_property: Any,
) -> None:
    config = regular_unet(
        256,
        (1, 1, 1, 1),
        (0, 1, 1, 1),
        heads=8,
        context=1024,
        linear=True,
        in_channels=7,
        classes=1000,
        self_attention=(False, False, False, True),
    )
    weights = StateDict.of(made(random_checkpoints, config))
    picture = empty_image(32, 24, 1, 3170464)
    picture = image_composite_masked(picture, empty_image(16, 8, 1, 14729248), 4, 4)
    picture = image_composite_masked(picture, empty_image(8, 12, 1, 13639744), 16, 6)
    given = upscale_conditioning(
        picture, **prompts(reference), scale_ratio=ratio, noise_augmentation=noise
    )
    inputs = dict(zip(("positive", "negative", "latent_image"), given, strict=True))
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        found = sampled(model_of(*detect(weights), weights), 3, how, files, **inputs)
    strays = strays_by(found, reference[name])
    record_property("relative_l2", strays)
    assert strays <= tolerance
