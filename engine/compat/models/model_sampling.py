# pyright: basic
"""What a network predicts and its noise levels, as plugins write them (`comfy.model_sampling`).

A model has an object of two classes: one for what is predicted (EPS, CONST ...), one for the noise
levels. Plugins derive from both. `levels.py` converts these objects from and to the engine's
`Parameterization`. Sigma is [B] unless stated.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.models.predictions import (
    CONST,
    COSMOS_RFLOW,
    EDM,
    EPS,
    IMG_TO_IMG,
    IMG_TO_IMG_FLOW,
    V_PREDICTION,
    X0,
    reshape_sigma,
)
from engine.diffusion.parameterization import (
    BEFORE_THE_START,
    Prediction,
    discrete,
    from_table,
)
from engine.diffusion.parameterization import rescale_zero_terminal_snr as _rescaled


def rescale_zero_terminal_snr_sigmas(sigmas: Tensor) -> Tensor:
    """A table of sigmas whose last level is nearly pure noise."""
    return _rescaled(sigmas)


def time_snr_shift(alpha: Any, t: Any) -> Any:
    """A flow's time moved towards the noise (Esser et al. 2024, eq. 23)."""
    return t if alpha == 1.0 else alpha * t / (1 + (alpha - 1) * t)


def flux_time_shift(mu: float, sigma: float, t: Any) -> Any:
    """The same in FLUX's form, with the logarithm of the shift."""
    return math.exp(mu) / (math.exp(mu) + (1 / t - 1) ** sigma)


class _Levels(nn.Module):
    """A table of noise levels.

    Attributes:
        sigmas, log_sigmas: [N], rising.
        sigma_data: the standard deviation of the data.
    """

    sigmas: Tensor
    log_sigmas: Tensor

    def _settings(self, model_config: Any) -> dict[str, Any]:
        return dict(getattr(model_config, "sampling_settings", None) or {})

    def _set_table(self, sigmas: Tensor) -> None:
        self.register_buffer("sigmas", sigmas.float())
        self.register_buffer("log_sigmas", sigmas.log().float())

    @property
    def sigma_min(self) -> Tensor:
        """The smallest level."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """The largest level."""
        return self.sigmas[-1]


class ModelSamplingDiscrete(_Levels):
    """A table of levels by timestep (DDPM)."""

    def __init__(self, model_config: Any = None, zsnr: bool | None = None) -> None:
        super().__init__()
        settings = self._settings(model_config)
        zsnr = bool(settings.get("zsnr", False)) if zsnr is None else zsnr
        self.sigma_data = 1.0
        self.num_timesteps = int(settings.get("timesteps", 1000))
        self.linear_start = settings.get("linear_start", 0.00085)
        self.linear_end = settings.get("linear_end", 0.012)
        self.zsnr = zsnr
        levels = discrete(
            first_beta=self.linear_start,
            last_beta=self.linear_end,
            levels=self.num_timesteps,
            zero_terminal_snr=zsnr,
        )
        self.register_buffer("sigmas", levels.sigmas)
        self.register_buffer("log_sigmas", levels.log_sigmas)

    def set_sigmas(self, sigmas: Tensor) -> None:
        """Replace the table."""
        self._set_table(sigmas)

    def timestep(self, sigma: Tensor) -> Tensor:
        """The nearest entry by log sigma."""
        table = from_table(self.sigmas, Prediction.EPS)
        return table.timestep(sigma).to(sigma.device)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`, between two entries along log sigma."""
        place = timestep.to(self.log_sigmas.device).float().clamp(0, len(self.sigmas) - 1)
        low, high, part = place.floor().long(), place.ceil().long(), place.frac()
        found = (1 - part) * self.log_sigmas[low] + part * self.log_sigmas[high]
        return found.exp().to(timestep.device)

    def percent_to_sigma(self, percent: float) -> float:
        """The level at a share of sampling, 0 its start and 1 its end."""
        if percent <= 0.0:
            return BEFORE_THE_START
        if percent >= 1.0:
            return 0.0
        return self.sigma(torch.tensor((1.0 - percent) * (self.num_timesteps - 1.0))).item()


class ModelSamplingDiscreteEDM(ModelSamplingDiscrete):
    """A table whose timestep is log(sigma) / 4."""

    def timestep(self, sigma: Tensor) -> Tensor:
        """See the class."""
        return 0.25 * sigma.log()

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`."""
        return (timestep / 0.25).exp()


class ModelSamplingContinuousEDM(_Levels):
    """A thousand levels evenly spaced in log sigma."""

    def __init__(self, model_config: Any = None) -> None:
        super().__init__()
        settings = self._settings(model_config)
        self.set_parameters(
            settings.get("sigma_min", 0.002),
            settings.get("sigma_max", 120.0),
            settings.get("sigma_data", 1.0),
        )

    def set_parameters(self, sigma_min: float, sigma_max: float, sigma_data: float) -> None:
        """Replace the levels."""
        self.sigma_data = sigma_data
        self._set_table(torch.linspace(math.log(sigma_min), math.log(sigma_max), 1000).exp())

    def timestep(self, sigma: Tensor) -> Tensor:
        """log(sigma) / 4 (Karras et al. 2022, table 1)."""
        return 0.25 * sigma.log()

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`."""
        return (timestep / 0.25).exp()

    def percent_to_sigma(self, percent: float) -> float:
        """See `ModelSamplingDiscrete`."""
        if percent <= 0.0:
            return BEFORE_THE_START
        if percent >= 1.0:
            return 0.0
        low, high = math.log(float(self.sigma_min)), math.log(float(self.sigma_max))
        return math.exp((high - low) * (1.0 - percent) + low)


class ModelSamplingContinuousV(ModelSamplingContinuousEDM):
    """The same with the angle of noise and signal as the timestep."""

    def timestep(self, sigma: Tensor) -> Tensor:
        """atan(sigma) as a share of a right angle."""
        return sigma.atan() / math.pi * 2

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`."""
        return (timestep * math.pi / 2).tan()


class ModelSamplingDiscreteFlow(_Levels):
    """A flow's levels, with a shift towards the noise."""

    def __init__(self, model_config: Any = None) -> None:
        super().__init__()
        settings = self._settings(model_config)
        self.set_parameters(
            shift=settings.get("shift", 1.0), multiplier=settings.get("multiplier", 1000)
        )

    def set_parameters(
        self, shift: float = 1.0, timesteps: int = 1000, multiplier: float = 1000
    ) -> None:
        """Replace the levels."""
        self.shift = shift
        self.multiplier = multiplier
        times = torch.arange(1, timesteps + 1, 1) / timesteps
        self.register_buffer("sigmas", self.sigma(times * multiplier))

    def timestep(self, sigma: Tensor) -> Tensor:
        """Sigma in the network's units."""
        return sigma * self.multiplier

    def sigma(self, timestep: Tensor) -> Tensor:
        """The shifted level of a time."""
        return time_snr_shift(self.shift, timestep / self.multiplier)

    def percent_to_sigma(self, percent: float) -> float:
        """See `ModelSamplingDiscrete`."""
        if percent <= 0.0:
            return 1.0
        if percent >= 1.0:
            return 0.0
        return time_snr_shift(self.shift, 1.0 - percent)


class ModelSamplingFlux(_Levels):
    """FLUX's levels: the logarithm of the shift, and a timestep of 0..1."""

    def __init__(self, model_config: Any = None) -> None:
        super().__init__()
        self.set_parameters(shift=self._settings(model_config).get("shift", 1.15))

    def set_parameters(self, shift: float = 1.15, timesteps: int = 10000) -> None:
        """Replace the levels."""
        self.shift = shift
        self.register_buffer("sigmas", self.sigma(torch.arange(1, timesteps + 1, 1) / timesteps))

    def timestep(self, sigma: Tensor) -> Tensor:
        """Sigma itself."""
        return sigma

    def sigma(self, timestep: Tensor) -> Tensor:
        """The shifted level of a time."""
        return flux_time_shift(self.shift, 1.0, timestep)

    def percent_to_sigma(self, percent: float) -> float:
        """See `ModelSamplingDiscrete`."""
        if percent <= 0.0:
            return 1.0
        if percent >= 1.0:
            return 0.0
        return flux_time_shift(self.shift, 1.0, 1.0 - percent)


class ModelSamplingCosmosRFlow(ModelSamplingContinuousEDM):
    """A flow's time as the timestep of levels of EDM."""

    def timestep(self, sigma: Tensor) -> Tensor:
        """Sigma / (1 + sigma)."""
        return sigma / (sigma + 1)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`, within the table."""
        largest = self.sigma_max.to(timestep.device)
        found = timestep / (1 - timestep)
        return torch.where(found.isfinite(), found, largest).clamp(max=largest)


class StableCascadeSampling(ModelSamplingDiscrete):
    """The cosine schedule of Stable Cascade (Nichol & Dhariwal 2021), shifted."""

    def __init__(self, model_config: Any = None) -> None:
        super().__init__(model_config)
        self.set_parameters(self._settings(model_config).get("shift", 1.0))

    def set_parameters(self, shift: float = 1.0, cosine_s: float = 8e-3) -> None:
        """Replace the levels."""
        self.shift = shift
        self.cosine_s = torch.tensor(cosine_s)
        self._start = torch.cos(self.cosine_s / (1 + self.cosine_s) * math.pi * 0.5) ** 2
        self.num_timesteps = 10000
        self.set_sigmas(self.sigma(torch.arange(1, 10001) / 10000))

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level of a time 0..1."""
        angle = (timestep + self.cosine_s) / (1 + self.cosine_s) * math.pi * 0.5
        alpha = (angle.cos() ** 2 / self._start).clamp(0, 1)
        if self.shift != 1.0:
            log_snr = (alpha / (1 - alpha)).log() + 2 * math.log(1.0 / self.shift)
            alpha = log_snr.sigmoid()
        alpha = alpha.clamp(0.0001, 0.9999)
        return ((1 - alpha) / alpha) ** 0.5

    def timestep(self, sigma: Tensor) -> Tensor:
        """The inverse of `sigma`."""
        alpha = 1 / (sigma * sigma + 1)
        if self.shift != 1.0:
            alpha = ((alpha / (1 - alpha)).log() + 2 * math.log(self.shift)).sigmoid()
        angle = ((alpha * self._start.to(alpha)) ** 0.5).clamp(0, 1).acos()
        shift = self.cosine_s.to(alpha)
        return (angle / (math.pi * 0.5)) * (1 + shift) - shift

    def percent_to_sigma(self, percent: float) -> float:
        """See `ModelSamplingDiscrete`."""
        if percent <= 0.0:
            return BEFORE_THE_START
        return self.sigma(torch.tensor(1.0 - percent)).item() if percent < 1.0 else 0.0


__all__ = [
    "CONST",
    "COSMOS_RFLOW",
    "EDM",
    "EPS",
    "IMG_TO_IMG",
    "IMG_TO_IMG_FLOW",
    "V_PREDICTION",
    "X0",
    "ModelSamplingContinuousEDM",
    "ModelSamplingContinuousV",
    "ModelSamplingCosmosRFlow",
    "ModelSamplingDiscrete",
    "ModelSamplingDiscreteEDM",
    "ModelSamplingDiscreteFlow",
    "ModelSamplingFlux",
    "StableCascadeSampling",
    "flux_time_shift",
    "rescale_zero_terminal_snr_sigmas",
    "reshape_sigma",
    "time_snr_shift",
]
