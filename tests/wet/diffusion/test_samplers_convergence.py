"""Deterministic samplers approach the exact solution at the rate of their order.

The data is a mixture of two normal distributions in one dimension, double precision. Doubling the
steps divides the error by about 2^order; multistep methods are limited by their first step.
"""

import math

import pytest
import torch

from engine.diffusion.samplers.table import SAMPLERS

# name, knobs, order, and whether the order holds for flows too
CASES = [
    ("euler", {}, 1),
    ("heun", {}, 2),
    ("heunpp2", {}, 1),
    ("exp_heun_2_x0", {}, 2),
    ("dpm_2", {}, 2),
    ("dpm_2_ancestral", {"eta": 0.0}, 2),
    ("lms", {}, 2),
    ("ipndm_v", {}, 1),
    ("ipndm", {}, 1),
    ("deis", {}, 2),
    ("dpmpp_2s_ancestral", {"eta": 0.0}, 2),
    ("dpmpp_sde", {"eta": 0.0}, 2),
    ("dpmpp_2m", {}, 2),
    ("dpmpp_2m_sde", {"eta": 0.0}, 2),
    ("dpmpp_2m_sde_heun", {"eta": 0.0}, 2),
    ("dpmpp_3m_sde", {"eta": 0.0}, 2),
    ("res_multistep", {}, 2),
    ("gradient_estimation", {}, 1),
    ("er_sde", {"solver_type": "ODE"}, 2),
    ("seeds_2", {"eta": 0.0}, 2),
    ("seeds_2", {"eta": 0.0, "solver_type": "phi_2", "r": 0.7}, 2),
    ("seeds_3", {"eta": 0.0}, 3),
    ("sa_solver", {"eta": 0.0}, 3),
    ("sa_solver_pece", {"eta": 0.0}, 3),
    ("uni_pc", {}, 2),
    ("uni_pc_bh2", {}, 2),
]


def error(name, knobs, denoise, sigmas, starts):
    x = starts * sigmas[0]
    reached = SAMPLERS[name].run(denoise, x, sigmas, seed=0, **knobs)
    return (reached - denoise.moved(x, sigmas[0], sigmas[-1])).abs().mean().item()


@pytest.mark.parametrize(("name", "knobs", "order"), CASES)
def test_halving_the_steps_divides_the_error(name, knobs, order, mixture, path, starts):
    coarse, fine = (error(name, knobs, mixture, path(mixture, n), starts) for n in (40, 80))
    assert math.log2(coarse / fine) > order - 0.35
    assert fine < {1: 0.05, 2: 4e-3, 3: 1e-4}[order]


def test_dpm_fast_is_far_better_than_euler_for_the_same_evaluations(mixture, path, starts):
    sigmas = path(mixture, 24)
    assert error("dpm_fast", {}, mixture, sigmas, starts) < 0.1 * error(
        "euler", {}, mixture, sigmas, starts
    )


@pytest.mark.parametrize("order", [2, 3])
def test_dpm_adaptive_keeps_to_its_tolerance(order, mixture, path, starts):
    sigmas = path(mixture, 10)
    loose, tight = (
        error("dpm_adaptive", {"order": order, "rtol": r, "atol": r}, mixture, sigmas, starts)
        for r in (0.05, 0.0005)
    )
    assert loose < 0.05
    assert tight < 0.001


@pytest.mark.parametrize("name", [name for name in SAMPLERS if "fast" not in name])
def test_a_schedule_that_ends_in_zero_ends_in_a_clean_image(name, mixture, path, starts):
    sigmas = path(mixture, 25, ends_clean=True)
    reached = SAMPLERS[name].run(mixture, starts * sigmas[0], sigmas, seed=0)
    assert reached.isfinite().all()
    assert reached.abs().max() < 4.5  # the data lies within -1 - 3 * 0.5 and 1.5 + 3 * 0.5


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_step_to_zero_is_the_clean_image(name, eps_mixture, starts):
    sigmas = torch.tensor([3.0, 0.0], dtype=torch.float64)
    x = starts * 3
    reached = SAMPLERS[name].run(eps_mixture, x, sigmas, seed=0)
    if name in ("dpm_fast", "dpm_adaptive"):  # they end at the last positive sigma: here at once
        assert torch.equal(reached, x)
    else:
        close = 0.01 if name.startswith("uni_pc") else 1e-9  # it ends at sigma 0.001
        torch.testing.assert_close(reached, eps_mixture(x, sigmas[:1]), atol=close, rtol=0)
