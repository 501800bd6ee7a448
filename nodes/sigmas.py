"""Nodes that split and join sigmas."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

import torch

from engine.diffusion import schedules
from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range, Text
from nodes.sampling import Share, Step
from nodes.sockets import Model, Sigmas

SIGMAS = "sampling/custom_sampling/sigmas"


class SplitHalves(NamedTuple):
    """The noisy and the clean part of a run."""

    high_sigmas: Sigmas
    low_sigmas: Sigmas


@node("SplitSigmas", category=SIGMAS)
def split_sigmas(sigmas: Sigmas, step: Step = 0) -> SplitHalves:
    """Split sigmas into the first `step` steps and the rest."""
    return SplitHalves(*schedules.split(sigmas, step))


@node("SplitSigmasDenoise", category=SIGMAS)
def split_sigmas_denoise(sigmas: Sigmas, denoise: Share = 1.0) -> SplitHalves:
    """Split sigmas: the last `denoise` of the steps is the second output, the rest the first.

    If that is no step at all, the first output is empty, as in the incumbent.
    """
    steps = round(max(len(sigmas) - 1, 0) * denoise)
    if not steps:
        return SplitHalves(sigmas[:0], sigmas[-1:])
    return SplitHalves(*schedules.split(sigmas, len(sigmas) - 1 - steps))


@node("FlipSigmas", category=SIGMAS)
def flip_sigmas(sigmas: Sigmas) -> Sigmas:
    """Reverse sigmas, to run a sampler backwards."""
    return schedules.flipped(sigmas)


@node("SetFirstSigma", category=SIGMAS)
def set_first_sigma(
    sigmas: Sigmas, sigma: Annotated[float, Range(0.0, 20000.0, step=0.001, round=False)] = 136.0
) -> Sigmas:
    """Replace the first sigma."""
    changed = sigmas.clone()
    changed[:1] = sigma
    return changed


@node("ExtendIntermediateSigmas", category=SIGMAS)
def extend_intermediate_sigmas(
    *,
    sigmas: Sigmas,
    steps: Annotated[int, Range(1, 100)] = 2,
    start_at_sigma: Annotated[float, Range(-1.0, 20000.0, step=0.01, round=False)] = -1.0,
    end_at_sigma: Annotated[float, Range(0.0, 20000.0, step=0.01, round=False)] = 12.0,
    spacing: Annotated[str, Choice("linear", "cosine", "sine")],
) -> Sigmas:
    """Split each step that starts between the two sigmas into `steps` (-1: no upper bound)."""
    return schedules.extended(
        sigmas, steps, start=start_at_sigma, end=end_at_sigma, spacing=spacing
    )


@node("SamplingPercentToSigma", category=SIGMAS, output_names=("sigma_value",))
def sampling_percent_to_sigma(
    *,
    model: Model,
    sampling_percent: Annotated[float, Range(0.0, 1.0, step=0.0001)] = 0.0,
    return_actual_sigma: bool = False,
) -> float:
    """The noise level at a share of the trained schedule.

    `return_actual_sigma`: the ends are the trained levels, not a huge number and 0.
    """
    levels = model.parameterization
    if return_actual_sigma and sampling_percent in {0.0, 1.0}:
        return levels.sigma_max if sampling_percent == 0.0 else levels.sigma_min
    return levels.percent_to_sigma(sampling_percent)


@node("ManualSigmas", category="_for_testing/custom_sampling", experimental=True)
def manual_sigmas(sigmas: Annotated[str, Text(multiline=False)] = "1, 0.5") -> Sigmas:
    """Sigmas given as numbers."""
    numbers = re.findall(r"[-+]?(?:\d*\.?\d+(?:[eE][-+]?\d+)?)", sigmas)
    if sigmas.strip() and not numbers:
        raise NodeError(f"no number in {sigmas!r}; write sigmas like '14.6, 5.2, 1, 0'")
    return torch.tensor([float(number) for number in numbers])
