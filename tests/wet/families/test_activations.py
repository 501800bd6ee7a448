"""What calls and trainings are expected to take holds all tensors that are alive at once.

Kernels need room of their own, for convolutions as much again.
"""

from contextlib import ExitStack

import pytest
import torch

from engine.diffusion.parameterization import discrete
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.families.sdxl.family import (
    StableDiffusionXL,
    StableDiffusionXLConfig,
    StableDiffusionXLRefiner,
)
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.training.adapters import make_adapters
from engine.training.loop import ROOMS, attached, computed_twice
from tests.wet.alive import Alive

WIDTH, CONTEXT, VECTOR = 64, 96, 128


def sd1():
    unet = regular_unet(WIDTH, (1, 2, 4, 4), (1, 1, 1, 0), context=CONTEXT, heads=8)
    return StableDiffusion1(), StableDiffusion1Config(unet)


def xl(family, multipliers, depths):
    unet = regular_unet(
        WIDTH, multipliers, depths, context=CONTEXT, linear=True, vector=VECTOR, head_channels=32
    )
    return family, StableDiffusionXLConfig(unet, discrete())


KINDS = {
    "sd1": sd1,
    "sdxl": lambda: xl(StableDiffusionXL(), (1, 2, 4), (0, 2, 10)),
    "refiner": lambda: xl(StableDiffusionXLRefiner(), (1, 2, 4, 4), (0, 4, 4, 0)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_is_two_to_four_times_what_is_alive(kind):
    family, config = KINDS[kind]()
    net = UNet(config.unet).eval()
    x, text = torch.randn(2, 4, 32, 32), torch.randn(2, 77, CONTEXT)
    y = None if config.unet.vector_channels is None else torch.randn(2, VECTOR)
    with torch.inference_mode(), Alive(net) as alive:
        net(x, torch.tensor([500.0, 5.0]), text, y)
    expected = family.activation_bytes(config, x.shape, 4)
    assert 2 * alive.most < expected < 4 * alive.most, expected / alive.most


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("kind", ["sd1", pytest.param("sdxl", marks=pytest.mark.slow)])
def test_a_step_of_a_training_has_room(kind, again):
    family, config = KINDS[kind]()
    net = UNet(config.unet).eval().requires_grad_(requires_grad=False)
    adapters = make_adapters(net, "LoRA", 4, 0)
    x, text = torch.randn(1, 4, 32, 32), torch.randn(1, 77, CONTEXT)
    y = None if config.unet.vector_channels is None else torch.randn(1, VECTOR)
    with ExitStack() as stack:
        stack.enter_context(attached(net, adapters))
        if again:
            stack.enter_context(computed_twice(net))
        alive = stack.enter_context(Alive(net, *adapters.values()))
        net(x, torch.tensor([500.0]), text, y).square().mean().backward()
    room = ROOMS[again] * family.activation_bytes(config, x.shape, 4)
    assert 1.2 * alive.most < room < 5 * alive.most, room / alive.most
