"""Denoisers whose results are known in closed form."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from engine.diffusion.parameterization import Parameterization, discrete, flow

MODES = torch.tensor([-1.0, 1.5], dtype=torch.float64)
WEIGHTS = torch.tensor([0.4, 0.6], dtype=torch.float64)
WIDTH = 0.5


@dataclass(frozen=True)
class Mixture:
    """The exact denoiser of data drawn from two normal distributions, in one dimension.

    In one dimension the probability-flow ODE preserves quantiles, so its solution is known exactly.
    """

    parameterization: Parameterization
    unguided_shift: float = 0.0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        alpha, spread, level = self._at(sigma.reshape(-1, *[1] * (x.ndim - 1)))
        x, alpha, spread, level = (each.unsqueeze(-1) for each in (x, alpha, spread, level))
        gap = x - alpha * MODES
        share = (WEIGHTS.log() - (gap / spread) ** 2 / 2).softmax(dim=-1)
        return (share * (MODES + alpha * WIDTH**2 / spread**2 * gap)).sum(dim=-1)

    def with_unguided(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        denoised = self(x, sigma)
        return denoised, denoised - self.unguided_shift

    def moved(self, x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        """The solution of the ODE from x at sigma to target: the same quantile."""
        quantile = self._below(x, sigma)
        low, high = torch.full_like(x, -100.0), torch.full_like(x, 100.0)
        for _ in range(80):
            middle = (low + high) / 2
            under = self._below(middle, target) < quantile
            low, high = torch.where(under, middle, low), torch.where(under, high, middle)
        return (low + high) / 2

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the data."""
        mean = (WEIGHTS * MODES).sum()
        variance = (WEIGHTS * (MODES - mean) ** 2).sum() + WIDTH**2
        return mean.item(), variance.sqrt().item()

    def _below(self, x: Tensor, sigma: Tensor) -> Tensor:
        alpha, spread, _ = self._at(sigma)
        normal = torch.special.ndtr((x.unsqueeze(-1) - alpha * MODES) / spread)
        return (WEIGHTS * normal).sum(dim=-1)

    def _at(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        alpha = 1 - sigma if self.parameterization.is_flow else torch.ones_like(sigma)
        return alpha, ((alpha * WIDTH) ** 2 + sigma**2).sqrt(), sigma


@dataclass(frozen=True)
class Scripted:
    """A denoiser that returns a function of sigma, independent of x; counts its calls."""

    answer: Callable[[Tensor, Tensor], Tensor]
    parameterization: Parameterization = field(default_factory=discrete)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.answer(x, sigma.reshape(-1, *[1] * (x.ndim - 1)))


@pytest.fixture(params=["eps", "flow"])
def mixture(request) -> Mixture:
    """The mixture under an eps-like model and under a flow."""
    return Mixture(discrete() if request.param == "eps" else flow())


@pytest.fixture
def eps_mixture() -> Mixture:
    return Mixture(discrete())


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


@pytest.fixture
def make_mixture() -> type[Mixture]:
    return Mixture


@pytest.fixture
def path() -> Callable[..., Tensor]:
    """Sigmas for a mixture, falling evenly in their logarithm (in log SNR for a flow)."""

    def make(denoise: Mixture, steps: int, *, ends_clean: bool = False) -> Tensor:
        if denoise.parameterization.is_flow:
            sigmas = torch.linspace(3.0, -2.5, steps + 1, dtype=torch.float64).sigmoid()
        else:
            high, low = math.log(8.0), math.log(0.1)
            sigmas = torch.linspace(high, low, steps + 1, dtype=torch.float64).exp()
        return torch.cat([sigmas, sigmas.new_zeros(1)]) if ends_clean else sigmas

    return make


@pytest.fixture
def starts() -> Tensor:
    """Normal quantiles [7, 1] to start from, before scaling by the first sigma."""
    return torch.linspace(-1.5, 1.5, 7, dtype=torch.float64)[:, None]
