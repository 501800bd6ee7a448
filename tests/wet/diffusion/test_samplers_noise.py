"""Samplers that add noise produce the distribution of the data.

Eight thousand samples of a mixture of two normal distributions, for an eps-like model and a flow:
mean and standard deviation within 5 % of the data's standard deviation. Also: the result depends on
the seed.
"""

import pytest
import torch

from engine.diffusion.noise import initial_noise
from engine.diffusion.samplers.table import LCM_UPSCALE, SAMPLERS

NOISY = [
    ("euler_ancestral", {}),
    ("euler_ancestral", {"eta": 0.5}),
    ("euler_ancestral_cfg_pp", {}),
    ("exp_heun_2_x0_sde", {}),
    ("dpm_2_ancestral", {}),
    ("dpmpp_2s_ancestral", {}),
    ("dpmpp_sde", {}),
    ("dpmpp_sde", {"eta": 0.5, "r": 0.7}),
    ("dpmpp_2m_sde", {}),
    ("dpmpp_2m_sde", {"eta": 0.4}),
    ("dpmpp_2m_sde_heun", {}),
    ("dpmpp_3m_sde", {}),
    ("er_sde", {}),
    ("er_sde", {"solver_type": "Reverse-time SDE"}),
    ("seeds_2", {}),
    ("seeds_2", {"solver_type": "phi_2", "r": 0.8, "eta": 0.5}),
    ("seeds_3", {}),
    ("sa_solver", {}),
    ("sa_solver", {"eta": 0.6, "sde_start_percent": 0.0, "sde_end_percent": 1.0}),
    ("sa_solver_pece", {}),
]
EPS_ONLY = [
    ("ddpm", {}),
    ("res_multistep_ancestral", {}),
    ("dpm_fast", {"eta": 0.7}),
    ("dpm_adaptive", {"eta": 0.5}),
]


def spread(name, knobs, denoise, sigmas):
    """(mean, standard deviation) of 8,000 samples."""
    flow = denoise.parameterization.is_flow
    mean, std = denoise.moments
    noise = initial_noise((8_000, 1), 11).double()
    # Begin with the moments that the data has at the first sigma.
    alpha = 1 - sigmas[0] if flow else 1.0
    x = alpha * mean + ((alpha * std) ** 2 + sigmas[0] ** 2) ** 0.5 * noise
    reached = SAMPLERS[name].run(denoise, x, sigmas, seed=12, **knobs)
    return reached.mean().item(), reached.std().item()


def check(name, knobs, denoise, path):
    mean, std = denoise.moments
    solves_by_itself = name in ("dpm_fast", "dpm_adaptive")
    sigmas = path(denoise, 150) if solves_by_itself else path(denoise, 60, ends_clean=True)
    got_mean, got_std = spread(name, knobs, denoise, sigmas)
    assert got_mean == pytest.approx(mean, abs=0.05 * std)
    assert got_std == pytest.approx(std, rel=0.05)


@pytest.mark.parametrize(("name", "knobs"), NOISY)
def test_walks_end_as_the_data_is_spread(name, knobs, mixture, path):
    check(name, knobs, mixture, path)


@pytest.mark.parametrize(("name", "knobs"), EPS_ONLY)
def test_walks_of_eps_models_end_as_the_data_is_spread(name, knobs, eps_mixture, path):
    check(name, knobs, eps_mixture, path)


@pytest.mark.parametrize("name", [name for name, spec in SAMPLERS.items() if spec.noise != "none"])
def test_a_seed_decides(name, eps_mixture, path, starts):
    knobs = {"eta": 0.5} if name in ("dpm_fast", "dpm_adaptive") else {}
    sigmas = path(eps_mixture, 6, ends_clean=True)
    x = starts.expand(7, 16) * sigmas[0]
    one, same, other = (
        SAMPLERS[name].run(eps_mixture, x, sigmas, seed=seed, **knobs) for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", [name for name, spec in SAMPLERS.items() if spec.noise == "none"])
def test_without_noise_the_seed_does_not_matter(name, eps_mixture, path, starts):
    sigmas = path(eps_mixture, 6, ends_clean=True)
    one, other = (
        SAMPLERS[name].run(eps_mixture, starts * sigmas[0], sigmas, seed=seed) for seed in (1, 2)
    )
    assert torch.equal(one, other)


def test_lcm_believes_and_noises_again(mixture, starts):
    sigmas = torch.tensor([0.9, 0.4, 0.0], dtype=torch.float64)
    reached = SAMPLERS["lcm"].run(mixture, starts, sigmas, seed=6)
    clean = mixture(starts, sigmas[:1])
    fresh = torch.randn(
        starts.shape, generator=torch.Generator().manual_seed(7), dtype=starts.dtype
    )
    kept = 0.6 if mixture.parameterization.is_flow else 1.0
    expected = mixture(kept * clean + 0.4 * fresh, sigmas[1:2])
    torch.testing.assert_close(reached, expected)


def test_lcm_s_noise_is_weighed_by_the_step_and_cut(mixture, starts):
    sigmas = torch.tensor([0.9, 0.6, 0.4, 0.0], dtype=torch.float64)

    def run(**knobs):
        return SAMPLERS["lcm"].run(mixture, starts, sigmas, seed=6, **knobs)

    random = torch.Generator().manual_seed(7)
    is_flow = mixture.parameterization.is_flow
    x = starts
    # of three steps the factor goes from 2 to 1, at the second it is 1.5
    for sigma, after, factor in ((0.9, 0.6, 2.0), (0.6, 0.4, 1.5)):
        clean = mixture(x, torch.tensor([sigma], dtype=torch.float64))
        fresh = torch.randn(starts.shape, generator=random, dtype=starts.dtype)
        most = float(fresh.std())
        fresh = fresh.clamp(-most, most)
        x = (1 - after if is_flow else 1.0) * clean + after * fresh * factor
    expected = mixture(x, sigmas[2:3])
    found = run(s_noise=2.0, s_noise_end=1.0, noise_clip_std=1.0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(run(s_noise=1.0, s_noise_end=1.0), run())


def test_lcm_upscale_grows_in_even_parts(scripted):
    sizes = []

    def resize(x, height, width):
        sizes.append((height, width))
        return torch.nn.functional.interpolate(x, (height, width))

    denoise = scripted(lambda x, sigma: x * 0)
    sigmas = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0])
    x = torch.zeros(1, 4, 8, 16)
    reached = LCM_UPSCALE.run(denoise, x, sigmas, seed=0, resize=resize, scale_ratio=2.0)
    assert sizes == [(12, 24), (16, 32)]
    assert reached.shape == (1, 4, 16, 32)
    sizes.clear()
    LCM_UPSCALE.run(denoise, x, sigmas, seed=0, resize=resize, scale_ratio=1.5, scale_steps=1)
    assert sizes == [(12, 24)]
    sizes.clear()
    small = torch.zeros(1, 4, 2, 16)
    LCM_UPSCALE.run(denoise, small, sigmas, seed=0, resize=resize, scale_ratio=0.1, scale_steps=1)
    assert sizes == [(1, 2)]  # at least one row stays


def test_pure_noise_of_a_flow_is_no_infinity(make_mixture, starts):
    """At sigma 1 a flow holds no signal, and its half log SNR is minus infinity."""
    from engine.diffusion.parameterization import flow

    sigmas = torch.linspace(1.0, 0.0, 9, dtype=torch.float64)
    for name, spec in SAMPLERS.items():
        reached = spec.run(make_mixture(flow(3.0)), starts, sigmas, seed=0)
        assert reached.isfinite().all(), name
