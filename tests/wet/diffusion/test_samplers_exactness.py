"""Multistep weights: a polynomial of their degree is integrated exactly after enough steps.

The denoiser depends on sigma alone, so that the exact solution is an integral of a polynomial.
"""

import math

import numpy as np
import pytest
import torch

from engine.diffusion.parameterization import discrete, flow
from engine.diffusion.samplers.adams import _vp_speed, _vp_time
from engine.diffusion.samplers.quadrature import lagrange_integrals
from engine.diffusion.samplers.sa_solver import _Move
from engine.diffusion.samplers.table import SAMPLERS
from engine.diffusion.samplers.uni_pc import _move

SIGMAS = torch.tensor([8.0, 6.5, 4.6, 3.1, 1.9, 1.2, 0.8, 0.5], dtype=torch.float64)
CUBIC = (0.3, -1.1, 0.7, 0.4)
SQUARE = CUBIC[:3]
LINE = CUBIC[:2]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def polynomial(rule, at):
    """Of a tensor, an array or a number."""
    return sum(factor * at**power for power, factor in enumerate(rule))


def integral(function, start, end):
    half = (end - start) / 2
    return (WEIGHTS * function(start + half * (NODES + 1))).sum() * half


def visited(name, denoise, sigmas, **knobs):
    """The x before each step and at the end."""
    seen = []
    end = SAMPLERS[name].run(
        denoise,
        torch.ones(1, 1, dtype=torch.float64),
        sigmas,
        seed=0,
        on_step=lambda step, steps, x, denoised, sigma: seen.append(x.item()),
        **knobs,
    )
    return [*seen, end.item()]


def test_lms_integrates_a_cubic_slope(scripted):
    denoise = scripted(lambda x, sigma: x - sigma * polynomial(CUBIC, sigma))
    seen = visited("lms", denoise, SIGMAS, order=4)
    for step in range(3, len(SIGMAS) - 1):
        start, end = SIGMAS[step : step + 2].tolist()
        exact = integral(lambda sigma: polynomial(CUBIC, sigma), start, end)
        assert seen[step + 1] - seen[step] == pytest.approx(exact, abs=1e-10)


def test_deis_integrates_a_square_in_the_time_of_its_sde(scripted):
    denoise = scripted(
        lambda x, sigma: x - sigma * polynomial(SQUARE, _vp_time(sigma.flatten()[0].item()))
    )
    seen = visited("deis", denoise, SIGMAS)
    for step in range(2, len(SIGMAS) - 1):
        start, end = (_vp_time(SIGMAS[at].item()) for at in (step, step + 1))
        exact = integral(lambda time: polynomial(SQUARE, time) * _vp_speed(time), start, end)
        assert seen[step + 1] - seen[step] == pytest.approx(exact, rel=1e-4)  # a sum of 10,000


def test_the_time_of_deis_is_that_of_its_noise():
    for sigma in (0.002, 0.1, 1.0, 14.6, 80.0):
        step = 1e-6
        slope = (_vp_time(sigma * (1 + step)) - _vp_time(sigma * (1 - step))) / (2 * sigma * step)
        assert 1 / slope == pytest.approx(float(_vp_speed(np.array(_vp_time(sigma)))), rel=1e-4)
    assert _vp_time(80.0) == pytest.approx(1.0)
    assert _vp_time(0.002) == pytest.approx(0.001)


@pytest.mark.parametrize("parameterization", [discrete(), flow()], ids=["eps", "flow"])
@pytest.mark.parametrize(
    ("name", "knobs", "rule"),
    [
        ("sa_solver", {"eta": 0.0, "corrector_order": 0, "predictor_order": 4}, CUBIC),
        ("sa_solver", {"eta": 0.0, "corrector_order": 0}, SQUARE),
        ("sa_solver", {"eta": 0.0, "corrector_order": 0, "predictor_order": 2}, LINE),
        ("dpmpp_3m_sde", {"eta": 0.0}, LINE),
        ("dpmpp_2m_sde_heun", {"eta": 0.0}, LINE),
        ("seeds_2", {"eta": 0.0, "solver_type": "phi_2"}, LINE),
        ("seeds_3", {"eta": 0.0}, LINE),
        ("exp_heun_2_x0", {}, LINE),
    ],
)
def test_a_clean_image_polynomial_in_half_log_snr(name, knobs, rule, parameterization, scripted):
    """x alpha^-1 e^lambda grows by the integral of e^lambda times that polynomial."""
    half_log_snr = parameterization.half_log_snr

    def clean(x, sigma):
        return polynomial(rule, half_log_snr(sigma)).expand_as(x)

    sigmas = SIGMAS / 10 if parameterization.is_flow else SIGMAS
    seen = visited(name, scripted(clean, parameterization), sigmas, **knobs)
    for step in range(len(rule) - 1, len(sigmas) - 1):
        start, end = half_log_snr(sigmas[step : step + 2]).tolist()
        grown = integral(lambda at: np.exp(at) * polynomial(rule, at), start, end)
        exact = (sigmas[step + 1] / sigmas[step]).item() * seen[step]
        exact += sigmas[step + 1].item() * grown
        assert seen[step + 1] == pytest.approx(exact, abs=1e-10)


@pytest.mark.parametrize("variant", ["bh1", "bh2"])
@pytest.mark.parametrize(("corrects", "rule"), [(False, SQUARE), (True, CUBIC)])
def test_uni_pc_of_order_three(variant, corrects, rule):
    """The predictor follows a square, the corrector, which sees the end, a cubic."""
    half_logs = (-SIGMAS.log()).tolist()[:5]
    images = [torch.tensor(polynomial(rule, at), dtype=torch.float64) for at in half_logs]
    x = _move(
        torch.tensor(1.0, dtype=torch.float64),
        images[-2::-1],
        half_logs,
        3,
        variant,
        corrected=images[-1] if corrects else None,
    )
    start, end = half_logs[-2:]
    grown = integral(lambda at: np.exp(at) * polynomial(rule, at), start, end)
    assert x.item() == pytest.approx(math.exp(start - end) + math.exp(-end) * grown, abs=1e-9)


@pytest.mark.parametrize("tau", [0.0, 0.7])
def test_the_corrector_of_sa_solver_follows_a_cubic(tau):
    """Four images, the last at the end of the step, under the drift of (1 + tau^2)."""
    half_logs = -SIGMAS.log()
    step, used = 4, [2, 3, 4, 5]
    images = [polynomial(CUBIC, half_logs[at]) for at in used]
    move = _Move(SIGMAS, half_logs, step, tau, simple=False)
    x = move.apply(torch.tensor(1.0, dtype=torch.float64), images, used)
    start, end = half_logs[step : step + 2].tolist()
    power = 1 + tau**2
    grown = integral(
        lambda at: power * np.exp(power * (at - end)) * polynomial(CUBIC, at), start, end
    )
    kept = math.exp((start - end) * power)
    assert x.item() == pytest.approx(kept + grown, abs=1e-10)


def test_lagrange_integrals_of_an_exponential():
    """Against the closed form of the integral of e^u u^k."""
    points = [-0.7, -0.2, 0.1]
    weights = lagrange_integrals(points, -0.5, 0.0, np.exp)
    closed = {
        0: 1 - math.exp(-0.5),
        1: -1 + 1.5 * math.exp(-0.5),
        2: 2 - (0.25 + 1 + 2) * math.exp(-0.5),
    }
    for power, exact in closed.items():
        got = sum(weight * point**power for weight, point in zip(weights, points, strict=True))
        assert got == pytest.approx(exact, abs=1e-14)
