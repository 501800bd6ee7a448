"""Maps of a flow's time that spend more steps near the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

Number = TypeVar("Number", float, Tensor)


class Shift(Protocol):
    """A monotone map of a flow's time 0..1 onto itself, denser near the noise."""

    def of(self, time: Number) -> Number:
        """The shifted time."""
        ...


@dataclass(frozen=True, slots=True)
class AlphaShift:
    """alpha t / (1 + (alpha - 1) t): Esser et al. 2024, eq. 23 (SD3, AuraFlow, Wan)."""

    alpha: float = 1.0

    def of(self, time: Number) -> Number:
        """The shifted time."""
        if self.alpha == 1.0:
            return time
        return self.alpha * time / (1.0 + (self.alpha - 1.0) * time)


@dataclass(frozen=True, slots=True)
class MuShift:
    """e^mu / (e^mu + 1 / t - 1): FLUX.

    The same curve as `AlphaShift(e^mu)`; in float32 the last bits differ, so it is computed as FLUX
    computes it.
    """

    mu: float

    def of(self, time: Number) -> Number:
        """The shifted time."""
        alpha = math.exp(self.mu)
        return alpha / (alpha + (1.0 / time - 1.0))
