"""The tables of noise levels that networks were trained on, each as a `Parameterization`.

Tables are computed in float64 where the original training code did, and rounded to float32 once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.diffusion.parameterization import (
    AlphaShift,
    Continuous,
    Discrete,
    Flow,
    Prediction,
    Shift,
)

ZERO_SNR_ALPHA = 4.8973451890853435e-08
"""The last cumulative alpha of a zero-SNR table: nearly 0, yet sigma stays finite (4519)."""


def discrete(
    prediction: Prediction | str = Prediction.EPS,
    *,
    first_beta: float = 0.00085,
    last_beta: float = 0.012,
    levels: int = 1000,
    zero_terminal_snr: bool = False,
) -> Discrete:
    """Betas linear in their square roots, as Stable Diffusion was trained.

    Rombach et al. 2022, appendix ("scaled linear" in diffusers, "linear" in the original code).
    """
    betas = torch.linspace(first_beta**0.5, last_beta**0.5, levels, dtype=torch.float64) ** 2
    alphas = (1.0 - betas).cumprod(dim=0)
    sigmas = ((1.0 - alphas) / alphas) ** 0.5
    if zero_terminal_snr:
        sigmas = rescale_zero_terminal_snr(sigmas)
    return from_table(sigmas, Prediction(prediction))


def rescale_zero_terminal_snr(sigmas: Tensor) -> Tensor:
    """A table whose last level is nearly pure noise, the first unchanged.

    Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1.
    """
    roots = (1.0 / (sigmas * sigmas + 1.0)).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    alphas = ((roots - last) * (first / (first - last))) ** 2
    alphas[-1] = ZERO_SNR_ALPHA
    return ((1.0 - alphas) / alphas) ** 0.5


def distilled(model: Discrete, *, steps: int = 50) -> Discrete:
    """Evenly chosen levels of `model`, as consistency distillation kept (Luo et al. 2023)."""
    stride = len(model.sigmas) // steps
    return from_table(model.sigmas[stride - 1 :: stride], Prediction.LCM, stride=stride)


def from_table(sigmas: Tensor, prediction: Prediction, *, stride: int = 1) -> Discrete:
    """A `Discrete` over a rising table of sigmas.

    The logarithm is taken in the dtype of `sigmas` and rounded afterwards: with a float64 table
    399 of SD1's 1,000 logarithms are others than those of the rounded sigmas.
    """
    return Discrete(sigmas.float(), sigmas.log().float(), Prediction(prediction), stride)


def continuous(
    prediction: Prediction | str = Prediction.EDM,
    *,
    sigma_min: float = 0.002,
    sigma_max: float = 80.0,
    sigma_data: float = 0.5,
) -> Continuous:
    """A thousand levels, even in log sigma."""
    log_sigmas = torch.linspace(math.log(sigma_min), math.log(sigma_max), 1000)
    return Continuous(log_sigmas.exp(), sigma_data, Prediction(prediction))


def flow(shift: Shift | float = 1.0, *, multiplier: float = 1000.0, levels: int = 1000) -> Flow:
    """A flow over `levels` even times; a number is the alpha of `AlphaShift`.

    SD3: 3. AuraFlow: 1.73, multiplier 1. FLUX: `MuShift(1.15)`, multiplier 1, 10,000 levels.
    """
    times = torch.arange(1, levels + 1, dtype=torch.float32) / levels
    form = AlphaShift(shift) if isinstance(shift, (int, float)) else shift
    return Flow(form.of(times), form, multiplier)
