"""GLIGEN and hypernetworks of SD1's true sizes stay within the budget of a simulated device."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference.gligen import GligenModel, placed
from engine.inference.hypernetworks import OpenHypernetwork, with_hypernetwork
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.nets.gligen import FuserConfig, Gligen, GligenConfig
from engine.nets.hypernetwork import Hypernetwork, HypernetworkConfig, Layer
from engine.nets.layouts import stable_diffusion_1
from engine.nets.unet import UNet
from engine.nets.unet_places import transformers_of
from engine.residency.manager import installed

from .sdxl_shaped import handle
from .simulated import FusedAttention, Meter, simulated

CELLS = 64


def model_of() -> Model:
    family, config = StableDiffusion1(), StableDiffusion1Config(stable_diffusion_1()[0])
    with torch.device("meta"):
        net = UNet(config.unet).eval().requires_grad_(requires_grad=False)
    return Model(family, config, handle(net, "unet"), family.latent(config), discrete())


def text() -> list[Any]:
    return [[torch.zeros(1, 77, 768), {}]]


def with_boxes(model: Model) -> tuple[Model, list[Any], int]:
    shapes = {name: source.shape for name, source in model.net.sources.items()}
    parts = {
        "input": "input_blocks.{}.1",
        "middle": "middle_block.1",
        "output": "output_blocks.{}.1",
    }
    fusers = tuple(
        (
            f"{parts[each.place[0]].format(each.place[1])}.transformer_blocks.0",
            FuserConfig(each.channels, 4 * each.channels),
        )
        for each in transformers_of(shapes)
    )
    config = GligenConfig(768, 64, (512, 512), 768, fusers)
    with torch.device("meta"):
        module = Gligen(config).eval().requires_grad_(requires_grad=False)
    opened = GligenModel("boxes", config, handle(module, "gligen"))
    phrase = (torch.zeros(1, 768), 32, 32, 8, 8)
    return model, placed(text(), opened, phrase), opened.weights.size


def with_layers(model: Model) -> tuple[Model, list[Any], int]:
    layers = {
        width: ((Layer(0, 2 * width, is_norm=False), Layer(2, width, is_norm=False)),) * 2
        for width in (320, 640, 768, 1280)
    }
    config = HypernetworkConfig(layers, "relu")
    with torch.device("meta"):
        module = Hypernetwork(config).eval().requires_grad_(requires_grad=False)
    opened = OpenHypernetwork("hyper", config, handle(module, "hyper"))
    return with_hypernetwork(model, opened, 1.0), text(), opened.weights.size


@pytest.mark.parametrize("make", [with_boxes, with_layers])
@pytest.mark.parametrize("share", [1.5, 0.75])
def test_the_peak_is_at_most_the_budget(make, share):
    model, positive, added = make(model_of())
    weights = model.net.size + added
    # Beside weights, two rows of activations: 70 of the widest tensor.
    room = 70 * 2 * CELLS**2 * 320 * 2
    budget = int(share * weights) + room
    residency = simulated(budget)
    latent = {"samples": torch.zeros(1, 4, CELLS, CELLS)}
    guider = CfgGuider(model, positive, text(), 7.0)
    euler, sigmas = Sampler(SAMPLERS["euler"]), torch.tensor([14.6, 0.0])
    with FusedAttention(), Meter(budget) as meter, installed(residency):
        sample(guider, RandomNoise(1), euler, sigmas, latent)
        assert meter.peak <= budget
        assert (residency.held >= weights) == (share > 1)
