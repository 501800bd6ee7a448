"""Schedulers: which noise levels a run visits. The functions are in engine/diffusion."""

from __future__ import annotations

from typing import Annotated

from engine.diffusion import published, schedules
from engine.errors import NodeError
from engine.inference import sampling_path
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.sampling import ScheduleName, Share, Steps
from nodes.sockets import Model, Sigmas

SCHEDULERS = "sampling/custom_sampling/schedulers"

Sigma = Annotated[float, Range(0.0, 5000.0, step=0.01, round=False)]
Exponent = Annotated[float, Range(0.0, 100.0, step=0.01, round=False)]
Shape = Annotated[float, Range(0.0, 50.0, step=0.01, round=False)]


@node("BasicScheduler", category=SCHEDULERS)
def basic_scheduler(
    *, model: Model, scheduler: ScheduleName, steps: Steps = 20, denoise: Share = 1.0
) -> Sigmas:
    """A KSampler's schedule by name."""
    path = sampling_path.taken()
    replaced = None if path is None else path.schedule(model, scheduler)
    schedule = replaced or schedules.SCHEDULES[scheduler]
    return schedules.tail(schedule, model.parameterization, steps, denoise)[-(steps + 1) :]


@node("KarrasScheduler", category=SCHEDULERS)
def karras_scheduler(
    steps: Steps = 20,
    sigma_max: Sigma = 14.614642,
    sigma_min: Sigma = 0.0291675,
    rho: Exponent = 7.0,
) -> Sigmas:
    """Denser towards the clean end, more so with larger `rho`."""
    _require_above_zero(rho=rho)
    return schedules.karras(steps, sigma_min, sigma_max, rho=rho)


@node("ExponentialScheduler", category=SCHEDULERS)
def exponential_scheduler(
    steps: Steps = 20, sigma_max: Sigma = 14.614642, sigma_min: Sigma = 0.0291675
) -> Sigmas:
    """Each sigma is the same fraction of the one before."""
    _require_above_zero(sigma_min=sigma_min, sigma_max=sigma_max)
    return schedules.exponential(steps, sigma_min, sigma_max)


@node("PolyexponentialScheduler", category=SCHEDULERS)
def polyexponential_scheduler(
    steps: Steps = 20,
    sigma_max: Sigma = 14.614642,
    sigma_min: Sigma = 0.0291675,
    rho: Exponent = 1.0,
) -> Sigmas:
    """A power of the exponential schedule's steps."""
    _require_above_zero(sigma_min=sigma_min, sigma_max=sigma_max)
    return schedules.polyexponential(steps, sigma_min, sigma_max, rho=rho)


def _require_above_zero(**numbers: float) -> None:
    for name, number in numbers.items():
        if number <= 0:
            raise NodeError(f"{name} is {number:g}, which has no logarithm or root; choose more")


@node("LaplaceScheduler", category=SCHEDULERS)
def laplace_scheduler(
    steps: Steps = 20,
    sigma_max: Sigma = 14.614642,
    sigma_min: Sigma = 0.0291675,
    mu: Annotated[float, Range(-10.0, 10.0, step=0.1, round=False)] = 0.0,
    beta: Annotated[float, Range(0.0, 10.0, step=0.1, round=False)] = 0.5,
) -> Sigmas:
    """Densest around the sigma whose logarithm is `mu`; ends at `sigma_min`."""
    return schedules.laplace(steps, sigma_min, sigma_max, mu=mu, beta=beta)


@node("VPScheduler", category=SCHEDULERS)
def vp_scheduler(
    steps: Steps = 20,
    beta_d: Sigma = 19.9,
    beta_min: Sigma = 0.1,
    eps_s: Annotated[float, Range(0.0, 1.0, step=0.0001, round=False)] = 0.001,
) -> Sigmas:
    """Evenly spaced in the time of a variance-preserving process."""
    return schedules.variance_preserving(steps, beta_d, beta_min, eps_s)


@node("BetaSamplingScheduler", category=SCHEDULERS)
def beta_sampling_scheduler(
    model: Model, steps: Steps = 20, alpha: Shape = 0.6, beta: Shape = 0.6
) -> Sigmas:
    """Quantiles of a beta distribution: below 1 denser at the noisy (beta) or clean (alpha) end."""
    return schedules.beta(model.parameterization, steps, alpha=alpha, beta=beta)


@node("SDTurboScheduler", category=SCHEDULERS)
def sd_turbo_scheduler(
    model: Model,
    steps: Annotated[int, Range(1, 10)] = 1,
    denoise: Annotated[float, Range(0, 1.0, step=0.01)] = 1.0,
) -> Sigmas:
    """The timesteps that Turbo models were distilled for."""
    return schedules.turbo(model.parameterization, steps, denoise=denoise)


@node("AlignYourStepsScheduler", category=SCHEDULERS)
def align_your_steps_scheduler(
    *,
    model_type: Annotated[str, Choice(*published.ALIGN_YOUR_STEPS)],
    steps: Steps = 10,
    denoise: Share = 1.0,
) -> Sigmas:
    """Levels optimised for one kind of model, for few steps."""
    return published.align_your_steps(model_type, steps, denoise=denoise)


@node("GITSScheduler", category=SCHEDULERS)
def gits_scheduler(
    coeff: Annotated[float, Range(0.8, 1.5, step=0.05)] = 1.2,
    steps: Annotated[int, Range(2, 1000)] = 10,
    denoise: Share = 1.0,
) -> Sigmas:
    """Levels derived from the shape of sampling paths; `coeff` moves them to the clean end."""
    return published.gits(coeff, steps, denoise=denoise)


@node("OptimalStepsScheduler", category=SCHEDULERS)
def optimal_steps_scheduler(
    *,
    model_type: Annotated[str, Choice(*published.OPTIMAL_STEPS)],
    steps: Annotated[int, Range(3, 1000)] = 20,
    denoise: Share = 1.0,
) -> Sigmas:
    """Levels optimised for flow models, for few steps."""
    return published.optimal_steps(model_type, steps, denoise=denoise)
