"""SA-Solver: stochastic Adams methods, a predictor and a corrector over half log SNR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise
from engine.diffusion.samplers.quadrature import lagrange_integrals
from engine.diffusion.samplers.steps import evaluate, with_finite_start


def sa_solver(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 1.0,
    sde_start_percent: float = 0.2,
    sde_end_percent: float = 0.8,
    s_noise: float = 1.0,
    predictor_order: int = 3,
    corrector_order: int = 4,
    use_pece: bool = False,
    simple_order_2: bool = False,
) -> Tensor:
    """SA-Solver (Xue et al. 2023, arXiv:2309.05019, algorithm 1, data prediction).

    tau, the
    """
    steps = len(sigmas) - 1
    to_sigma = denoise.parameterization.percent_to_sigma
    first_noisy, last_noisy = to_sigma(sde_start_percent), to_sigma(sde_end_percent)
    sigmas = with_finite_start(denoise.parameterization, sigmas)
    half_logs = denoise.parameterization.half_log_snr(sigmas)
    remembered = max(predictor_order, corrector_order)
    images: list[Tensor] = []
    added: Tensor | float = 0.0
    predicted, corrected, tau = x, x, 0.0
    for step in range(steps):
        sigma, sigma_next = sigmas[step], sigmas[step + 1]
        denoised = evaluate(denoise, predicted, sigma)
        on_step(step, steps, predicted, denoised, sigma)
        images = [*images, denoised][-remembered:]
        most = steps - step if sigmas[-1] == 0 else remembered + 1
        order = min(corrector_order, len(images), most)
        if step == 0 or order == 0 or (sigma_next == 0 and not use_pece):
            corrected = predicted
        else:
            move = _Move(sigmas, half_logs, step - 1, tau, simple=simple_order_2)
            corrected = move.apply(corrected, images, range(step - order + 1, step + 1)) + added
            if use_pece:
                denoised = evaluate(denoise, corrected, sigma)
                images[-1] = denoised
        if sigma_next == 0:
            predicted = denoised
            continue
        order = min(predictor_order, len(images), most - 1)
        tau = eta if last_noisy <= float(sigma_next) <= first_noisy else 0.0
        move = _Move(sigmas, half_logs, step, tau, simple=simple_order_2)
        predicted = move.apply(corrected, images, range(step - order + 1, step + 1))
        added = 0.0
        if tau > 0 and s_noise > 0:
            added = noise(x, sigma, sigma_next) * (move.spread * s_noise)
            predicted = predicted + added
    return predicted


class _Move:
    """The step from sigmas[step] to the next under a constant tau (the paper's proposition 4.2)."""

    def __init__(
        self, sigmas: Tensor, half_logs: Tensor, step: int, tau: float, *, simple: bool
    ) -> None:
        self._half_logs: list[float] = half_logs.double().tolist()
        self._start, self._end = self._half_logs[step : step + 2]
        self._sigma_next = sigmas[step + 1]
        self._simple = simple
        self._step = step
        width = half_logs[step + 1] - half_logs[step]
        self._power = 1 + tau**2
        self._kept = sigmas[step + 1] / sigmas[step] * (-(tau**2) * width).exp()
        self._alpha = sigmas[step + 1] * half_logs[step + 1].exp()
        self.spread = sigmas[step + 1] * (-(-2 * tau**2 * width).expm1()).sqrt()

    def apply(self, x: Tensor, images: Sequence[Tensor], at: Sequence[int]) -> Tensor:
        """Advance x; the clean image is the polynomial through the last ones, of those steps."""
        points = [self._half_logs[place] for place in at]
        weights = self._simple_weights(points) if self._simple and len(at) == 2 else None
        weights = weights or lagrange_integrals(
            [point - self._end for point in points],
            self._start - self._end,
            0.0,
            lambda offset: self._power * np.exp(self._power * offset),
        )
        x = self._kept * x
        for weight, image in zip(weights, images[-len(at) :], strict=True):
            x = x + self._alpha * weight * image
        return x

    def _simple_weights(self, points: Sequence[float]) -> Sequence[float]:
        """For two images, older first: B(h) = h in the notation of UniPC."""
        width = self._end - self._start
        total = -float(np.expm1(-self._power * width))
        if points[1] == self._end:
            newer = self._power * width / 2
            return (total - newer, newer)
        older = self._power * width**2 / 2 / (points[0] - self._start)
        return (older, total - older)
