"""Nodes for LTX-Video: noise levels, the frame rate, and frames that a video is to pass through."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, NamedTuple

import torch

from engine.diffusion.parameterization import flow
from engine.diffusion.shifts import MuShift
from engine.families.bridge.ltxv import FRAME_RATE
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.conditioning import with_values
from nodes.sockets import Conditioning, Latent, Model, Sigmas

FEWEST_TOKENS, MOST_TOKENS = 1024, 4096
"""Cells of a video at which the base and the maximum shift apply."""
Shift = Annotated[float, Range(0.0, 100.0, step=0.01)]


class Pair(NamedTuple):
    """Both conditionings."""

    positive: Conditioning
    negative: Conditioning


@node("LTXVConditioning", category="conditioning/video_models")
def ltxv_conditioning(
    positive: Conditioning,
    negative: Conditioning,
    frame_rate: Annotated[float, Range(0.0, 1000.0, step=0.01)] = 25.0,
) -> Pair:
    """Tell LTX-Video how many frames a second has."""
    return Pair(*(with_values(each, **{FRAME_RATE: frame_rate}) for each in (positive, negative)))


@node("ModelSamplingLTXV", category="advanced/model")
def model_sampling_ltxv(
    model: Model,
    max_shift: Shift = 2.05,
    base_shift: Shift = 0.95,
    latent: Latent | None = None,
) -> Model:
    """Set how far noise levels are shifted towards the noise: further for larger videos.

    Without a latent, as for one of 4096 cells.
    """
    mu = _shift(max_shift, base_shift, latent)
    return replace(model, parameterization=flow(MuShift(mu), multiplier=1.0, levels=10_000))


@node("LTXVScheduler", category="sampling/custom_sampling/schedulers")
def ltxv_scheduler(
    steps: Annotated[int, Range(1, 10000)] = 20,
    max_shift: Shift = 2.05,
    base_shift: Shift = 0.95,
    stretch: bool = True,
    terminal: Annotated[float, Range(0.0, 0.99, step=0.01)] = 0.1,
    latent: Latent | None = None,
) -> Sigmas:
    """The noise levels of LTX-Video, for that number of steps and the size of that latent.

    Stretched so that the last step begins at `terminal`; a single step is left as it is.
    """
    times = torch.linspace(1.0, 0.0, steps + 1)
    shift = math.exp(_shift(max_shift, base_shift, latent))
    sigmas = torch.where(times == 0, 0.0, shift / (shift + (1.0 / times - 1.0)))
    if stretch and steps > 1:
        clean = 1.0 - sigmas[:-1]
        sigmas[:-1] = 1.0 - clean / (clean[-1] / (1.0 - terminal))
    return sigmas


def _shift(most: float, least: float, latent: Latent | None) -> float:
    """The mu of a video of that size, linear in its cells."""
    cells = MOST_TOKENS if latent is None else math.prod(latent["samples"].shape[2:])
    slope = (most - least) / (MOST_TOKENS - FEWEST_TOKENS)
    return cells * slope + (least - slope * FEWEST_TOKENS)
