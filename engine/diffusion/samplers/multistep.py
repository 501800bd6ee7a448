"""Multistep samplers: one evaluation per step, extrapolated from earlier images or slopes.

DPM-Solver++(2M), RES and gradient estimation, each with its CFG++ form where one exists. See
adams.py for the Adams-Bashforth family.
"""

from __future__ import annotations

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise, no_noise
from engine.diffusion.samplers.steps import ancestral_step, derivative, evaluate, evaluate_guided


def dpmpp_2m(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """DPM-Solver++(2M), Lu et al. 2022 (arXiv:2211.01095), algorithm 2, in lambda = -log sigma.

    The first step, and one to sigma 0, are of first order.
    """
    steps = len(sigmas) - 1
    previous: Tensor | None = None
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        estimate = denoised
        if previous is not None and sigma_next > 0:
            ratio = (sigmas[step - 1] / sigma).log() / (sigma / sigma_next).log()
            estimate = denoised + (denoised - previous) / (2 * ratio)
        x = (sigma_next / sigma) * x + (1 - sigma_next / sigma) * estimate
        previous = denoised
    return x


def dpmpp_2m_cfg_pp(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """DPM-Solver++(2M) under CFG++ (Chung et al. 2024, arXiv:2406.08070, appendix on DPM-Solver).

    Like `dpmpp_2m`, but the retained noise is the unguided one, and the second-order term compares
    the guided image with the unguided one of the step before.
    """
    steps = len(sigmas) - 1
    previous: Tensor | None = None
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised, unguided = evaluate_guided(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        kept = sigma_next / sigma
        x = denoised + kept * (x - unguided)
        if previous is not None and sigma_next > 0:
            ratio = (sigmas[step - 1] / sigma).log() / (sigma / sigma_next).log()
            x = x + (1 - kept) / (2 * ratio) * (denoised - previous)
        previous = unguided
    return x


def res_multistep(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """Refined exponential solver, multistep of order 2 (Zhang et al. 2023, arXiv:2308.02157)."""
    return _res(denoise, x, sigmas, no_noise, on_step, eta=0.0, s_noise=1.0, unguided=False)


def res_multistep_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """`res_multistep` to sigma_down, then noise added up to the next sigma.

    Made for eps-like models; a flow's x is treated like theirs (`dpmpp_2m_sde` with "heun" is the
    same solver for both).
    """
    return _res(denoise, x, sigmas, noise, on_step, eta=eta, s_noise=s_noise, unguided=False)


def res_multistep_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep
) -> Tensor:
    """`res_multistep` along the unguided image (CFG++, Chung et al. 2024, arXiv:2406.08070)."""
    return _res(denoise, x, sigmas, no_noise, on_step, eta=0.0, s_noise=1.0, unguided=True)


def res_multistep_ancestral_cfg_pp(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """`res_multistep_ancestral` along the unguided image."""
    return _res(denoise, x, sigmas, noise, on_step, eta=eta, s_noise=s_noise, unguided=True)


def _res(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    *,
    eta: float,
    s_noise: float,
    unguided: bool,
) -> Tensor:
    """All four forms of RES.

    The step from sigma to sigma_down is exact for a clean image that changes linearly in lambda =
    -log sigma (phi_1 and phi_2 of -h). Under CFG++ x is moved by guided - unguided and the step
    goes towards the unguided image.
    """
    steps = len(sigmas) - 1
    previous: Tensor | None = None
    last_down = sigmas[0]
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        ask = evaluate_guided if unguided else _evaluate_plain
        denoised, walked_to = ask(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        sigma_down, sigma_up = ancestral_step(sigma, sigma_next, eta)
        kept = sigma_down / sigma
        if sigma_down == 0 or previous is None:
            x = denoised + kept * (x - walked_to)
        else:
            width = -kept.log()
            offset = (last_down / sigmas[step - 1]).log() / width
            phi_1 = -(-width).expm1() / width
            weight = ((1 - phi_1) / width / offset).nan_to_num(nan=0.0)
            moved = x + (denoised - walked_to)
            slope = (phi_1 - weight).nan_to_num(nan=0.0) * walked_to + weight * previous
            x = kept * moved + width * slope
        if sigma_next > 0:
            x = x + noise(x, sigma, sigma_next) * (s_noise * sigma_up)
        previous, last_down = walked_to, sigma_down
    return x


def gradient_estimation(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep, gamma: float = 2.0
) -> Tensor:
    """DDIM along gamma * slope + (1 - gamma) * previous slope (Permenter & Yuan 2023, algorithm 2).

    arXiv:2306.04848, "Interpreting and Improving Diffusion Models from an Optimization
    Perspective". The first step is Euler, one to sigma 0 is the clean image.
    """
    return _gradient_estimation(denoise, x, sigmas, on_step, gamma, unguided=False)


def gradient_estimation_cfg_pp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep, gamma: float = 2.0
) -> Tensor:
    """`gradient_estimation` along the unguided noise (CFG++, Chung et al. 2024)."""
    return _gradient_estimation(denoise, x, sigmas, on_step, gamma, unguided=True)


def _gradient_estimation(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    on_step: OnStep,
    gamma: float,
    *,
    unguided: bool,
) -> Tensor:
    steps = len(sigmas) - 1
    previous: Tensor | None = None
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        ask = evaluate_guided if unguided else _evaluate_plain
        denoised, walked_to = ask(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        slope = derivative(x, sigma, walked_to)
        if sigma_next == 0:
            x = denoised
        else:
            x = denoised + slope * sigma_next
            if previous is not None:
                x = x + (gamma - 1) * (slope - previous) * (sigma_next - sigma)
        previous = slope
    return x


def _evaluate_plain(denoise: Denoiser, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """The guided image twice: CFG++ without an unguided image."""
    denoised = evaluate(denoise, x, sigma)
    return denoised, denoised
