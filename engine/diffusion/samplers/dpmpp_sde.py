"""DPM-Solver++ as a solver of the reverse SDE: single-step, and multistep of order 2 and 3.

All in half log SNR, so they fit eps-like models and flows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise
from engine.diffusion.samplers.steps import (
    alpha_of,
    ancestral_step,
    evaluate,
    with_finite_start,
)
from engine.errors import NodeError


def dpmpp_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> Tensor:
    """DPM-Solver++(2S) (Lu et al. 2022, arXiv:2211.01095, algorithm 1) with ancestral noise.

    The second evaluation is at fraction r of the step (in half log SNR); both stages split into a
    deterministic step down and added noise, from one noise path.

    Raises:
        NodeError: r is 0; the second evaluation would have no effect.
    """
    if r == 0:
        raise NodeError(
            "dpmpp_sde: r is 0, which leaves no second evaluation: choose a larger r, 0.5 is usual"
        )
    steps = len(sigmas) - 1
    parameterization = denoise.parameterization
    sigmas = with_finite_start(parameterization, sigmas)

    def walk(x: Tensor, clean: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        start, end = parameterization.half_log_snr(sigma), parameterization.half_log_snr(target)
        down, up = ancestral_step((-start).exp(), (-end).exp(), eta)
        width = -down.log() - start
        alpha = alpha_of(target, end)
        kept = alpha / alpha_of(sigma, start) * (-width).exp()
        x = kept * x - alpha * (-width).expm1() * clean
        if eta > 0 and s_noise > 0:
            x = x + noise(x, sigma, target) * (alpha * s_noise * up)
        return x

    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        if sigma_next == 0:
            x = denoised
            continue
        start = parameterization.half_log_snr(sigma)
        width = parameterization.half_log_snr(sigma_next) - start
        between = parameterization.sigma_from_half_log_snr(start + r * width)
        halfway = walk(x, denoised, sigma, between)
        ahead = evaluate(denoise, halfway, between)
        weight = 1 / (2 * r)
        x = walk(x, (1 - weight) * denoised + weight * ahead, sigma, sigma_next)
    return x


def dpmpp_2m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
    solver_type: Literal["midpoint", "heun"] = "midpoint",
) -> Tensor:
    """SDE-DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, appendix on SDE solvers).

    eta scales the noise of the reverse SDE (1: the paper's, 0: the ODE). "midpoint" approximates
    the second-order weight as DPM-Solver++(2M) does, "heun" takes the exact phi_2.
    """
    history: list[tuple[Tensor, Tensor]] = []

    def correct(denoised: Tensor, width: Tensor, damped: Tensor) -> Tensor | float:
        change: Tensor | float = 0.0
        if history:
            last, last_width = history[-1]
            slope = (denoised - last) * (width / last_width)
            phi = -(-damped).expm1()
            weight = phi / 2 if solver_type == "midpoint" else 1 - phi / damped
            change = weight * slope
        history[:] = [(denoised, width)]
        return change

    return _multistep_sde(denoise, x, sigmas, noise, on_step, eta, s_noise, correct)


def dpmpp_3m_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """The third-order multistep form, after DPM-Solver++ (Lu et al. 2022, appendix, 3M).

    Divided differences of the last three clean images are weighted by phi_2 and phi_3 of (1 + eta)
    h. The first step is of order 1, the second of order 2.
    """
    history: list[tuple[Tensor, Tensor]] = []

    def correct(denoised: Tensor, width: Tensor, damped: Tensor) -> Tensor | float:
        change: Tensor | float = 0.0
        if history:
            phi_2 = (-damped).expm1() / damped + 1
            first, first_ratio = history[-1][0], history[-1][1] / width
            slope = (denoised - first) / first_ratio
            change = phi_2 * slope
            if len(history) > 1:
                second, second_ratio = history[-2][0], history[-2][1] / width
                earlier = (first - second) / second_ratio
                bend = (slope - earlier) / (first_ratio + second_ratio)
                change = phi_2 * (slope + bend * first_ratio) - (phi_2 / damped - 0.5) * bend
        history[:] = [*history[-1:], (denoised, width)]
        return change

    return _multistep_sde(denoise, x, sigmas, noise, on_step, eta, s_noise, correct)


def _multistep_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    eta: float,
    s_noise: float,
    correct: Callable[[Tensor, Tensor, Tensor], Tensor | float],
) -> Tensor:
    """First-order SDE-DPM-Solver++ steps; `correct` adds the correction from earlier clean images.

    It is given the clean image, the step h in half log SNR and (1 + eta) h.
    """
    steps = len(sigmas) - 1
    half_log_snr = denoise.parameterization.half_log_snr
    sigmas = with_finite_start(denoise.parameterization, sigmas)
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        if sigma_next == 0:
            x = denoised
            continue
        end = half_log_snr(sigma_next)
        width = end - half_log_snr(sigma)
        damped = width * (eta + 1)
        kept = sigma_next / sigma * (-width * eta).exp()
        clean = -(-damped).expm1() * denoised + correct(denoised, width, damped)
        x = kept * x + alpha_of(sigma_next, end) * clean
        if eta > 0 and s_noise > 0:
            spread = sigma_next * (-(-2 * eta * width).expm1()).sqrt() * s_noise
            x = x + noise(x, sigma, sigma_next) * spread
    return x
