"""Noise masks that change from step to step."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.inference.values import Model, PerRun, Start


def by_change(strength: float) -> PerRun:
    """Read a noise mask as how much each cell may change, instead of as a blend.

    Levin & Fried 2023, "Differential Diffusion: Giving Each Pixel Its Strength": a cell is painted
    from the step on at which the remaining share of the run falls to its value in the mask. Here
    shares are those of the network's timesteps between the first and the last noise level.

    Args:
        strength: 1 as in the paper; below, the mask itself is mixed in.
    """

    def start(model: Model, start: Start) -> Model:
        levels = model.parameterization
        last = max(float(start.sigmas[-1]), levels.sigma_min)
        ends = torch.stack((start.sigmas[0], torch.tensor(last)))
        first_time, last_time = levels.timestep(ends).tolist()

        def mask_at(mask: Tensor, sigma: Tensor) -> Tensor:
            now = float(levels.timestep(sigma[:1].cpu()))
            # A run of one level paints as its beginning does.
            span = first_time - last_time
            remaining = (now - last_time) / span if span else 1.0
            painted = (mask >= remaining).to(mask.dtype)
            return strength * painted + (1.0 - strength) * mask

        return replace(model, mask_at=mask_at)

    return start
