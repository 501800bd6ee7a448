"""A checkpoint in 8 bits takes 8 bits on the device, and computes with its exact values."""

import pytest
import torch
from safetensors.torch import save_file

from engine.inference.load import load_checkpoint
from engine.residency.manager import DeviceResidency

from .simulated import DEVICE, Meter, simulated

FP8 = torch.float8_e4m3fn
UNET = "model.diffusion_model."


def quantised(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scale = weight.float().abs().max() / torch.finfo(FP8).max
    return (weight.float() / scale).to(FP8), scale


@pytest.fixture(scope="module")
def in_8_bits(small_tensors, tmp_path_factory):
    """Two files: matrices of the UNet as scaled 8-bit floats, and the same values in fp32."""
    packed, plain = dict(small_tensors), dict(small_tensors)
    for name, tensor in small_tensors.items():
        if name.startswith(UNET) and tensor.ndim > 1:
            base = name.removesuffix(".weight")
            values, scale = quantised(tensor)
            packed |= {name: values, f"{base}.scale_weight": scale}
            plain[name] = values.float() * scale
    packed[f"{UNET}scaled_fp8"] = torch.empty(2, dtype=FP8)
    folder = tmp_path_factory.mktemp("packed")
    for name, tensors in (("packed", packed), ("plain", plain)):
        save_file(tensors, folder / f"{name}.safetensors")
    return folder / "packed.safetensors", folder / "plain.safetensors"


def test_it_computes_what_its_values_say(in_8_bits):
    x, context = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8), torch.ones(1, 77, 64)
    found = []
    for path in in_8_bits:
        net = load_checkpoint(path)[0].net
        residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)
        with torch.inference_mode(), residency.use(net):
            found.append(net.module(x, torch.tensor([500.0]), context))
    assert torch.allclose(found[0], found[1], rtol=1e-5, atol=1e-5)


def test_it_takes_8_bits_on_the_device(in_8_bits):
    net = load_checkpoint(in_8_bits[0])[0].net
    values = sum(torch.Size(each.shape).numel() for each in net.sources.values())
    largest = max(torch.Size(each.shape).numel() for each in net.sources.values())
    budget = 10**9
    with torch.no_grad(), Meter(budget) as meter:
        residency = simulated(budget, block_limit=largest)
        with residency.use(net):
            held, used = residency.held, meter.used
            x = torch.empty(1, 4, 8, 8, dtype=torch.half, device=DEVICE)
            context = torch.empty(1, 77, 64, dtype=torch.half, device=DEVICE)
            net.module(x, torch.tensor([500.0], device=DEVICE), context)
    # One byte each, half precision for the vectors, alignment; plus the largest one unpacked.
    assert used <= held <= values * 1.25 + 8 * largest
    assert used < values * 1.25
