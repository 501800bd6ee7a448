"""Second-order single steps: DPM-Solver-2 and DPM-Solver++(2S), with their ancestral forms.

Each evaluates the denoiser twice per step, the second time in the middle (in log sigma or log SNR).
"""

from __future__ import annotations

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise
from engine.diffusion.parameterization import Parameterization
from engine.diffusion.samplers.steps import (
    ancestral_step,
    derivative,
    evaluate,
    evaluate_guided,
    flow_ancestral_step,
)

ALMOST_NOISE = 0.9999
"""The middle of a flow's step from pure noise, whose log SNR is minus infinity."""


def dpm_2(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """Midpoint steps in log sigma: DPM-Solver-2 (Lu et al. 2022, arXiv:2206.00927, algorithm 1).

    In the form of Karras et al. 2022, algorithm 2 with their generic midpoint, without churn.
    """
    steps = len(sigmas) - 1
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        x = _midpoint_step(denoise, x, denoised, sigma, sigma_next)
    return x


def dpm_2_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """`dpm_2` to sigma_down, then noise added up to the next sigma; see `ancestral_step`."""
    steps = len(sigmas) - 1
    is_flow = denoise.parameterization.is_flow
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        sigma_down, scale, sigma_up = _split(sigma, sigma_next, eta, is_flow=is_flow)
        x = _midpoint_step(denoise, x, denoised, sigma, sigma_down) * scale
        if sigma_next > 0:
            x = x + noise(x, sigma, sigma_next) * (s_noise * sigma_up)
    return x


def dpmpp_2s_ancestral(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """DPM-Solver++(2S) (Lu et al. 2022, arXiv:2211.01095, algorithm 1, r = 1/2), ancestral."""
    steps = len(sigmas) - 1
    parameterization = denoise.parameterization
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        sigma_down, scale, sigma_up = _split(
            sigma, sigma_next, eta, is_flow=parameterization.is_flow
        )
        if sigma_down > 0:
            middle = _middle(parameterization, sigma, sigma_down)
            halfway = _towards(x, denoised, middle / sigma)
            denoised = evaluate(denoise, halfway, middle)
        x = _towards(x, denoised, sigma_down / sigma) * scale
        if sigma_next > 0 and eta > 0:
            x = x + noise(x, sigma, sigma_next) * (s_noise * sigma_up)
    return x


def dpmpp_2s_ancestral_cfg_pp(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """`dpmpp_2s_ancestral` under CFG++ (Chung et al. 2024, arXiv:2406.08070).

    Moving x by guided - unguided makes the retained noise the unguided one, while the target image
    stays guided. The full step takes its unguided image from the second evaluation, its guided one
    from the first: pictures by seed depend on it.
    """
    steps = len(sigmas) - 1
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised, unguided = evaluate_guided(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        sigma_down, sigma_up = ancestral_step(sigma, sigma_next, eta)
        ahead = denoised
        if sigma_down > 0:
            middle = (sigma * sigma_down).sqrt()
            halfway = _towards(x + (denoised - unguided), denoised, middle / sigma)
            ahead, unguided = evaluate_guided(denoise, halfway, middle)
        x = _towards(x + (denoised - unguided), ahead, sigma_down / sigma)
        if sigma_next > 0:
            x = x + noise(x, sigma, sigma_next) * (s_noise * sigma_up)
    return x


def _split(
    sigma: Tensor, sigma_next: Tensor, eta: float, *, is_flow: bool
) -> tuple[Tensor, Tensor | float, Tensor]:
    if is_flow:
        return flow_ancestral_step(sigma, sigma_next, eta)
    sigma_down, sigma_up = ancestral_step(sigma, sigma_next, eta)
    return sigma_down, 1.0, sigma_up


def _midpoint_step(
    denoise: Denoiser, x: Tensor, denoised: Tensor, sigma: Tensor, target: Tensor
) -> Tensor:
    """From sigma to target by the slope at their geometric mean; Euler where target is 0."""
    slope = derivative(x, sigma, denoised)
    if target > 0:
        middle = sigma.log().lerp(target.log(), 0.5).exp()
        halfway = x + slope * (middle - sigma)
        slope = derivative(halfway, middle, evaluate(denoise, halfway, middle))
    return x + slope * (target - sigma)


def _middle(parameterization: Parameterization, sigma: Tensor, target: Tensor) -> Tensor:
    """The sigma halfway in half log SNR."""
    if parameterization.is_flow and sigma >= 1:
        return sigma.new_tensor(ALMOST_NOISE)
    start = parameterization.half_log_snr(sigma)
    end = parameterization.half_log_snr(target)
    return parameterization.sigma_from_half_log_snr(start + 0.5 * (end - start))


def _towards(x: Tensor, denoised: Tensor, kept: Tensor) -> Tensor:
    """Retain that share of the noise: the exact step for a constant denoised."""
    return kept * x + (1 - kept) * denoised
