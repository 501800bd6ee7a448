"""Wan 2.2 5B: its autoencoder, and frames that are given without noise."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.samplers.table import SAMPLERS
from engine.inference.load import load_denoiser, load_vae
from engine.inference.sample import sample
from engine.inference.vae import decode, encode
from engine.inference.values import BasicGuider, RandomNoise, Sampler
from engine.residency.manager import DeviceResidency, installed
from tests.wet import bridge_files

CPU = torch.device("cpu")
FIRST_IS_GIVEN = torch.ones(1, 1, 3, 6, 5)
FIRST_IS_GIVEN[:, :, 0] = 0
"""A noise mask that keeps the first frame."""


@pytest.fixture
def model(tmp_path):
    values = dict(bridge_files.network("wan22_5b").state_dict())
    save_file(bridge_files.original("wan22_5b", values), tmp_path / "wan.safetensors")
    return load_denoiser(tmp_path / "wan.safetensors")


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def distance(found, wanted):
    return ((found - wanted).norm() / wanted.norm()).item()


def test_the_autoencoder_of_wan_22_is_that_of_the_class(tmp_path):
    net = bridge_files.network("wan22_autoencoder")
    values = {key: value.contiguous() for key, value in net.state_dict().items()}
    save_file(values, tmp_path / "diffusers.safetensors")
    save_file(bridge_files.original("wan22_autoencoder", values), tmp_path / "original.safetensors")
    pictures = torch.rand(6, 34, 48, 3, generator=torch.Generator().manual_seed(1))
    kept = pictures[:5, 1:33] * 2 - 1  # whole cells of 16 pixels, and of 1 + 4 frames
    with torch.no_grad():
        wanted = net.encode(kept.permute(3, 0, 1, 2)[None]).latent_dist.mode()
        frames = net.decode(wanted).sample[0].permute(1, 2, 3, 0)
    for layout in ("diffusers", "original"):
        vae = load_vae(tmp_path / f"{layout}.safetensors")
        with installed(DeviceResidency(CPU, torch.float32, budget=10**9)):
            latent = encode(vae, pictures)
            decoded = decode(vae, latent)
        assert latent.shape == (1, 48, 2, 2, 3)
        assert distance(latent, wanted) < 1e-6
        assert distance(decoded, (frames / 2 + 0.5).clamp(0, 1)) < 1e-6


def test_a_given_frame_is_without_noise_at_every_step(model):
    """Wan 2.2 5B is told which frames are given, and sees them as they are."""
    seen = []
    family = model.family

    class Watching(type(family)):
        def call(self, net, x, timestep, inputs):
            seen.append((x.clone(), inputs["painted"].clone()))
            return super().call(net, x, timestep, inputs)

    watched = replace(model, family=Watching())
    given = drawn(1, 48, 3, 6, 5, seed=9)
    latent = {"samples": given, "noise_mask": FIRST_IS_GIVEN}
    text = [[drawn(1, 512, bridge_files.WIDTH, seed=2), {}]]
    sigmas = torch.tensor([1.0, 0.6, 0.0])
    with installed(DeviceResidency(CPU, torch.float32, budget=10**9)):
        result = sample(
            BasicGuider(watched, text), RandomNoise(1), Sampler(SAMPLERS["euler"]), sigmas, latent
        )
    clean = model.latent.into(given)
    assert len(seen) == 2
    for x, painted in seen:
        assert torch.equal(x[:, :, 0], clean[:, :, 0])
        assert painted.tolist() == [[0.0, 1.0, 1.0]]
        assert (x[:, :, 1:] - clean[:, :, 1:]).abs().max() > 0.5
    assert torch.allclose(result.samples[:, :, 0], given[:, :, 0], atol=1e-5)
