"""What a family expects a call to take holds all tensors that are alive at once, and not much more.

Kernels need room of their own, for convolutions as much again.
"""

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from engine.diffusion.parameterization import discrete
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.families.sdxl.family import (
    StableDiffusionXL,
    StableDiffusionXLConfig,
    StableDiffusionXLRefiner,
)
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet

WIDTH, CONTEXT, VECTOR = 64, 96, 128


class Alive(TorchDispatchMode):
    """Counts the bytes of the tensors that operations make, as long as they live."""

    def __init__(self):
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_flatten(result)[0]:
            if isinstance(each, torch.Tensor):
                storage = each.untyped_storage()
                key = storage._cdata
                if key not in self.sizes:
                    self.sizes[key] = storage.nbytes()
                    weakref.finalize(storage, self.sizes.pop, key, None)
        self.most = max(self.most, sum(self.sizes.values()))
        return result


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


@pytest.mark.parametrize("side", [16, 32])
@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_is_two_to_four_times_what_is_alive(kind, side):
    family, config = KINDS[kind]()
    net = UNet(config.unet).eval()
    x, text = torch.randn(2, 4, side, side), torch.randn(2, 77, CONTEXT)
    y = None if config.unet.vector_channels is None else torch.randn(2, VECTOR)
    with torch.inference_mode(), Alive() as alive:
        net(x, torch.tensor([500.0, 5.0]), text, y)
    expected = family.activation_bytes(config, x.shape, 4)
    assert 2 * alive.most < expected < 4 * alive.most, expected / alive.most
