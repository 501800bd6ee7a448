"""Shared by samplers: calling the denoiser, and splitting a stochastic step in two.

`sigmas` are 0-dim tensors of a schedule on the CPU, so that no step synchronises with a device;
they may be multiplied with tensors of any device.
"""

from __future__ import annotations

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, GuidedDenoiser
from engine.diffusion.parameterization import Parameterization

FIRST_PERCENT = 1e-4
"""How far into the schedule a flow starts where its first sigma holds no signal at all."""


def evaluate(denoise: Denoiser, x: Tensor, sigma: Tensor) -> Tensor:
    """The denoised x, every row at the same 0-dim sigma."""
    return denoise(x, sigma.to(x.device).expand(x.shape[0]))


def evaluate_guided(denoise: Denoiser, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """(guided, unguided) denoised x; both are the same where there is no guidance."""
    if isinstance(denoise, GuidedDenoiser):
        return denoise.with_unguided(x, sigma.to(x.device).expand(x.shape[0]))
    denoised = evaluate(denoise, x, sigma)
    return denoised, denoised


def derivative(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx/dsigma of the probability-flow ODE (Karras et al. 2022, equation 3 with s = 1)."""
    return (x - denoised) / sigma


def ancestral_step(sigma: Tensor, sigma_next: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """(sigma_down, sigma_up): step to the first, then add noise of the second.

    The posterior variance of DDPM in sigma space, scaled by eta as in DDIM (Song et al. 2021,
    equation 16): sigma_down^2 + sigma_up^2 = sigma_next^2. An infinite sigma is allowed.
    """
    # In this order as in the incumbent: for a large sigma (zero SNR) sigma_down is a rounding
    # error.
    variance = sigma_next**2
    if not sigma.isinf():
        variance = variance * (sigma**2 - sigma_next**2) / sigma**2
    sigma_up = (eta * variance.sqrt()).clamp(max=sigma_next)
    sigma_down = (sigma_next**2 - sigma_up**2).sqrt()
    return sigma_down, sigma_up


def flow_ancestral_step(
    sigma: Tensor, sigma_next: Tensor, eta: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(sigma_down, scale, sigma_up) of a rectified flow, x = (1 - sigma) clean + sigma noise.

    Step to sigma_down, multiply by `scale` to restore the clean part to 1 - sigma_next, then add
    noise of sigma_up, so that the noise part is sigma_next again.
    """
    sigma_down = sigma_next * (1 + (sigma_next / sigma - 1) * eta)
    scale = (1 - sigma_next) / (1 - sigma_down)
    sigma_up = (sigma_next**2 - (sigma_down * scale) ** 2).clamp(min=0).sqrt()
    return sigma_down, scale, sigma_up


def alpha_of(sigma: Tensor, half_log_snr: Tensor) -> Tensor:
    """The share of the clean image in x, sigma e^lambda: 1, or 1 - sigma for a flow."""
    return sigma * half_log_snr.exp()


def with_finite_start(parameterization: Parameterization, sigmas: Tensor) -> Tensor:
    """The schedule, its first sigma moved a little where a flow has no signal (lambda = -inf)."""
    if not parameterization.is_flow or len(sigmas) == 0 or sigmas[0] < 1:
        return sigmas
    moved = sigmas.clone()
    moved[0] = parameterization.percent_to_sigma(FIRST_PERCENT)
    return moved
