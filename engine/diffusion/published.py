"""Noise levels published in papers as numbers, each optimised for one kind of model.

The lists are interpolated where another number of steps is requested.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from torch import Tensor

from engine.diffusion.schedules import last_steps, loglinear

ALIGN_YOUR_STEPS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "SD1": (
            *(14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092),
            *(0.9642583904, 0.6523686016, 0.3977456272, 0.1515232662, 0.0291671582),
        ),
        "SDXL": (
            *(14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141),
            *(0.5550693289, 0.3798540708, 0.2332364134, 0.1114188177, 0.0291671582),
        ),
        "SVD": (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002),
    }
)
"""Sabour et al. 2024, "Align Your Steps", ten steps."""

OPTIMAL_STEPS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "FLUX": (
            *(0.9968, 0.9886, 0.9819, 0.975, 0.966, 0.9471, 0.9158, 0.8287, 0.5512, 0.2808),
            *(0.001,),
        ),
        "Wan": (
            *(1.0, 0.997, 0.995, 0.993, 0.991, 0.989, 0.987, 0.985, 0.98, 0.975, 0.973, 0.968),
            *(0.96, 0.946, 0.927, 0.902, 0.864, 0.776, 0.539, 0.208, 0.001),
        ),
        "Chroma": (
            *(0.992, 0.99, 0.988, 0.985, 0.982, 0.978, 0.973, 0.968, 0.961, 0.953, 0.943, 0.931),
            *(0.917, 0.9, 0.881, 0.858, 0.832, 0.802, 0.769, 0.731, 0.69, 0.646, 0.599, 0.55),
            *(0.501, 0.451, 0.402, 0.355, 0.311, 0.27, 0.232, 0.199, 0.169, 0.143, 0.12, 0.101),
            *(0.084, 0.07, 0.058, 0.048, 0.001),
        ),
    }
)
"""Pei et al. 2025, "Optimal Stepsize for Diffusion Sampling", with the model's shift already
applied."""

GITS_STEPS = 20
"""The GITS table holds a row for each number of steps from 2 to this."""


def align_your_steps(kind: str, steps: int, *, denoise: float = 1.0) -> Tensor:
    """The last `denoise` of a schedule of `ALIGN_YOUR_STEPS`; empty at 0."""
    return last_steps(loglinear(ALIGN_YOUR_STEPS[kind], steps + 1), steps, denoise)


def optimal_steps(kind: str, steps: int, *, denoise: float = 1.0) -> Tensor:
    """The last `denoise` of a schedule of `OPTIMAL_STEPS`; empty at 0."""
    return last_steps(loglinear(OPTIMAL_STEPS[kind], steps + 1), steps, denoise)


def gits(coefficient: float, steps: int, *, denoise: float = 1.0) -> Tensor:
    """Chen et al. 2024, "On the Trajectory Regularity of ODE-based Diffusion Sampling" (GITS).

    Args:
        coefficient: 0.8 to 1.5 in steps of 0.05: how much weight the last, smallest levels get.
        steps: beyond `GITS_STEPS` the last row is interpolated.
        denoise: the share of the schedule that is kept, from its end; empty at 0.
    """
    levels = gits_levels(coefficient, min(steps, GITS_STEPS))
    return last_steps(loglinear(levels, steps + 1), steps, denoise)


def gits_levels(coefficient: float, steps: int) -> list[float]:
    """The row of the GITS table for 2 to `GITS_STEPS` steps; its last level is above 0."""
    table = json.loads((Path(__file__).parent / "data" / "gits.json").read_text())
    nearest = round(coefficient * 20) / 20
    return [table["levels"][entry] for entry in table["chosen"][f"{nearest:.2f}"][steps - 2]]
