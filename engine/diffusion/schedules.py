"""The noise levels of a sampling run: falling sigmas, followed by a 0.

The first functions use a model's trained levels, the next only the smallest and largest, the last
change a finished schedule. All are pure functions of their arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.parameterization import Parameterization
from engine.errors import NodeError

MOST_LEVELS = 1_000_000
"""Maximum number of levels in one schedule: 10,000 steps at a denoise of 0.01."""


def simple(model: Parameterization, steps: int) -> Tensor:
    """Entries of the trained table, evenly spaced from its noisy end."""
    stride = len(model.sigmas) / steps
    chosen = [-(1 + int(step * stride)) for step in range(steps)]
    return with_zero(model.sigmas[chosen])


def ddim_uniform(model: Parameterization, steps: int) -> Tensor:
    """Every n-th trained level, starting with the second (Song et al. 2021, DDIM, appendix D.2).

    May hold one level more than `steps`: the stride is a whole number.
    """
    stride = max(len(model.sigmas) // steps, 1)
    return with_zero(model.sigmas[1::stride].flip(0))


def normal(model: Parameterization, steps: int) -> Tensor:
    """Evenly spaced in the network's time, both trained ends included."""
    first, last = _ends(model)
    return with_zero(model.sigma(torch.linspace(first, last, steps)))


def sgm_uniform(model: Parameterization, steps: int) -> Tensor:
    """Evenly spaced in the network's time, the smallest trained level left out ("trailing").

    Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", table 2.
    """
    first, last = _ends(model)
    return with_zero(model.sigma(torch.linspace(first, last, steps + 1)[:-1]))


def _ends(model: Parameterization) -> tuple[float, float]:
    ends = torch.tensor([model.sigma_max, model.sigma_min])
    first, last = model.timestep(ends).tolist()
    return first, last


def beta(model: Parameterization, steps: int, *, alpha: float = 0.6, beta: float = 0.6) -> Tensor:
    """Denser at both ends: quantiles of a beta distribution over the trained table.

    Lee et al. 2024, "Beta Sampling is All You Need". Levels that round to the same entry
    count once.
    """
    # Imported here: it takes longer to load than a tiny picture takes to sample.
    from scipy.special import betaincinv  # noqa: PLC0415

    top = len(model.sigmas) - 1
    shares = 1 - torch.linspace(0, 1, steps + 1, dtype=torch.float64)[:-1].numpy()
    entries = (betaincinv(alpha, beta, shares) * top).round().astype(int).tolist()
    return with_zero(model.sigmas[list(dict.fromkeys(entries))])


def linear_quadratic(
    model: Parameterization,
    steps: int,
    *,
    threshold: float = 0.025,
    linear_steps: int | None = None,
) -> Tensor:
    """Small even steps up to `threshold` of the range, then growing ones.

    Polyak et al. 2024, "Movie Gen", section 3.4.2, with the quadratic part joining the linear one
    smoothly (as published with Mochi 1).
    """
    if steps == 1:
        return torch.tensor([model.sigma_max, 0.0])
    even = linear_steps or steps // 2
    rest = steps - even
    gap = even - threshold * steps
    square = gap / (even * rest**2)
    slope = threshold / even - 2 * gap / rest**2
    shares = [step * threshold / even for step in range(even)]
    shares += [square * (step**2 + even**2) + slope * step for step in range(even, steps)]
    return torch.tensor([1 - share for share in (*shares, 1.0)]) * model.sigma_max


def kl_optimal(model: Parameterization, steps: int) -> Tensor:
    """Evenly spaced in the angle whose tangent is sigma.

    Sabour et al. 2024, "Align Your Steps", the optimum for Gaussian data in its appendix.
    """
    share = torch.arange(steps, dtype=torch.float32) / max(steps - 1, 1)
    low, high = torch.tensor([model.sigma_min, model.sigma_max]).atan()
    return with_zero((share * low + (1 - share) * high).tan())


def model_karras(model: Parameterization, steps: int) -> Tensor:
    """`karras` between the trained ends."""
    return karras(steps, model.sigma_min, model.sigma_max)


def model_exponential(model: Parameterization, steps: int) -> Tensor:
    """`exponential` between the trained ends."""
    return exponential(steps, model.sigma_min, model.sigma_max)


Schedule = Callable[[Parameterization, int], Tensor]

SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        "simple": simple,
        "sgm_uniform": sgm_uniform,
        "karras": model_karras,
        "exponential": model_exponential,
        "ddim_uniform": ddim_uniform,
        "beta": beta,
        "normal": normal,
        "linear_quadratic": linear_quadratic,
        "kl_optimal": kl_optimal,
    }
)
"""The schedules a KSampler offers, by the names workflows use, in the order it lists them."""


def karras(steps: int, sigma_min: float, sigma_max: float, *, rho: float = 7.0) -> Tensor:
    """Karras et al. 2022, eq. 5."""
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return with_zero((high + torch.linspace(0, 1, steps) * (low - high)) ** rho)


def exponential(steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Evenly spaced in log sigma."""
    return with_zero(torch.linspace(math.log(sigma_max), math.log(sigma_min), steps).exp())


def polyexponential(steps: int, sigma_min: float, sigma_max: float, *, rho: float = 1.0) -> Tensor:
    """A polynomial of degree `rho` in log sigma; 1 is `exponential`."""
    low, high = math.log(sigma_min), math.log(sigma_max)
    return with_zero((torch.linspace(1, 0, steps) ** rho * (high - low) + low).exp())


def variance_preserving(steps: int, beta_d: float, beta_min: float, eps_s: float) -> Tensor:
    """The VP SDE of Song et al. 2021 in sigma: Karras et al. 2022, table 1 and eq. 16."""
    time = torch.linspace(1, eps_s, steps)
    return with_zero((beta_d * time**2 / 2 + beta_min * time).expm1().sqrt())


def laplace(
    steps: int, sigma_min: float, sigma_max: float, *, mu: float = 0.0, beta: float = 0.5
) -> Tensor:
    """Densest around log sigma = mu: quantiles of a Laplace distribution. No 0 at its end.

    Hang et al. 2024, "Improved Noise Schedule for Diffusion Training", table 1.
    """
    side = 0.5 - torch.linspace(0, 1, steps)
    log_sigmas = mu - beta * side.sign() * torch.log(1 - 2 * side.abs() + 1e-5)
    return log_sigmas.exp().clamp(min=sigma_min, max=sigma_max)


def turbo(model: Parameterization, steps: int, *, denoise: float = 1.0) -> Tensor:
    """The ten timesteps 999, 899 ... 99 of adversarial distillation.

    Sauer et al. 2023, "Adversarial Diffusion Distillation"; `denoise` skips the first of them.
    """
    first = 10 - int(10 * denoise)
    timesteps = (torch.arange(1, 11) * 100 - 1).flip(0)[first : first + steps]
    return with_zero(model.sigma(timesteps))


def with_zero(sigmas: Tensor) -> Tensor:
    """The same with a last 0: the clean image."""
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def skipping_penultimate(schedule: Schedule) -> Schedule:
    """One step more, then without its last level above 0: some second-order samplers need that."""

    def skipped(model: Parameterization, steps: int) -> Tensor:
        sigmas = schedule(model, steps + 1)
        return torch.cat([sigmas[:-2], sigmas[-1:]])

    return skipped


def tail(schedule: Schedule, model: Parameterization, steps: int, denoise: float) -> Tensor:
    """The last `steps` of a schedule of `steps / denoise`.

    An empty tensor at 0; the whole schedule at 1.

    Raises:
        NodeError: the whole schedule would have more than `MOST_LEVELS` steps.
    """
    if denoise <= 0.0:
        return torch.empty(0)
    if denoise > 0.9999:
        return schedule(model, steps)
    if steps > MOST_LEVELS * denoise:
        raise NodeError(
            f"denoise {denoise:g} means the last {steps:,} steps of a schedule of more than "
            f"{MOST_LEVELS:,}; choose at least {steps / MOST_LEVELS:g}, or 0 to change nothing"
        )
    return schedule(model, int(steps / denoise))[-(steps + 1) :]


def section(sigmas: Tensor, first: int, last: int, *, to_the_end: bool) -> Tensor:
    """Steps `first` to `last` of a run; empty where none is left.

    `to_the_end`: the section ends at 0, even if the run continues after it.
    """
    if last < len(sigmas) - 1:
        sigmas = sigmas[: last + 1].clone()
        if to_the_end:
            sigmas[-1] = 0
    return sigmas[first:] if first < len(sigmas) - 1 else sigmas[:0]


def split(sigmas: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """The first `step` steps and the rest; the level between them ends one and starts the other."""
    return sigmas[: step + 1], sigmas[step:]


def flipped(sigmas: Tensor) -> Tensor:
    """From clean to noisy (for samplers run backwards); a first 0 becomes a small sigma."""
    turned = sigmas.flip(0)
    if len(turned) and turned[0] == 0:
        turned[0] = 0.0001
    return turned


def extended(
    sigmas: Tensor, parts: int, *, start: float, end: float, spacing: str = "linear"
) -> Tensor:
    """Each step that starts between sigma `start` (below 0: infinity) and `end`, cut into `parts`.

    `spacing` of the cuts: "linear", "cosine" (fast, then slow) or "sine" (slow, then fast).

    Raises:
        NodeError: the result would have more than `MOST_LEVELS` levels.
    """
    if len(sigmas) * parts > MOST_LEVELS:
        raise NodeError(
            f"{len(sigmas):,} sigmas, each step cut into {parts:,}, are more than "
            f"{MOST_LEVELS:,}; cut into fewer"
        )
    share = torch.linspace(0, 1, parts + 1)[1:-1]
    if spacing == "cosine":
        share = torch.sin(share * math.pi / 2)
    elif spacing == "sine":
        share = 1 - torch.cos(share * math.pi / 2)
    top = start if start >= 0 else math.inf
    pieces: list[Tensor] = []
    for high, low in pairwise(sigmas):
        pieces.append(high[None])
        if end <= float(high) <= top:
            pieces.append(high + share.to(sigmas) * (low - high))
    return torch.cat([*pieces, sigmas[-1:]])


def loglinear(levels: Sequence[float], count: int) -> Tensor:
    """`count` levels with the ends of `levels`, interpolated linearly in log sigma.

    Sabour et al. 2024, "Align Your Steps", the method for other numbers of steps.
    """
    if count == len(levels):
        return torch.tensor(levels)
    there = np.linspace(0, len(levels) - 1, count)
    logs = np.interp(there, np.arange(len(levels)), np.log(levels))
    return torch.from_numpy(np.exp(logs)).float()


def last_steps(levels: Tensor, steps: int, denoise: float) -> Tensor:
    """The last `denoise` of a schedule of `steps`, ending clean; empty at 0."""
    if denoise <= 0.0:
        return torch.empty(0)
    sigmas = levels[-(round(steps * denoise) + 1) :].clone()
    sigmas[-1] = 0
    return sigmas
