"""The schedules of `comfy.samplers`, and the tables to which plugins add their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.compat.sampling.levels import levels_of
from engine.diffusion import schedules


def normal_scheduler(
    model_sampling: Any, steps: int, sgm: bool = False, floor: bool = False
) -> Tensor:
    """Sigmas evenly spaced in the network's time; `sgm` leaves the smallest level out."""
    del floor
    levels = levels_of(model_sampling)
    return schedules.sgm_uniform(levels, steps) if sgm else schedules.normal(levels, steps)


def sgm_scheduler(model_sampling: Any, steps: int) -> Tensor:
    """The schedule `sgm_uniform`."""
    return normal_scheduler(model_sampling, steps, sgm=True)


def simple_scheduler(model_sampling: Any, steps: int) -> Tensor:
    """Entries of the trained table, evenly spaced."""
    return schedules.simple(levels_of(model_sampling), steps)


def ddim_scheduler(model_sampling: Any, steps: int) -> Tensor:
    """Every n-th trained level."""
    return schedules.ddim_uniform(levels_of(model_sampling), steps)


def beta_scheduler(
    model_sampling: Any, steps: int, alpha: float = 0.6, beta: float = 0.6
) -> Tensor:
    """Quantiles of a beta distribution."""
    return schedules.beta(levels_of(model_sampling), steps, alpha=alpha, beta=beta)


def linear_quadratic_schedule(
    model_sampling: Any,
    steps: int,
    threshold_noise: float = 0.025,
    linear_steps: int | None = None,
) -> Tensor:
    """Small even steps up to a share of the range, then growing ones."""
    levels = levels_of(model_sampling)
    return schedules.linear_quadratic(
        levels, steps, threshold=threshold_noise, linear_steps=linear_steps
    )


def kl_optimal_scheduler(n: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Evenly spaced in the angle whose tangent is sigma (Sabour et al. 2024)."""
    share = torch.arange(n, dtype=torch.float32) / max(n - 1, 1)
    low, high = torch.tensor([float(sigma_min), float(sigma_max)]).atan()
    return schedules.with_zero((share * low + (1 - share) * high).tan())


def get_sigmas_karras(
    n: int,
    sigma_min: float,
    sigma_max: float,
    rho: float = 7.0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Karras et al. 2022, eq. 5; ends at 0."""
    return schedules.karras(n, float(sigma_min), float(sigma_max), rho=rho).to(device)


def get_sigmas_exponential(
    n: int, sigma_min: float, sigma_max: float, device: torch.device | str = "cpu"
) -> Tensor:
    """Evenly spaced in log sigma; ends at 0."""
    return schedules.exponential(n, float(sigma_min), float(sigma_max)).to(device)


def get_sigmas_polyexponential(
    n: int,
    sigma_min: float,
    sigma_max: float,
    rho: float = 1.0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """A polynomial in log sigma; ends at 0."""
    return schedules.polyexponential(n, float(sigma_min), float(sigma_max), rho=rho).to(device)


def get_sigmas_vp(
    n: int,
    beta_d: float = 19.9,
    beta_min: float = 0.1,
    eps_s: float = 1e-3,
    device: torch.device | str = "cpu",
) -> Tensor:
    """The VP SDE's (Song et al. 2021); ends at 0."""
    return schedules.variance_preserving(n, beta_d, beta_min, eps_s).to(device)


def get_sigmas_laplace(
    n: int,
    sigma_min: float,
    sigma_max: float,
    mu: float = 0.0,
    beta: float = 0.5,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Quantiles of a Laplace distribution (Hang et al. 2024), and a last 0."""
    found = schedules.laplace(n, float(sigma_min), float(sigma_max), mu=mu, beta=beta)
    return schedules.with_zero(found).to(device)


class SchedulerHandler(NamedTuple):
    """A schedule in the table.

    Attributes:
        handler: called `(model_sampling, steps)`, or `(n=, sigma_min=, sigma_max=)`.
        use_ms: which of the two.
    """

    handler: Callable[..., Tensor]
    use_ms: bool = True


BUILTIN_HANDLERS: dict[str, SchedulerHandler] = {
    "simple": SchedulerHandler(simple_scheduler),
    "sgm_uniform": SchedulerHandler(sgm_scheduler),
    "karras": SchedulerHandler(get_sigmas_karras, use_ms=False),
    "exponential": SchedulerHandler(get_sigmas_exponential, use_ms=False),
    "ddim_uniform": SchedulerHandler(ddim_scheduler),
    "beta": SchedulerHandler(beta_scheduler),
    "normal": SchedulerHandler(normal_scheduler),
    "linear_quadratic": SchedulerHandler(linear_quadratic_schedule),
    "kl_optimal": SchedulerHandler(kl_optimal_scheduler, use_ms=False),
}
SCHEDULER_HANDLERS: dict[str, SchedulerHandler] = dict(BUILTIN_HANDLERS)
"""The table that plugins add to, by name."""
SCHEDULER_NAMES: list[str] = list(SCHEDULER_HANDLERS)
"""The list that plugins add to; `KSampler.SCHEDULERS` is the same list."""


def calculate_sigmas(model_sampling: Any, scheduler_name: str, steps: int) -> Tensor:
    """The sigmas [steps + 1] of a schedule by name, including those that plugins added.

    Raises:
        ValueError: there is no schedule of that name.
    """
    handler = SCHEDULER_HANDLERS.get(scheduler_name)
    if handler is None:
        raise ValueError(
            f"there is no schedule {scheduler_name!r}; known are {', '.join(SCHEDULER_HANDLERS)}"
        )
    if handler.use_ms:
        return handler.handler(model_sampling, steps)
    ends = float(model_sampling.sigma_min), float(model_sampling.sigma_max)
    return handler.handler(n=steps, sigma_min=ends[0], sigma_max=ends[1])
