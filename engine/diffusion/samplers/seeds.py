"""SEEDS: exponential Runge-Kutta solvers of the reverse SDE, two and three stages.

Clean-image form in half log SNR; with eta = 0 they solve the ODE, and with r = 1 two stages are
exponential Heun.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise, no_noise
from engine.diffusion.samplers.steps import alpha_of, evaluate, with_finite_start


def seeds_2(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
    solver_type: Literal["phi_1", "phi_2"] = "phi_1",
) -> Tensor:
    """SEEDS-2 (Gonzalez et al. 2023, arXiv:2305.14267, algorithm 2, VP and data prediction).

    The second evaluation is at fraction r of the step. "phi_1" weights both images within phi_1
    alone (as DPM-Solver++(2S)), "phi_2" by the exact phi_2.
    """
    steps = len(sigmas) - 1
    sigmas = with_finite_start(denoise.parameterization, sigmas)
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        if sigma_next == 0:
            x = denoised
            continue
        path = _Path(denoise, x, sigma, sigma_next, noise, eta, s_noise)
        between = path.sigma_at(r)
        first = path.stage(r, -path.phi_1(r) * denoised)
        ahead = evaluate(denoise, first, between)
        if solver_type == "phi_1":
            clean = -path.phi_1(1.0) * denoised.lerp(ahead, 1 / (2 * r))
        else:
            weight = path.phi_2(1.0) / r
            clean = -(path.phi_1(1.0) - weight) * denoised - weight * ahead
        x = path.stage(1.0, clean)
    return x


def seeds_3(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r_1: float = 1 / 3,
    r_2: float = 2 / 3,
) -> Tensor:
    """SEEDS-3 (Gonzalez et al. 2023, arXiv:2305.14267, algorithm 3, VP and data prediction)."""
    steps = len(sigmas) - 1
    sigmas = with_finite_start(denoise.parameterization, sigmas)
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        if sigma_next == 0:
            x = denoised
            continue
        path = _Path(denoise, x, sigma, sigma_next, noise, eta, s_noise)
        first = path.stage(r_1, -path.phi_1(r_1) * denoised)
        second = evaluate(denoise, first, path.sigma_at(r_1))
        weight = r_2 / r_1 * path.phi_2(r_2)
        clean = -(path.phi_1(r_2) - weight) * denoised - weight * second
        third = evaluate(denoise, path.stage(r_2, clean), path.sigma_at(r_2))
        weight = path.phi_2(1.0) / r_2
        x = path.stage(1.0, -(path.phi_1(1.0) - weight) * denoised - weight * third)
    return x


def exp_heun_2_x0(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep) -> Tensor:
    """Exponential Heun on the clean image: ETD2RK (Cox & Matthews 2002, equation 22).

    `seeds_2` without noise, its second evaluation at the end of the step.
    """
    return seeds_2(
        denoise,
        x,
        sigmas,
        noise=no_noise,
        on_step=on_step,
        eta=0.0,
        s_noise=0.0,
        r=1.0,
        solver_type="phi_2",
    )


def exp_heun_2_x0_sde(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """`exp_heun_2_x0` on the reverse SDE: `seeds_2` with its second evaluation at the end."""
    return seeds_2(
        denoise,
        x,
        sigmas,
        noise=noise,
        on_step=on_step,
        eta=eta,
        s_noise=s_noise,
        r=1.0,
        solver_type="phi_2",
    )


class _Path:
    """One step: the positions of its stages, and the noise they share.

    A later stage damps the noise of the one before and adds only that of the interval between them,
    so that all stages follow one noise path.
    """

    def __init__(
        self,
        denoise: Denoiser,
        x: Tensor,
        sigma: Tensor,
        sigma_next: Tensor,
        noise: StepNoise,
        eta: float,
        s_noise: float,
    ) -> None:
        self._parameterization = denoise.parameterization
        self._x, self._noise, self._eta, self._s_noise = x, noise, eta, s_noise
        self._sigmas = (sigma, sigma_next)
        self._start = self._parameterization.half_log_snr(sigma)
        self._width = self._parameterization.half_log_snr(sigma_next) - self._start
        self._added: Tensor | None = None
        self._reached, self._reached_sigma = 0.0, sigma

    def sigma_at(self, r: float) -> Tensor:
        """The sigma at fraction r of the step, in half log SNR."""
        if r == 1.0:
            return self._sigmas[1]
        return self._parameterization.sigma_from_half_log_snr(self._start + r * self._width)

    def phi_1(self, r: float) -> Tensor:
        """The weight of order 1, expm1(-z), with z = r (1 + eta) h."""
        return (-r * self._width * (self._eta + 1)).expm1()

    def phi_2(self, r: float) -> Tensor:
        """The weight of order 2, expm1(-z) / -z - 1, with the same z."""
        damped = -r * self._width * (self._eta + 1)
        return (damped.expm1() - damped) / damped

    def stage(self, r: float, clean: Tensor) -> Tensor:
        """The x at fraction r: damped, plus the weighted clean images and the noise so far."""
        sigma = self.sigma_at(r)
        alpha = alpha_of(sigma, self._start + r * self._width)
        kept = sigma / self._sigmas[0] * (-r * self._width * self._eta).exp()
        x = kept * self._x + alpha * clean
        if self._eta <= 0 or self._s_noise <= 0:
            return x
        damping = (self._reached - r) * self._width * self._eta
        fresh = self._noise(x, self._reached_sigma, sigma) * (-(2 * damping).expm1()).sqrt()
        self._added = fresh if self._added is None else self._added * damping.exp() + fresh
        self._reached, self._reached_sigma = r, sigma
        return x + self._added * (sigma * self._s_noise)
