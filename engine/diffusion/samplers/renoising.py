"""Samplers that step in the clean image or in DDPM's own coordinates: LCM and DDPM."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise
from engine.diffusion.samplers.steps import derivative, evaluate

Resize = Callable[[Tensor, int, int], Tensor]
"""A latent [B, C, H, W] to one of the given height and width."""


def lcm(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    s_noise: float = 1.0,
    s_noise_end: float = 1.0,
    noise_clip_std: float = 0.0,
) -> Tensor:
    """Multistep consistency sampling (Luo et al. 2023, arXiv:2310.04378, algorithm 3).

    Take the predicted clean image, then add fresh noise of the next sigma: times a factor that goes
    in equal parts from `s_noise` at the first step to `s_noise_end` at the last, and, unless 0, no
    further from 0 than `noise_clip_std` deviations.
    """
    steps = len(sigmas) - 1
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        x = denoised
        if sigma_next > 0:
            level = sigma_next.to(x.device).expand(x.shape[0])
            fresh = noise(x, sigma, sigma_next)
            if noise_clip_std > 0.0:
                most = float(fresh.std()) * noise_clip_std
                fresh = fresh.clamp(-most, most)
            factor = s_noise + (s_noise_end - s_noise) * step / max(steps - 1, 1)
            fresh = fresh if factor == 1.0 else fresh * factor
            x = denoise.parameterization.add_noise(level, fresh, denoised)
    return x


def lcm_upscale(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    resize: Resize,
    scale_ratio: float = 2.0,
    scale_steps: int | None = None,
) -> Tensor:
    """`lcm` that enlarges its clean image, in even parts over the first `scale_steps` steps.

    Returns x [B, C, H, W] scale_ratio times as high and wide. Without `scale_steps` it grows in the
    first half of the steps.
    """
    steps = len(sigmas) - 1
    grown = max(len(sigmas) // 2, 1) if scale_steps is None else min(scale_steps, len(sigmas))
    scales = torch.linspace(1.0, scale_ratio, grown + 1, dtype=torch.float64)[1:].tolist()
    height, width = x.shape[-2:]
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        x = denoised
        if step < len(scales):
            rows, columns = (max(round(side * scales[step]), 1) for side in (height, width))
            x = resize(x, rows, columns)
        if sigma_next > 0:
            x = x + noise(x, sigma, sigma_next) * sigma_next
    return x


def ddpm(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep
) -> Tensor:
    """Ancestral sampling in DDPM's own coordinates (Ho et al. 2020, arXiv:2006.11239, algorithm 2).

    Unlike `euler_ancestral` it adds the posterior variance of equation 7 to the mean of equation
    11, for any two levels of the schedule. Made for eps-like models; a flow's x is treated like
    theirs.
    """
    steps = len(sigmas) - 1
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        total, total_next = 1 / (1 + sigma**2), 1 / (1 + sigma_next**2)
        alpha = total / total_next
        predicted = derivative(x, sigma, denoised)
        mean = (x * total.sqrt() - predicted * ((1 - alpha) / (1 - total).sqrt())) / alpha.sqrt()
        x = mean
        if sigma_next > 0:
            spread = ((1 - alpha) * (1 - total_next) / (1 - total)).sqrt()
            x = (mean + noise(x, sigma, sigma_next) * spread) / total_next.sqrt()
    return x
