"""Adams-Bashforth methods on dx/dsigma: LMS, iPNDM, its variable-step form, and DEIS.

One evaluation per step, extrapolated from up to three earlier slopes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.samplers.quadrature import Array, lagrange_basis, lagrange_integrals
from engine.diffusion.samplers.steps import derivative, evaluate

Weights = Callable[[Sequence[float], int], Sequence[float]]
"""From sigmas up to the next one, and an order, the factor of each slope, the newest first."""

FIXED_STEP = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)
"""Adams-Bashforth weights of even steps, orders 1 to 4 (Liu et al. 2022, equation 9)."""

DEIS_POINTS = 10_000
"""Points of DEIS's tabulated integrals; as in the published tables."""


def lms(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep, order: int = 4) -> Tensor:
    """Linear multistep: the polynomial through the last slopes, integrated exactly over sigma.

    Adams-Bashforth for uneven steps (Hairer, Norsett & Wanner, Solving Ordinary Differential
    Equations I, section III.5). A step to sigma 0 is the clean image.
    """

    def weights(path: Sequence[float], used: int) -> Sequence[float]:
        return lagrange_integrals(path[-2 : -2 - used : -1], path[-2], path[-1])

    return _adams(denoise, x, sigmas, on_step, order, weights)


def ipndm(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep, max_order: int = 4
) -> Tensor:
    """Improved PNDM (Zhang & Chen 2023, arXiv:2204.13902, section 3.3) over sigma.

    The weights are those of even steps, whatever the schedule (Liu et al. 2022,
    arXiv:2202.09778, equation 9). A step to sigma 0 is the clean image.
    """

    def weights(path: Sequence[float], used: int) -> Sequence[float]:
        return [weight * (path[-1] - path[-2]) for weight in FIXED_STEP[used - 1]]

    return _adams(denoise, x, sigmas, on_step, max_order, weights)


def ipndm_v(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep, max_order: int = 4
) -> Tensor:
    """The iPNDM for uneven steps, with the weights its authors released (Zhou et al. 2024).

    "Fast ODE-based Sampling for Diffusion Models in Around 5 Steps" (arXiv:2312.00094), its
    `ipndm_v` baseline. Of two slopes, and of three on even steps, these are the exact weights of
    `lms`; for higher orders they differ, and pictures by seed depend on it.
    """

    def weights(path: Sequence[float], used: int) -> Sequence[float]:
        width = path[-1] - path[-2]
        return [weight * width for weight in _released_weights(path, used)]

    return _adams(denoise, x, sigmas, on_step, max_order, weights)


def deis(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, on_step: OnStep, max_order: int = 3
) -> Tensor:
    """tAB-DEIS (Zhang & Chen 2023, arXiv:2204.13902, equation 14).

    The slope is a polynomial in the time of a VP-SDE, not in sigma; its weights are sums over an
    even grid of that time. A step to sigma 0 is the clean image.
    """

    def weights(path: Sequence[float], used: int) -> Sequence[float]:
        if used == 1 or path[-1] == 0:
            return [path[-1] - path[-2]]
        times = [_vp_time(sigma) for sigma in path]
        grid = np.linspace(times[-2], times[-1], DEIS_POINTS)
        density = _vp_speed(grid) * (times[-1] - times[-2]) / DEIS_POINTS
        return (lagrange_basis(times[-2 : -2 - used : -1], grid) @ density).tolist()

    return _adams(denoise, x, sigmas, on_step, max_order, weights)


def _adams(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    on_step: OnStep,
    order: int,
    weights: Weights,
) -> Tensor:
    """Add the weighted slopes to x; the order grows by one a step up to `order`."""
    steps = len(sigmas) - 1
    path = sigmas.tolist()
    slopes: list[Tensor] = []
    for step in range(steps):
        sigma = sigmas[step]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        slopes = [derivative(x, sigma, denoised), *slopes[: order - 1]]
        if path[step + 1] == 0:
            x = denoised
            continue
        terms = zip(weights(path[: step + 2], len(slopes)), slopes, strict=False)
        for weight, slope in terms:
            x = x + weight * slope
    return x


def _released_weights(path: Sequence[float], order: int) -> Sequence[float]:
    if order == 1:
        return FIXED_STEP[0]
    steps = np.diff(path[-1 - order :])[::-1].tolist()
    h, h1 = steps[0], steps[1]
    first = h / h1 / 2
    if order == 2:
        return (1 + first, -first)
    h2 = steps[2]
    second = (1 - h**2 / (3 * h1 * (h1 + h2))) / 2
    ratio = h1 / h2
    weights = [1 + first + second, -first - (1 + ratio) * second, ratio * second]
    if order == 3:
        return weights
    h3 = steps[3]
    reach, past = h + h1 + h2, h1 + h2 + h3
    third = (1 - h / (3 * (h + h1))) / 2 + (1 - h / (2 * (h + h1))) * h / (6 * reach)
    third *= h * (h + h1) * reach / (h1 * (h1 + h2) * past)
    spread = h1 * (h1 + h2) / (h2 * (h2 + h3))
    change = (1, -(1 + ratio + spread), ratio + spread * (1 + h2 / h3))
    weights = [weight + part * third for weight, part in zip(weights, change, strict=True)]
    return [*weights, -third * spread * ratio]


# The VP-SDE whose time DEIS interpolates in: beta rises linearly so that sigma is 0.002 at time
# 0.001 and 80 at time 1 (Karras et al. 2022, appendix C.1, with their range of sigmas).
_LOW, _HIGH, _FIRST_TIME = math.log1p(0.002**2), math.log1p(80.0**2), 1e-3
_SLOPE = 2 * (_LOW / _FIRST_TIME - _HIGH) / (_FIRST_TIME - 1)
_BASE = _HIGH - _SLOPE / 2


def _vp_time(sigma: float) -> float:
    return (math.sqrt(_BASE**2 + 2 * _SLOPE * math.log1p(sigma**2)) - _BASE) / _SLOPE


def _vp_speed(time: Array) -> Array:
    """dsigma/dt, where sigma^2 = exp(slope t^2 / 2 + base t) - 1."""
    growth = np.exp(_SLOPE * time**2 / 2 + _BASE * time)
    return growth * (_SLOPE * time + _BASE) / (2 * np.sqrt(growth - 1))
