"""A tiny model, and the host's modules for sampling."""

from types import SimpleNamespace

import pytest
import torch

from engine.compat.install import host_module, install_facade
from engine.compat.sampling import path as plugin_path
from engine.compat.sampling.values import boundary, to_object
from engine.diffusion.parameterization import discrete
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference import sampling_path
from engine.inference.values import Model
from engine.nets import attention
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.nodekit.context import RunningContext
from engine.residency.handles import LazyWeights

CONFIG = StableDiffusion1Config(regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1))


@pytest.fixture
def model(cpu_residency, fill):
    net = fill(lambda: UNet(CONFIG.unet))
    family = StableDiffusion1()
    weights = LazyWeights("net", 1, lambda: net)
    return Model(family, CONFIG, weights, family.latent(CONFIG), discrete())


@pytest.fixture
def host():
    """The host's modules by short names."""
    install_facade()
    boundary.cache_clear()
    return SimpleNamespace(
        sample=host_module("comfy.sample"),
        samplers=host_module("comfy.samplers"),
        helpers=host_module("comfy.sampler_helpers"),
        k_sampling=host_module("comfy.k_diffusion.sampling"),
        extension=host_module("comfy.patcher_extension"),
    )


@pytest.fixture
def path(host):
    """The plugins' path, taken as the worker takes it."""
    plugin_path.install()
    yield sampling_path.taken()
    sampling_path.take(None)
    attention.attend_by(None)


@pytest.fixture
def patcher(model, host):
    return to_object(model)


@pytest.fixture
def positive():
    return text(1.0)


@pytest.fixture
def negative():
    return text(0.5)


@pytest.fixture
def latent():
    return {"samples": torch.zeros(1, 4, 8, 8)}


@pytest.fixture
def painted():
    """A latent that is not empty, with a mask over its left half."""
    mask = torch.zeros(1, 64, 64)
    mask[:, :, :32] = 1.0
    samples = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9))
    return {"samples": samples, "noise_mask": mask}


@pytest.fixture
def ctx(files):
    return RunningContext("1", files)


def text(value):
    return [[torch.linspace(-1, value, 240).reshape(1, 5, 48), {}]]
