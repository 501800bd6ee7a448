"""Packed convolutions and oneDNN's projections return what torch returns, without side effects."""

from __future__ import annotations

import pytest
import torch

from engine.nets.attention import TransformerBlock
from engine.nets.layers import Convolution, Linear
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency

CPU = torch.device("cpu")
packs = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")


@packs
@pytest.mark.parametrize("size", [(16, 16), (7, 9)])
def test_a_packed_unet_predicts_the_same(fill, size):
    net = fill(lambda: UNet(regular_unet(32, (1, 2), (1, 1), context=48, heads=8)))
    x, timesteps, context = torch.randn(2, 4, *size), torch.tensor([999, 3]), torch.randn(2, 77, 48)
    expected = net(x, timesteps, context)
    weights = LazyWeights("net", 1, lambda: net, wants=Wants(packed=True))
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    with residency.use(weights):
        convolution = net.input_blocks[1][0].in_layers[2]
        assert convolution.weight.is_mkldnn
        assert not net.input_blocks[1][1].proj_in.weight.is_mkldnn  # 1 x 1 kernels get slower
        predicted = net(x, timesteps, context)
    assert (predicted - expected).abs().max() < 1e-5
    residency.release(10**9)
    assert not convolution.weight.is_mkldnn
    assert torch.equal(net(x, timesteps, context), expected)


@packs
@pytest.mark.parametrize("stride", [1, 2])
def test_a_packed_convolution_takes_any_size_and_stride(stride):
    layer = Convolution(32, 64, 3, stride=stride, padding=1).requires_grad_(requires_grad=False)
    pictures = [torch.randn(1, 32, side, side + 3) for side in (1, 8, 33)]
    expected = [layer(each) for each in pictures]
    weights = LazyWeights("layer", 1, lambda: torch.nn.Sequential(layer), wants=Wants(packed=True))
    with DeviceResidency(CPU, torch.float32, budget=10**9).use(weights):
        assert layer.weight.is_mkldnn
        found = [layer(each) for each in pictures]
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() < 1e-5


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_projection_is_torchs(bias, dtype):
    layer = Linear(48, 64, bias=bias, dtype=dtype)
    tokens = torch.randn(2, 5, 48, dtype=dtype)
    expected = torch.nn.functional.linear(tokens, layer.weight, layer.bias)
    with torch.no_grad():
        assert (layer(tokens) - expected).abs().max() < 1e-5


def test_training_takes_the_ordinary_way():
    with torch.inference_mode(mode=False), torch.enable_grad():
        net = torch.nn.Sequential(
            Linear(4, 4), torch.nn.Unflatten(1, (1, 2, 2)), Convolution(1, 1, 1)
        )
        net(torch.ones(1, 4)).sum().backward()
        assert all(parameter.grad is not None for parameter in net.parameters())


def test_a_transformer_block_compiles_as_one_graph(fill, monkeypatch):
    # Where packs are loaded, attention asks each time whether one has replaced it.
    monkeypatch.setattr("engine.nets.attention._Instead.attend", None)
    block = fill(lambda: TransformerBlock(32, 48, 4, 128))
    tokens, context = torch.randn(1, 6, 32), torch.randn(1, 7, 48)
    expected = block(tokens, context)
    block.compile(backend="eager", fullgraph=True)
    assert (block(tokens, context) - expected).abs().max() < 1e-5
