"""Noise tables and their conversions against the incumbent's, and round trips of the maths."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.diffusion.parameterization import (
    Parameterization,
    Prediction,
    continuous,
    discrete,
    distilled,
    flow,
)

MODELS: dict[str, Callable[[], Parameterization]] = {
    "sd15": discrete,
    "sdxl": discrete,
    "sd2_v": lambda: discrete("v"),
    "sd_v_zsnr": lambda: discrete("v", zero_terminal_snr=True),
    "sd3_shift3": lambda: flow(3.0),
    "auraflow": lambda: flow(1.73, multiplier=1.0),
    "flux_dev_default": lambda: flow(math.exp(1.15), multiplier=1.0, levels=10_000),
    "flux_schnell": lambda: flow(1.0, multiplier=1.0),
    "edm_playground25": lambda: continuous("edm"),
    "flux_node_1024": lambda: flow(math.exp(1.15), multiplier=1.0, levels=10_000),
    "flux_node_512": lambda: flow(math.exp(0.63), multiplier=1.0, levels=10_000),
}


@pytest.fixture(scope="module")
def reference(shared_folder: Path) -> dict[str, Any]:
    return json.loads((shared_folder / "parity" / "sigmas.json").read_text())


@pytest.mark.parametrize("name", MODELS)
def test_facts_of_the_incumbent(name: str, reference: dict[str, Any]) -> None:
    facts, model = reference["models"][name], MODELS[name]()
    assert len(model.sigmas) == facts["n_sigmas"]
    assert model.sigma_min == pytest.approx(facts["sigma_min"], rel=1e-6)
    assert model.sigma_max == pytest.approx(facts["sigma_max"], rel=1e-5)
    for index, sigma in facts["sigmas_idx"].items():
        assert float(model.sigmas[int(index)]) == pytest.approx(sigma, rel=2e-5)
    for sigma, timestep in facts["timestep_of_sigma"].items():
        found = float(model.timestep(torch.tensor([float(sigma)])))
        assert found == pytest.approx(timestep, rel=1e-6)
    for percent, sigma in facts["percent_to_sigma"].items():
        assert model.percent_to_sigma(float(percent)) == pytest.approx(sigma, rel=1e-5)


def test_every_base_sigma(reference: dict[str, Any]) -> None:
    assert torch.equal(discrete().sigmas, torch.tensor(reference["all_sigmas_sd15"]))


def raw_output(
    model: Parameterization, clean: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor
) -> torch.Tensor:
    """What a perfect network would say, from the definitions of eps, v, x0 and velocity."""
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
    """With sigma_data 1, EDM-v is v; EDM is the same with the output's sign turned."""
    x, output, sigma = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.tensor([0.3, 5.0])
    plain = discrete("v").denoised(output, x, sigma)
    assert torch.allclose(continuous("v", sigma_data=1.0).denoised(output, x, sigma), plain)
    assert torch.allclose(continuous("edm", sigma_data=1.0).denoised(-output, x, sigma), plain)


@pytest.mark.parametrize("model", [discrete(), flow(3.0), continuous()])
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
