"""Where two samplers are the same in theory, they give the same numbers.

Double precision, exact to 1e-9: two routes to one formula.
"""

import itertools

import pytest
import torch

from engine.diffusion.samplers.table import EULER_CFG_PP_ALTERNATIVE, SAMPLERS

CLOSE = {"atol": 1e-9, "rtol": 1e-9}
EVEN = torch.linspace(8.0, 0.5, 16, dtype=torch.float64)


def run(name, denoise, sigmas, starts, **knobs):
    return SAMPLERS[name].run(denoise, starts * sigmas[0], sigmas, seed=3, **knobs)


@pytest.mark.parametrize(
    ("one", "knobs", "other", "other_knobs"),
    [
        ("euler_ancestral", {"eta": 0.0}, "euler", {}),
        ("euler_cfg_pp", {}, "euler", {}),
        ("euler_ancestral_cfg_pp", {"eta": 0.0}, "euler", {}),
        ("ddim", {}, "euler", {}),
        ("dpm_2_ancestral", {"eta": 0.0}, "dpm_2", {}),
        ("dpmpp_2s_ancestral", {"eta": 0.0}, "dpmpp_sde", {"eta": 0.0}),
        ("dpmpp_sde", {"eta": 0.0, "r": 0.3}, "seeds_2", {"eta": 0.0, "r": 0.3}),
        ("exp_heun_2_x0", {}, "exp_heun_2_x0_sde", {"eta": 0.0}),
        ("res_multistep_ancestral", {"eta": 0.0}, "res_multistep", {}),
        ("er_sde", {"solver_type": "ODE", "max_stage": 1}, "euler", {}),
        (
            "er_sde",
            {"solver_type": "Reverse-time SDE", "eta": 0.0},
            "er_sde",
            {"solver_type": "ODE"},
        ),
        ("gradient_estimation", {"gamma": 1.0}, "euler", {}),
        ("sa_solver", {"eta": 0.0, "predictor_order": 1, "corrector_order": 0}, "euler", {}),
        (
            "sa_solver",
            {"eta": 0.0, "predictor_order": 2, "corrector_order": 0},
            "dpmpp_2m_sde_heun",
            {"eta": 0.0},
        ),
        ("lms", {"order": 1}, "euler", {}),
        ("ipndm", {"max_order": 1}, "euler", {}),
        ("deis", {"max_order": 1}, "euler", {}),
        ("dpmpp_sde_gpu", {}, "dpmpp_sde", {}),
        ("dpmpp_2m_sde_gpu", {}, "dpmpp_2m_sde", {}),
        ("dpmpp_2m_sde_heun_gpu", {}, "dpmpp_2m_sde_heun", {}),
        ("dpmpp_3m_sde_gpu", {}, "dpmpp_3m_sde", {}),
    ],
)
def test_of_eps_models_and_flows(one, knobs, other, other_knobs, mixture, path, starts):
    sigmas = path(mixture, 9)
    ours = run(one, mixture, sigmas, starts, **knobs)
    torch.testing.assert_close(ours, run(other, mixture, sigmas, starts, **other_knobs), **CLOSE)


@pytest.mark.parametrize(
    ("one", "knobs", "other"),
    [
        ("dpmpp_2m_sde", {"eta": 0.0}, "dpmpp_2m"),
        ("dpmpp_2m_sde_heun", {"eta": 0.0}, "res_multistep"),
        ("ddpm", {}, "euler_ancestral"),
        ("dpmpp_2m_cfg_pp", {}, "dpmpp_2m"),
        ("res_multistep_cfg_pp", {}, "res_multistep"),
        ("res_multistep_ancestral_cfg_pp", {}, "res_multistep_ancestral"),
        ("gradient_estimation_cfg_pp", {}, "gradient_estimation"),
        ("euler_ancestral_cfg_pp", {}, "euler_ancestral"),
    ],
)
def test_of_eps_models(one, knobs, other, eps_mixture, path, starts):
    """CFG++ forms equal the plain ones where guided and unguided images agree."""
    for ends_clean in (False, True):
        sigmas = path(eps_mixture, 9, ends_clean=ends_clean)
        ours = run(one, eps_mixture, sigmas, starts, **knobs)
        torch.testing.assert_close(ours, run(other, eps_mixture, sigmas, starts), **CLOSE)


@pytest.mark.parametrize(
    ("name", "order"), [("ipndm", 1), ("ipndm", 2), ("ipndm", 3), ("ipndm", 4), ("ipndm_v", 3)]
)
def test_adams_methods_agree_on_even_steps(name, order, eps_mixture, starts):
    exact = run("lms", eps_mixture, EVEN, starts, order=order)
    ours = run(name, eps_mixture, EVEN, starts, max_order=order)
    torch.testing.assert_close(ours, exact, **CLOSE)


def test_ipndm_v_is_exact_up_to_two_slopes(eps_mixture, path, starts):
    sigmas = path(eps_mixture, 9)
    exact = run("lms", eps_mixture, sigmas, starts, order=2)
    ours = run("ipndm_v", eps_mixture, sigmas, starts, max_order=2)
    torch.testing.assert_close(ours, exact, **CLOSE)


def test_simple_sa_coefficients_are_those_of_dpmpp_2m(eps_mixture, path, starts):
    """Not to more than their order: half of h^2 stands for phi_2."""
    knobs = {"eta": 0.0, "predictor_order": 2, "corrector_order": 0, "simple_order_2": True}
    sigmas = path(eps_mixture, 200)
    ours = run("sa_solver", eps_mixture, sigmas, starts, **knobs)
    torch.testing.assert_close(
        ours, run("dpmpp_2m", eps_mixture, sigmas, starts), atol=1e-4, rtol=0
    )


def test_a_sampler_without_guidance_takes_cfg_pp_as_plain(scripted, starts):
    plain = scripted(lambda x, sigma: x / (1 + sigma**2))
    sigmas = EVEN
    ours = SAMPLERS["euler_cfg_pp"].run(plain, starts * 8, sigmas, seed=0)
    torch.testing.assert_close(ours, SAMPLERS["euler"].run(plain, starts * 8, sigmas, seed=0))


def test_cfg_pp_keeps_the_unguided_noise(make_mixture, eps_mixture, starts):
    """One step to sigma: guided + (x - unguided) sigma / sigma before."""
    denoise = make_mixture(eps_mixture.parameterization, unguided_shift=0.25)
    sigmas = torch.tensor([4.0, 3.0], dtype=torch.float64)
    x = starts * 4
    guided, unguided = denoise.with_unguided(x, sigmas[:1])
    expected = guided + (x - unguided) * 3 / 4
    for name in ("euler_cfg_pp", "dpmpp_2m_cfg_pp", "gradient_estimation_cfg_pp"):
        torch.testing.assert_close(SAMPLERS[name].run(denoise, x, sigmas, seed=0), expected)
    reached = EULER_CFG_PP_ALTERNATIVE.run(denoise, x, sigmas, seed=0)
    torch.testing.assert_close(reached, x * 3 / 4 + (2 * guided - unguided) / 4)


def test_ddim_is_variance_preserving_ddim(eps_mixture, path, starts):
    """Song et al. 2021, equation 12 at sigma = 0, in its own coordinates."""
    sigmas = path(eps_mixture, 9)
    x = starts * sigmas[0]
    for sigma, target in itertools.pairwise(sigmas):
        total, total_next = 1 / (1 + sigma**2), 1 / (1 + target**2)
        vp = x * total.sqrt()
        eps = (x - eps_mixture(x, sigma[None])) / sigma
        clean = (vp - (1 - total).sqrt() * eps) / total.sqrt()
        vp = total_next.sqrt() * clean + (1 - total_next).sqrt() * eps
        x = vp / total_next.sqrt()
    torch.testing.assert_close(run("ddim", eps_mixture, sigmas, starts), x, **CLOSE)
