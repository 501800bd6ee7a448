"""Scaled positions against the network's own table, at places where both know them."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.inference.load import load_denoiser
from engine.inference.sample import sample
from engine.inference.values import BasicGuider, RandomNoise, Sampler
from engine.nets.rope import AxisScale
from engine.nets.wan_positions import positions_scaled
from nodes.positions import scale_rope
from tests.wet.bridge_files import WIDTH, network, original

PLAIN = AxisScale()


def table(net, *sizes, scales=None):
    x = torch.zeros(1, 16, *sizes)
    if scales is None:
        return net.rope(x)
    with positions_scaled(net, *scales):
        return net.rope(x)


def test_the_table_is_the_networks_own_at_whole_places():
    net = network("wan_t2v")
    for own, found in zip(
        table(net, 3, 8, 10), table(net, 3, 8, 10, scales=(PLAIN, PLAIN, PLAIN)), strict=True
    ):
        assert torch.allclose(own, found, atol=1e-6)
    # two frames at the first and the last place of eight; columns that begin at the fourth
    long = [each.reshape(8, 4, 12, -1) for each in table(net, 8, 8, 24)]
    scales = AxisScale(7.0), PLAIN, AxisScale(1.0, 4.0)
    short = [each.reshape(2, 4, 8, -1) for each in table(net, 2, 8, 16, scales=scales)]
    for whole, part in zip(long, short, strict=True):
        assert torch.allclose(whole[[0, 7], :, 4:], part, atol=1e-6)
    # and the network is as it was
    assert torch.equal(table(net, 2, 8, 16)[0], net.rope(torch.zeros(1, 16, 2, 8, 16))[0])
    assert "forward" not in net.rope.__dict__


def test_places_between_those_of_the_table():
    net = network("wan_t2v")
    cosines, _ = table(net, 1, 6, 2, scales=(PLAIN, AxisScale(0.5, -0.25), PLAIN))
    height = net.rope.h_dim
    for row in range(3):
        angles = (row * 0.5 - 0.25) * 10_000.0 ** (-np.arange(0, height, 2) / height)
        expected = np.repeat(np.cos(angles), 2)
        part = cosines[0, row, 0, net.rope.t_dim : net.rope.t_dim + height]
        assert np.allclose(part.numpy(), expected, atol=1e-6)


@pytest.fixture
def wan(tmp_path, cpu_residency):
    save_file(original("wan_t2v", network("wan_t2v").state_dict()), tmp_path / "w.safetensors")
    return load_denoiser(tmp_path / "w.safetensors")


def run(model):
    text = torch.randn(1, 6, WIDTH, generator=torch.Generator().manual_seed(1))
    latent, sigmas = {"samples": torch.zeros(1, 16, 2, 4, 4)}, torch.tensor([1.0, 0.0])
    guider = BasicGuider(model, [[text, {}]])
    return sample(guider, RandomNoise(3), Sampler(SAMPLERS["euler"]), sigmas, latent).samples


def test_a_run_uses_them_and_another_one_does_not(wan):
    plain = run(wan)
    assert torch.allclose(run(scale_rope(wan)), plain, atol=1e-5)
    changed = scale_rope(wan, scale_t=7.0)
    assert not torch.allclose(run(changed), plain, atol=1e-4)
    assert torch.equal(run(wan), plain)
    # only differences of places matter to attention
    assert torch.allclose(run(scale_rope(changed, shift_x=5.0)), run(scale_rope(wan)), atol=1e-4)


def test_other_families_are_refused(small_model):
    with pytest.raises(NodeError, match="ScaleROPE changes the positions of Wan's models"):
        scale_rope(small_model, 2.0)


@pytest.fixture
def small_model(tmp_path, small_tensors, cpu_residency):
    save_file(small_tensors, tmp_path / "s.safetensors")
    return load_denoiser(tmp_path / "s.safetensors")
