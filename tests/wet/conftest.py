"""A residency on the CPU, and tiny values of random weights for whoever needs something to run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference.values import Clip, Vae
from engine.nets.autoencoder_kl import AutoencoderConfig, AutoencoderKL, LevelConfig
from engine.nets.text_encoders import ClipTextConfig, build_clip_text
from engine.residency.manager import DeviceResidency, LazyWeights, installed


@pytest.fixture
def cpu_residency():
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)) as residency:
        yield residency


def _random(module):
    generator = torch.Generator().manual_seed(1)
    state = {
        key: torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5
        for key, tensor in module.state_dict().items()
    }
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(requires_grad=False)


@pytest.fixture
def tiny_vae(cpu_residency):
    """Eight pixels to a cell, 32 channels."""
    levels = range(4)
    config = StableDiffusion1Config(
        unet=None,
        autoencoder=AutoencoderConfig(
            pixel_channels=3,
            latent_channels=4,
            inner_channels=4,
            quantised=True,
            encoder=tuple(LevelConfig(32, 32, 1, i < 3) for i in levels),
            decoder=tuple(LevelConfig(32, 32, 1, i > 0) for i in levels),
        ),
        text=None,
    )
    family = StableDiffusion1()
    with torch.device("meta"):
        module = AutoencoderKL(config.autoencoder)
    weights = LazyWeights("tiny", 1, lambda: _random(module))
    return Vae(family, config, weights, family.latent(config))


@pytest.fixture
def tiny_clip(cpu_residency):
    """Two layers of 64 channels."""
    text = ClipTextConfig(49408, 77, 64, 128, 2, 1, "quick_gelu")
    config = StableDiffusion1Config(unet=None, autoencoder=None, text=text)
    with torch.device("meta"):
        module = build_clip_text(text)
    return Clip(StableDiffusion1(), config, LazyWeights("tiny", 1, lambda: _random(module)))


@pytest.fixture(scope="session")
def random_checkpoints() -> ModuleType:
    """The module `tools/make_random_checkpoint.py`, which is a script and no package."""
    name = "make_random_checkpoint"
    tools = Path(__file__).resolve().parents[2] / "tools"
    spec = importlib.util.spec_from_file_location(name, tools / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def small_tensors(random_checkpoints: ModuleType) -> dict[str, torch.Tensor]:
    """A whole checkpoint of SD1's build in 10 MB, fp16. Copy it before changing it."""
    return random_checkpoints.tensors(random_checkpoints.SMALL, torch.float16)
