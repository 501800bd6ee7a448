"""Rotary positions stretched beyond the length that a language model was trained with first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Yarn:
    """Positions stretched beyond the length of training (Peng et al. 2023, section 3.2).

    Attributes:
        factor: slow frequencies are divided by it.
        length: of training.
        fast, slow: turns within that length from which a frequency stays, and below which it is
            divided; between them a mixture.
    """

    factor: float
    length: int
    fast: float = 32.0
    slow: float = 1.0

    def stretched(self, frequencies: Tensor, theta: float) -> Tensor:
        """The frequencies [C / 2] of a base `theta`, from fast to slow."""
        channels = 2 * len(frequencies)

        def place(turns: float) -> float:
            return channels * math.log(self.length / (turns * 2 * math.pi)) / (2 * math.log(theta))

        first = max(math.floor(place(self.fast)), 0)
        last = min(math.ceil(place(self.slow)), channels - 1)
        steps = torch.arange(len(frequencies), device=frequencies.device)
        share = ((steps - first) / max(last - first, 1e-3)).clamp(0, 1)
        return frequencies * (1 - share) + frequencies / self.factor * share


@dataclass(frozen=True, slots=True)
class Llama31Stretch:
    """The same by the length of a wave, as Llama 3.1 does (Dubey et al. 2024, arXiv 2407.21783).

    The formula is that of transformers (Apache-2.0), modeling_rope_utils.py.

    Attributes:
        factor: slow frequencies are divided by it.
        length: of the first training.
        fast, slow: turns within that length from which a frequency stays, and below which it is
            divided; between them a mixture.
    """

    factor: float
    length: int
    fast: float = 4.0
    slow: float = 1.0

    def stretched(self, frequencies: Tensor, theta: float) -> Tensor:
        """See `Yarn`."""
        del theta
        turns = frequencies * (self.length / (2 * math.pi))
        share = ((turns - self.slow) / (self.fast - self.slow)).clamp(0, 1)
        return frequencies * share + frequencies / self.factor * (1 - share)
