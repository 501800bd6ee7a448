"""UniPC: a predictor and a corrector of the same order, one evaluation per step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep
from engine.diffusion.samplers.steps import evaluate

LAST_SIGMA = 0.001
"""The last sigma used for a schedule that ends in 0, because log 0 is not finite."""

MAX_ORDER = 3


def uni_pc(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    *,
    on_step: OnStep,
    variant: Literal["bh1", "bh2"] = "bh1",
) -> Tensor:
    """UniPC-p (Zhao et al. 2023, arXiv:2302.04867, algorithms 5 to 8: data prediction, multistep).

    Written for x = clean + sigma noise, with lambda = -log sigma. The order rises to 3 and falls
    again towards the end. The clean image predicted at a point corrects the step to it and serves
    as history, without a second evaluation. `variant` is B(h): h, or e^h - 1.
    """
    steps = len(sigmas) - 1
    half_logs: list[float] = _half_log_snr(sigmas).tolist()
    max_order = max(1, min(MAX_ORDER, steps - 1))
    images: list[Tensor] = []
    start = x
    for step in range(steps):
        sigma = sigmas[step]
        denoised = evaluate(denoise, x, sigma)
        on_step(step, steps, x, denoised, sigma)
        if step > 0:
            order = _order(step, steps, max_order)
            x = _move(start, images, half_logs[: step + 1], order, variant, corrected=denoised)
        images = [denoised, *images][:MAX_ORDER]
        start = x
        order = _order(step + 1, steps, max_order)
        x = _move(start, images, half_logs[: step + 2], order, variant)
    return x


def _half_log_snr(sigmas: Tensor) -> Tensor:
    """Minus log sigma, by way of the scales of signal and noise of the VP-SDE.

    In single precision this loses digits of small sigmas that log sigma would retain. The method's
    first implementation does the same, and pictures by seed depend on it.
    """
    reached = torch.cat([sigmas[:-1], sigmas[-1:].where(sigmas[-1:] > 0, LAST_SIGMA)])
    log_signal = (1 / (reached**2 + 1)).log() / 2
    noise = (1 - (2 * log_signal).exp()).sqrt()
    return log_signal - noise.log()


def _order(target: int, steps: int, max_order: int) -> int:
    """The order of the step to sigmas[target]."""
    return target if target < max_order else min(max_order, steps + 1 - target)


def _move(
    x: Tensor,
    images: Sequence[Tensor],
    half_logs: Sequence[float],
    order: int,
    variant: str,
    *,
    corrected: Tensor | None = None,
) -> Tensor:
    """Step from the second-to-last half log SNR to the last.

    `images` are the clean images so far, the newest (at the start of the step) first. `corrected`
    is the one at the end of the step if it is known: then this is UniC, else UniP.
    """
    start, end = half_logs[-2:]
    width = end - start
    growth = math.expm1(-width)
    ratios = [(half_logs[-2 - back] - start) / width for back in range(1, order)]
    changes = [(images[back] - images[0]) / ratio for back, ratio in enumerate(ratios, start=1)]
    if corrected is not None:
        ratios, changes = [*ratios, 1.0], [*changes, corrected - images[0]]
    scale = -width if variant == "bh1" else growth
    x = math.exp(-width) * x - growth * images[0]
    for weight, change in zip(_weights(ratios, -width, scale), changes, strict=True):
        x = x - scale * weight * change
    return x


def _weights(ratios: Sequence[float], width: float, scale: float) -> Sequence[float]:
    """a_m of theorem 3.1: sum_m a_m r_m^(n-1) = n! phi_(n+1) h / B(h) for n = 1 ...

    One unknown is taken as 1/2, which holds to the needed order.
    """
    count = len(ratios)
    if count <= 1:
        return [0.5] * count
    phi = math.expm1(width) / width - 1
    right = []
    for power in range(1, count + 1):
        right.append(phi * math.factorial(power) / scale)
        phi = phi / width - 1 / math.factorial(power + 1)
    left = np.vander(np.array(ratios), increasing=True).T
    return np.linalg.solve(left, np.array(right)).tolist()
