# pyright: basic
"""Noise levels of consistency distillation (Luo et al. 2023), as plugins know them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from engine.compat.models.model_sampling import ModelSamplingDiscrete
from engine.compat.models.predictions import EPS
from engine.diffusion.parameterization import Discrete, Prediction, distilled, from_table


class LCM(EPS):
    """The network is a consistency function of the noise prediction."""

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """See `EPS`."""
        shape = sigma.shape[:1] + (1,) * (model_output.ndim - 1)
        time = self.timestep(sigma).view(shape).to(model_output) * 10.0  # type: ignore[attr-defined]
        data = 0.5
        skip = data**2 / (time**2 + data**2)
        out = time / (time**2 + data**2) ** 0.5
        clean = model_input - model_output * sigma.view(shape)
        return out * clean + skip * model_input


class ModelSamplingDiscreteDistilled(ModelSamplingDiscrete):
    """Fifty evenly chosen levels of the table."""

    original_timesteps = 50

    def __init__(self, model_config: Any = None, zsnr: bool | None = None) -> None:
        super().__init__(model_config, zsnr)
        self.skip_steps = self.num_timesteps // self.original_timesteps
        whole = from_table(self.sigmas, Prediction.EPS)
        self.set_sigmas(distilled(whole, steps=self.original_timesteps).sigmas)

    def _table(self) -> Discrete:
        return from_table(self.sigmas, Prediction.EPS, stride=self.skip_steps)

    def timestep(self, sigma: Tensor) -> Tensor:
        """The timestep of the nearest level."""
        return self._table().timestep(sigma).to(sigma.device)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`."""
        return self._table().sigma(timestep)
