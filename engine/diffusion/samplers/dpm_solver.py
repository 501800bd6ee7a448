"""DPM-Solver by budget and by tolerance: the fast and the adaptive form, orders 1 to 3.

They choose their own sigmas between the first and the last positive one of the schedule, and end at
the latter. Time is t = -log sigma; noise (eta > 0) is that of eps-like models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.noise import StepNoise
from engine.diffusion.samplers.steps import ancestral_step, derivative, evaluate
from engine.errors import NodeError

CLOSE = 1e-5
"""The adaptive form is at its end when t is this close."""


def dpm_fast(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    eta: float = 0.0,
    s_noise: float = 1.0,
) -> Tensor:
    """DPM-Solver-fast (Lu et al. 2022, arXiv:2206.00927, section 3.4).

    As many evaluations as `sigmas` has steps, in third-order steps evenly spaced in t, with a
    second- and a first-order one at the end. Ends at the last positive sigma.
    """
    budget = len(sigmas) - 1
    start, end = _ends(sigmas)
    steps = budget // 3 + 1
    rest = budget % 3
    orders = [3] * (steps - 1) + [rest] if rest else [3] * (steps - 2) + [2, 1]
    times = torch.linspace(start.item(), end.item(), steps + 1, dtype=sigmas.dtype)
    for step, order in enumerate(orders):
        time, time_next = times[step], times[step + 1]
        target, sigma_up = _split(time, time_next, end, eta)
        slopes = _Slopes(denoise, x, time)
        on_step(step, steps, x, slopes.denoised, (-time).exp())
        x = slopes.solve(target, order)
        if eta > 0:
            fresh = noise(x, (-time).exp(), (-time_next).exp())
            x = x + fresh * (s_noise * sigma_up)
    return x


def dpm_adaptive(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    order: int = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    pcoeff: float = 0.0,
    icoeff: float = 1.0,
    dcoeff: float = 0.0,
    accept_safety: float = 0.81,
    eta: float = 0.0,
    s_noise: float = 1.0,
) -> Tensor:
    """DPM-Solver-12 and -23 (Lu et al. 2022, arXiv:2206.00927, appendix C) under a PID controller.

    The difference of two orders, measured against atol + rtol as there, is the error of a step.
    Ends at the last positive sigma; the number of `sigmas` only scales what is reported.

    `h_init` is the first step, in t; pcoeff, icoeff and dcoeff are the controller's, and a step is
    taken when the next would be at least `accept_safety` times as long. `eta` and `s_noise` add
    noise as in `ancestral_step`.

    Raises:
        NodeError: steps became too small to count.
    """
    if order not in (2, 3):
        raise ValueError(f"dpm_adaptive has order 2 and 3, not {order}")
    time, end = _ends(sigmas)
    total, length = len(sigmas) - 1, float(end - time)
    # With noise the error falls slower than the order suggests.
    controller = _Controller(h_init, pcoeff, icoeff, dcoeff, 1.5 if eta else order, accept_safety)
    lower = x
    while time < end - CLOSE:
        time_next = torch.minimum(end, time + controller.h)
        target, sigma_up = _split(time, time_next, end, eta)
        slopes = _Slopes(denoise, x, time)
        done = 1 - float(end - time) / length
        on_step(min(int(done * total), total - 1), total, x, slopes.denoised, (-time).exp())
        low = slopes.solve(target, order - 1, third=order == 3)
        high = slopes.solve(target, order)
        allowed = torch.maximum(low.abs(), lower.abs()).mul(rtol).clamp(min=atol)
        error = torch.linalg.norm((low - high) / allowed) / math.sqrt(x.numel())
        if controller.accepts(float(error)):
            lower = low
            x = high
            if eta > 0:
                fresh = noise(x, (-time).exp(), (-time_next).exp())
                x = x + fresh * (s_noise * sigma_up)
            time = time_next
        if not time + controller.h > time:  # also true for NaN
            raise _too_small(float((-time).exp()), float(error), rtol, atol)
    return x


def _too_small(sigma: float, error: float, rtol: float, atol: float) -> NodeError:
    return NodeError(
        f"dpm_adaptive: no step is small enough at sigma {sigma:.4g} for rtol {rtol:g} and atol "
        f"{atol:g} (error {error:.4g}): allow more, or, if the error is not a number, compute the "
        "model with more precision (--dtype fp32)"
    )


def _ends(sigmas: Tensor) -> tuple[Tensor, Tensor]:
    """(t of the first sigma, t of the last positive one)."""
    last = sigmas[-1] if sigmas[-1] > 0 else sigmas[-2]
    return -sigmas[0].log(), -last.log()


def _split(time: Tensor, time_next: Tensor, end: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """(t of the deterministic step, noise to add there), never beyond the end."""
    if eta == 0:
        return time_next, torch.zeros_like(time)
    sigma_next = (-time_next).exp()
    down, _ = ancestral_step((-time).exp(), sigma_next, eta)
    target = torch.minimum(end, -down.log())
    sigma_up = (sigma_next**2 - (-2 * target).exp()).clamp(min=0).sqrt()
    return target, sigma_up


class _Slopes:
    """One step's evaluations, computed once and shared by the orders."""

    def __init__(self, denoise: Denoiser, x: Tensor, time: Tensor) -> None:
        self._denoise, self._x, self._time = denoise, x, time
        self._known: dict[float, Tensor] = {}
        sigma = (-time).exp()
        self.denoised = evaluate(denoise, x, sigma)
        self._slope = derivative(x, sigma, self.denoised)

    def solve(self, target: Tensor, order: int, *, third: bool = False) -> Tensor:
        """DPM-Solver-1, -2 or -3 (algorithms 1 and 2); `third` puts order 2's point at 1/3."""
        width, end = target - self._time, (-target).exp()
        growth = width.expm1()
        x = self._x - end * growth * self._slope
        if order == 1:
            return x
        if order == 2:
            r = 1 / 3 if third else 1 / 2
            change = self._at(r, width) - self._slope
            return x - end / (2 * r) * growth * change
        change = self._after(2 / 3, self._at(1 / 3, width), 1 / 3, width) - self._slope
        return x - end / (2 / 3) * (growth / width - 1) * change

    def _at(self, r: float, width: Tensor) -> Tensor:
        """The slope at fraction r of the step, by a first-order step."""
        if r not in self._known:
            time = self._time + r * width
            sigma = (-time).exp()
            u = self._x - sigma * (r * width).expm1() * self._slope
            self._known[r] = derivative(u, sigma, evaluate(self._denoise, u, sigma))
        return self._known[r]

    def _after(self, r: float, earlier: Tensor, r_earlier: float, width: Tensor) -> Tensor:
        """The slope at fraction r of the step, by a second-order step through an earlier one."""
        time = self._time + r * width
        sigma = (-time).exp()
        growth = (r * width).expm1()
        u = self._x - sigma * growth * self._slope
        bend = sigma * (r / r_earlier) * (growth / (r * width) - 1)
        u = u - bend * (earlier - self._slope)
        return derivative(u, sigma, evaluate(self._denoise, u, sigma))


@dataclass
class _Controller:
    """A PID controller of the step (Soderlind 2003, "Digital filters in adaptive time-stepping").

    `h` is multiplied by a product of powers of the last three inverse errors, limited by an
    arctangent.
    """

    h: float
    pcoeff: float
    icoeff: float
    dcoeff: float
    order: float
    accept_safety: float
    _inverses: list[float] = field(default_factory=list[float])

    def accepts(self, error: float) -> bool:
        """Whether a step with that error may be taken; sets the next `h` either way."""
        inverse = 1 / (error + 1e-8)
        self._inverses = [inverse, *(self._inverses[1:] or [inverse, inverse])]
        powers = (
            (self.pcoeff + self.icoeff + self.dcoeff) / self.order,
            -(self.pcoeff + 2 * self.dcoeff) / self.order,
            self.dcoeff / self.order,
        )
        factor = math.prod(b**p for b, p in zip(self._inverses, powers, strict=True))
        factor = 1 + math.atan(factor - 1)
        accepted = factor >= self.accept_safety
        if accepted:
            self._inverses = [inverse, inverse, self._inverses[1]]
        self.h *= factor
        return accepted
