"""First-order samplers: Euler, its ancestral form, and both along the unguided image (CFG++)."""

from __future__ import annotations

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise, no_noise
from engine.diffusion.samplers.steps import (
    alpha_of,
    ancestral_step,
    derivative,
    evaluate,
    evaluate_guided,
    flow_ancestral_step,
)


def euler(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """Karras et al. 2022 (arXiv:2206.00364), algorithm 2 without churn and second-order correction.

    With eps prediction this is DDIM (Song et al. 2021) at eta = 0.
    """
    steps = len(sigmas) - 1
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        x = x + derivative(x, sigma, denoised) * (sigma_next - sigma)
    return x


def euler_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """DDIM with stochasticity eta (Song et al. 2021, arXiv:2010.02502, equation 12) in sigma space.

    eta = 1 is ancestral (DDPM) sampling, eta = 0 is `euler`. A rectified flow is rescaled after
    each step down, see `flow_ancestral_step`.
    """
    steps = len(sigmas) - 1
    is_flow = denoise.parameterization.is_flow
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        if sigma_next == 0:
            x = denoised
            continue
        if is_flow:
            sigma_down, scale, sigma_up = flow_ancestral_step(sigma, sigma_next, eta)
            x = scale * (denoised + derivative(x, sigma, denoised) * sigma_down)
        else:
            sigma_down, sigma_up = ancestral_step(sigma, sigma_next, eta)
            x = x + derivative(x, sigma, denoised) * (sigma_down - sigma)
        if eta > 0:
            x = x + noise(x, sigma, sigma_next) * (s_noise * sigma_up)
    return x


def euler_ancestral_cfg_pp(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """CFG++ (Chung et al. 2024, arXiv:2406.08070, algorithm 2) with DDIM's stochasticity.

    The clean image is the guided one, the noise to keep is the unguided one.
    """
    steps = len(sigmas) - 1
    half_log_snr = denoise.parameterization.half_log_snr
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised, unguided = evaluate_guided(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        if sigma_next == 0:
            x = denoised
            continue
        alpha = alpha_of(sigma, half_log_snr(sigma))
        alpha_next = alpha_of(sigma_next, half_log_snr(sigma_next))
        sigma_down, sigma_up = ancestral_step(sigma / alpha, sigma_next / alpha_next, eta)
        direction = derivative(x, sigma, alpha * unguided)
        x = alpha_next * (denoised + direction * sigma_down)
        if eta > 0 and s_noise > 0:
            x = x + noise(x, sigma, sigma_next) * (alpha_next * s_noise * sigma_up)
    return x


def euler_cfg_pp(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """CFG++ (Chung et al. 2024, arXiv:2406.08070, algorithm 2): DDIM along the unguided noise."""
    return euler_ancestral_cfg_pp(
        denoise, x, sigmas, noise=no_noise, on_step=on_step, eta=0.0, s_noise=0.0
    )


def euler_cfg_pp_alternative(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep
) -> Tensor:
    """Euler with a clean image of 2 guided - unguided.

    The "alternative" of the SamplerEulerCFG++ node; no publication is known to us.
    """
    steps = len(sigmas) - 1
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised, unguided = evaluate_guided(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        direction = derivative(x, sigma, 2 * denoised - unguided)
        x = x + direction * (sigma_next - sigma)
    return x
