"""ER-SDE: a family of reverse SDEs between the ODE and more noise than DDPM, up to order 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise
from engine.diffusion.samplers.steps import evaluate, with_finite_start

POINTS = 200
"""Left-hand points of the integrals that have no closed form."""


def er_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    solver_type: Literal["ER-SDE", "Reverse-time SDE", "ODE"] = "ER-SDE",
    max_stage: int = 3,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Extended reverse-time SDE solver (Cui et al. 2023, arXiv:2309.06169, algorithms 1 to 3).

    Its time is sigma / alpha, so that it fits eps-like models and flows. `solver_type` chooses the
    noise scale function phi: the paper's own (ER SDE 4 of its version 3), that of the reverse-time
    SDE with eta, or the ODE's. The first step has one stage, the second two, later ones three;
    `max_stage` bounds them.
    """
    scale = _noise_scale(solver_type, eta)
    if solver_type == "ODE" or (solver_type == "Reverse-time SDE" and eta == 0):
        s_noise = 0.0
    steps = len(sigmas) - 1
    sigmas = with_finite_start(denoise.parameterization, sigmas)
    times = (-denoise.parameterization.half_log_snr(sigmas)).exp()
    last: Tensor | None = None
    last_slope: Tensor | None = None
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        if sigma_next == 0:
            x = denoised
            continue
        time, time_next = times[step], times[step + 1]
        alpha, alpha_next = sigma / time, sigma_next / time_next
        kept = scale(time_next) / scale(time)
        x = alpha_next * (kept * (x / alpha) + (1 - kept) * denoised)
        if last is not None and max_stage >= 2:
            slope = (denoised - last) / (time - times[step - 1])
            flat, rising = _integrals(scale, time, time_next)
            width = time_next - time
            x = x + alpha_next * (width + flat * scale(time_next)) * slope
            if last_slope is not None and max_stage >= 3:
                bend = (slope - last_slope) / ((time - times[step - 2]) / 2)
                x = x + alpha_next * (width**2 / 2 + rising * scale(time_next)) * bend
            last_slope = slope
        if s_noise > 0:
            spread = (time_next**2 - (time * kept) ** 2).sqrt().nan_to_num(nan=0.0)
            x = x + noise(x, sigma, sigma_next) * (alpha_next * s_noise * spread)
        last = denoised
    return x


def _noise_scale(solver_type: str, eta: float) -> Callable[[Tensor], Tensor]:
    """The paper's phi (equation 14), from its table 1."""
    if solver_type == "ER-SDE":
        return lambda time: time * ((time**0.3).exp() + 10.0)
    if solver_type == "Reverse-time SDE":
        return lambda time: time ** (eta + 1)
    if solver_type == "ODE":
        return lambda time: time
    raise ValueError(f"er_sde has no solver type {solver_type!r}: ER-SDE, Reverse-time SDE or ODE")


def _integrals(
    scale: Callable[[Tensor], Tensor], time: Tensor, time_next: Tensor
) -> tuple[Tensor, Tensor]:
    """The integrals from time_next to time of 1 / phi and of (t - time) / phi."""
    width = (time - time_next) / POINTS
    at = time_next + torch.arange(POINTS, dtype=time.dtype) * width
    return (1 / scale(at)).sum() * width, ((at - time) / scale(at)).sum() * width
