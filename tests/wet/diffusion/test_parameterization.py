"""Round trips of the maths of parameterizations; `test_levels.py` has the incumbent's numbers."""

from __future__ import annotations

import math

import pytest
import torch

from engine.diffusion.continuous import Clock, Continuous, continuous
from engine.diffusion.parameterization import (
    Parameterization,
    Prediction,
    discrete,
    distilled,
    flow,
)


def raw_output(
    model: Parameterization, clean: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor
) -> torch.Tensor:
    """The output of a perfect network, from the definitions of eps, v, x0 and velocity."""
    if model.is_flow:
        return noise - clean
    wide = sigma[:, None]
    kind = model.prediction  # type: ignore[attr-defined]
    if kind == Prediction.EPS:
        return noise
    if kind == Prediction.X0:
        return clean
    alpha, deviation = 1 / (1 + wide**2) ** 0.5, wide / (1 + wide**2) ** 0.5
    return alpha * noise - deviation * clean


@pytest.mark.parametrize(
    "model",
    [discrete("eps"), discrete("v"), discrete("x0"), flow(3.0)],
    ids=["eps", "v", "x0", "flow"],
)
def test_a_perfect_network_gives_the_clean_image(model: Parameterization) -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 3, 8, generator=generator).unbind(1)[:2]
    sigma = torch.tensor([0.2, 0.9])
    noisy = model.add_noise(sigma, noise, clean)
    found = model.denoised(raw_output(model, clean, noise, sigma), noisy, sigma)
    assert torch.allclose(found, clean, atol=1e-5)


def test_edm_and_v_agree_where_they_must() -> None:
    """With sigma_data 1, EDM-v is v; EDM is the same with the output's sign changed."""
    x, output, sigma = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.tensor([0.3, 5.0])
    plain = discrete("v").denoised(output, x, sigma)
    assert torch.allclose(continuous("v", sigma_data=1.0).denoised(output, x, sigma), plain)
    assert torch.allclose(continuous("edm", sigma_data=1.0).denoised(-output, x, sigma), plain)


ANGLE = continuous("v", sigma_min=0.03, sigma_max=500.0, sigma_data=1.0, clock=Clock.ANGLE)
AS_FLOW = continuous("v", sigma_data=1.0, clock=Clock.FLOW)


@pytest.mark.parametrize("model", [continuous(), ANGLE, AS_FLOW], ids=["log", "angle", "flow"])
def test_every_clock_goes_back(model: Continuous) -> None:
    sigma = torch.tensor([0.03, 0.3, 3.0, 79.0])
    assert torch.allclose(model.sigma(model.timestep(sigma)), sigma, rtol=1e-3)


def test_the_clock_of_a_flow_ends_with_the_table() -> None:
    assert AS_FLOW.sigma(torch.tensor([0.999999, 1.0])).tolist() == [80.0, 80.0]


def test_a_flow_seen_as_edm_is_that_flow() -> None:
    clean, noise = torch.randn(2, 4), torch.randn(2, 4)
    sigma = torch.tensor([0.2, 7.0])
    time = sigma / (1 + sigma)
    noisy = AS_FLOW.add_noise(sigma, noise, clean)
    shown = AS_FLOW.scale_input(noisy, sigma)
    assert torch.allclose(shown, flow().add_noise(time, noise, clean), atol=1e-6)
    assert torch.allclose(AS_FLOW.denoised(noise - clean, noisy, sigma), clean, atol=1e-5)


@pytest.mark.parametrize("model", [discrete(), flow(3.0), continuous(), ANGLE])
def test_half_log_snr_goes_back(model: Parameterization) -> None:
    sigma = torch.tensor([0.01, 0.3, 0.97])
    found = model.sigma_from_half_log_snr(model.half_log_snr(sigma))
    assert torch.allclose(found, sigma, rtol=1e-5)


def test_sigma_is_the_inverse_of_timestep_on_the_table() -> None:
    for model in (discrete(), distilled(discrete())):
        assert torch.allclose(model.sigma(model.timestep(model.sigmas)), model.sigmas, rtol=1e-5)


def test_distilled_keeps_fifty_levels_of_the_table() -> None:
    base, fifty = discrete(), distilled(discrete())
    assert len(fifty.sigmas) == 50
    assert fifty.timestep(fifty.sigmas).tolist() == list(range(19, 1000, 20))
    assert torch.equal(fifty.sigmas, base.sigmas[19::20])


def test_noise_scale_of_a_full_start() -> None:
    sigma = torch.tensor([14.6])
    noise, clean = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    full = discrete().add_noise(sigma, noise, clean, full=True)
    assert torch.allclose(full, torch.full_like(full, math.sqrt(1 + 14.6**2)))


def test_a_flow_latent_is_handed_on_without_its_scale() -> None:
    model, sigma = flow(3.0), torch.tensor([0.25])
    clean, noise = torch.randn(1, 2, 2), torch.zeros(1, 2, 2)
    x = model.add_noise(sigma, noise, clean)
    assert torch.allclose(model.remove_noise_scale(sigma, x), clean)


def test_a_flow_seen_as_edm_starts_with_noise_of_its_own_scale() -> None:
    sigma, noise, clean = torch.tensor([80.0]), torch.ones(1, 2), torch.zeros(1, 2)
    assert AS_FLOW.add_noise(sigma, noise, clean, full=True).tolist() == [[80.0, 80.0]]
    assert ANGLE.add_noise(sigma, noise, clean, full=True)[0, 0] > 80.0
