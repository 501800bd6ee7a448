"""A tiny model, and runs of it."""

import pytest
import torch

from engine.compat.boundary import plugin_boundary
from engine.compat.install import install_facade
from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.residency.handles import LazyWeights

CONFIG = StableDiffusion1Config(regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1))


@pytest.fixture(autouse=True, scope="session")
def facade():
    install_facade()


@pytest.fixture
def model(cpu_residency, fill):
    net = fill(lambda: UNet(CONFIG.unet))
    family = StableDiffusion1()
    weights = LazyWeights("net", 1, lambda: net)
    return Model(family, CONFIG, weights, family.latent(CONFIG), discrete())


@pytest.fixture
def boundary():
    return plugin_boundary()


def text(value: float):
    return [[torch.linspace(-1, value, 240).reshape(1, 5, 48), {}]]


def picture(model: Model, scale: float = 5.0, sigmas=(14.0, 3.0, 0.0), rows: int = 1):
    """The result of a run with two steps."""
    guider = CfgGuider(model, text(1.0), text(0.5), scale)
    latent = {"samples": torch.zeros(rows, 4, 8, 8)}
    euler = Sampler(SAMPLERS["euler"])
    return sample(guider, RandomNoise(1), euler, torch.tensor(sigmas), latent).samples


@pytest.fixture
def run():
    return picture
