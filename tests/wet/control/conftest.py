"""Small control networks of random weights, a small model, and runs with them."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.diffusion.samplers.table import SAMPLERS
from engine.inference.control import load_control
from engine.inference.load import load_checkpoint
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, RandomNoise, Sampler
from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.residency.manager import DeviceResidency, installed

HINTS = (3, 8, 8, 8, 8, 8, 8, 8)
SIGMAS = torch.tensor([14.6, 5.0, 1.0, 0.0])


def config(width: int = 32, *, linear: bool = False, vector: int | None = None) -> ControlNetConfig:
    unet = regular_unet(width, (1, 2), (1, 1), context=64, heads=8, blocks=1, linear=linear)
    return ControlNetConfig(
        4, width, 4 * width, vector, unet.input_blocks, unet.middle_block, (*HINTS, width)
    )


def filled(module: nn.Module) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(tensor.shape, generator=generator) * max(tensor[0].numel(), 1) ** -0.5
        for name, tensor in module.state_dict().items()
    }


def small_unet() -> UNet:
    return UNet(regular_unet(32, (1, 2), (1, 1), context=64, heads=8, blocks=1))


@pytest.fixture(scope="module")
def tensors():
    return filled(ControlNet(config()))


@pytest.fixture(scope="module")
def folder(tensors, small_tensors, tmp_path_factory):
    """A ControlNet and a small SD1 checkpoint whose UNet it fits."""
    found = tmp_path_factory.mktemp("control")
    save_file(tensors, found / "cn.safetensors")
    prefix = "model.diffusion_model."
    kept = {n: t for n, t in small_tensors.items() if not n.startswith(prefix)}
    own = {prefix + name: tensor for name, tensor in filled(small_unet()).items()}
    save_file({**kept, **own}, found / "model.safetensors")
    return found


@pytest.fixture
def model(folder):
    return load_checkpoint(folder / "model.safetensors")[0]


@pytest.fixture
def net(folder):
    return load_control(folder / "cn.safetensors")


def text(value: float = 1.0, **extras):
    return [[torch.linspace(-1, value, 4 * 64).reshape(1, 4, 64), extras]]


def picture(rows: int = 1, side: int = 64) -> torch.Tensor:
    return torch.rand(rows, side, side, 3, generator=torch.Generator().manual_seed(3))


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool((found - expected).norm() < 1e-4 * expected.norm())


def run(model, positive, negative, rows: int = 1, budget: int = 10**9, cells=(8, 8), **more):
    guider = CfgGuider(model, positive, negative, 4.0)
    latent = {"samples": torch.zeros(rows, 4, *cells)}
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=budget, **more)
    with installed(residency):
        return sample(
            guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, latent
        ).samples, residency
