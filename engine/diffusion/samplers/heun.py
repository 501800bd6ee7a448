"""Heun's second-order method and its sigma-weighted variant Heun++."""

from __future__ import annotations

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.samplers.steps import derivative, evaluate


def heun(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """Karras et al. 2022 (arXiv:2206.00364), algorithm 1 without churn.

    Two evaluations per step; one in a step to sigma 0.
    """
    steps = len(sigmas) - 1
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        slope = derivative(x, sigma, denoised)
        width = sigma_next - sigma
        if sigma_next > 0:
            ahead = x + slope * width
            slope_ahead = derivative(ahead, sigma_next, evaluate(denoise, ahead, sigma_next))
            slope = (slope + slope_ahead) / 2
        x = x + slope * width
    return x


def heunpp2(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """Heun++: slopes at up to two later sigmas, weighted by those sigmas over the first.

    With n slopes, the one at a later sigma has weight sigma / (n sigmas[0]) and the current slope
    the rest. The last step but one has two slopes, the last step one. A community method (2023)
    without a paper; the weights make it a first-order method.
    """
    steps = len(sigmas) - 1
    for step in range(steps):
        sigma = sigmas[step]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        slope = derivative(x, sigma, denoised)
        ahead, here, weight_here, mean = x, sigma, 1.0, 0.0
        slope_ahead = slope
        looks = min(2, steps - 1 - step)
        for target in sigmas[step + 1 : step + 1 + looks]:
            ahead = ahead + slope_ahead * (target - here)
            slope_ahead = derivative(ahead, target, evaluate(denoise, ahead, target))
            weight = target / ((looks + 1) * sigmas[0])
            mean = mean + slope_ahead * weight
            weight_here = weight_here - weight
            here = target
        x = x + (slope * weight_here + mean) * (sigmas[step + 1] - sigma)
    return x
