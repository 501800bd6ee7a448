"""Samplers that remember: one evaluation a step, extrapolated from earlier clean images or slopes.

DPM-Solver++(2M), RES and gradient estimation, each with its CFG++ form where one exists. They
know a denoiser and a schedule, nothing of networks or guidance. See adams.py for the
Adams-Bashforth family.
"""

from __future__ import annotations

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.samplers.steps import evaluate, evaluate_guided


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

    Like `dpmpp_2m`, but the noise kept is the unguided one, and the second-order term compares
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
