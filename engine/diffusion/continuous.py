"""Networks with continuous time: EDM, EDM v, v over an angle, and a flow treated as EDM.

They share a table evenly spaced in log sigma, and the coordinates of Karras et al. 2022; they
differ in the timestep passed to the network, and in what it predicts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from engine.diffusion.parameterization import (
    Prediction,
    VarianceExploding,
    clean_image,
    like,
)


class Clock(StrEnum):
    """The timestep that is passed to the network.

    Attributes:
        LOG: log(sigma) / 4 (Karras et al. 2022, table 1, c_noise).
        ANGLE: the angle of noise and signal, atan(sigma), as a share of a right angle
            (Salimans & Ho 2022, appendix D, phi).
        FLOW: the time of a rectified flow of the same noise level, sigma / (1 + sigma).
    """

    LOG = "log"
    ANGLE = "angle"
    FLOW = "flow"


@dataclass(frozen=True, eq=False, slots=True)
class Continuous(VarianceExploding):
    """A network trained on continuous sigmas: EDM (Playground 2.5), EDM v (CosXL, SVD).

    Attributes:
        sigma_data: standard deviation of the data.
        prediction: what the raw output is; ignored for a flow's clock, whose output is a velocity.
        clock: the network's timestep.
    """

    sigma_data: float = 0.5
    prediction: Prediction = Prediction.EDM
    clock: Clock = Clock.LOG

    def to(self, device: torch.device) -> Continuous:
        """The same, its table on `device`."""
        return replace(self, sigmas=self.sigmas.to(device))

    def timestep(self, sigma: Tensor) -> Tensor:
        """See `Clock`."""
        if self.clock is Clock.ANGLE:
            return sigma.atan() / math.pi * 2
        if self.clock is Clock.FLOW:
            return sigma / (sigma + 1.0)
        return 0.25 * sigma.log()

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`; for a flow, limited to the range of the table."""
        if self.clock is Clock.ANGLE:
            return (timestep * math.pi / 2).tan()
        if self.clock is Clock.FLOW:
            sigma = timestep / (1.0 - timestep)
            return torch.where(sigma.isfinite(), sigma, self.sigma_max).clamp(max=self.sigma_max)
        return (timestep / 0.25).exp()

    def _at(self, percent: float) -> float:
        low, high = math.log(self.sigma_min), math.log(self.sigma_max)
        return math.exp((high - low) * (1.0 - percent) + low)

    def scale_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Scale to unit variance (c_in of Karras et al. 2022, table 1), or to a flow's x."""
        if self.clock is Clock.FLOW:
            return x * (1.0 - like(self.timestep(sigma), x))
        return x / like((sigma**2 + self.sigma_data**2) ** 0.5, x)

    def add_noise(
        self, sigma: Tensor, noise: Tensor, clean: Tensor, *, full: bool = False
    ) -> Tensor:
        """Like the base class; a flow's noise is not scaled up at the start."""
        full = full and self.clock is not Clock.FLOW
        scale = (1.0 + sigma**2) ** 0.5 if full else sigma
        return clean + noise * like(scale, noise)

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean image, according to what this network was trained to predict."""
        if self.clock is Clock.FLOW:
            time = like(self.timestep(sigma), x)
            return x * (1.0 - time) - output * time
        return clean_image(self.prediction, output, x, like(sigma, x), self.sigma_data)


def continuous(
    prediction: Prediction | str = Prediction.EDM,
    *,
    sigma_min: float = 0.002,
    sigma_max: float = 80.0,
    sigma_data: float = 0.5,
    clock: Clock = Clock.LOG,
) -> Continuous:
    """A thousand levels, evenly spaced in log sigma."""
    log_sigmas = torch.linspace(math.log(sigma_min), math.log(sigma_max), 1000)
    return Continuous(log_sigmas.exp(), sigma_data, Prediction(prediction), clock)
