# pyright: basic
"""Conversion between `Parameterization` and the objects of `model_sampling.py`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.compat.models import model_sampling as objects
from engine.diffusion.continuous import Clock, Continuous
from engine.diffusion.parameterization import Discrete, Flow, Parameterization, Prediction
from engine.diffusion.shifts import MuShift

PREDICTIONS: Mapping[Prediction, type] = {
    Prediction.EPS: objects.EPS,
    Prediction.V: objects.V_PREDICTION,
    Prediction.X0: objects.X0,
    Prediction.EDM: objects.EDM,
    Prediction.LCM: objects.EPS,
    Prediction.IMAGE: objects.IMG_TO_IMG,
}


class OfValue:
    """The first base of objects made from a `Parameterization`, which computes for them.

    Until a plugin changes the levels: then the other bases do.
    """

    @property
    def parameterization(self) -> Parameterization | None:
        """The levels it was made from, unless a plugin changed them."""
        return self.__dict__.get("value")

    def _changed(self) -> None:
        if "value" in self.__dict__:
            self.__dict__["value"] = None

    def set_sigmas(self, sigmas: Tensor) -> None:
        """See `ModelSamplingDiscrete`."""
        self._changed()
        super().set_sigmas(sigmas)  # type: ignore[misc]

    def set_parameters(self, *args: Any, **kwargs: Any) -> None:
        """See the classes of levels."""
        self._changed()
        super().set_parameters(*args, **kwargs)  # type: ignore[misc]

    def __getattribute__(self, name: str) -> Any:
        if name in _NAMES:
            value = object.__getattribute__(self, "__dict__").get("value")
            if value is not None:
                return getattr(value, _NAMES[name])
        return super().__getattribute__(name)

    def noise_scaling(
        self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False
    ) -> Tensor:
        """See `EPS`."""
        value = self.__dict__.get("value")
        if value is None:
            return super().noise_scaling(sigma, noise, latent_image, max_denoise)  # type: ignore[misc]
        return value.add_noise(sigma.reshape(-1), noise, latent_image, full=max_denoise)

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """See `EPS`."""
        value = self.__dict__.get("value")
        if value is None:
            return super().inverse_noise_scaling(sigma, latent)  # type: ignore[misc]
        return value.remove_noise_scale(sigma.reshape(-1), latent)

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """See `EPS`."""
        value = self.__dict__.get("value")
        if value is None:
            return super().calculate_input(sigma, noise)  # type: ignore[misc]
        return value.scale_input(noise, _rows(sigma))

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """See `EPS`."""
        value = self.__dict__.get("value")
        if value is None:
            return super().calculate_denoised(sigma, model_output, model_input)  # type: ignore[misc]
        return value.denoised(model_output, model_input, _rows(sigma))


_NAMES: Mapping[str, str] = {
    "timestep": "timestep",
    "sigma": "sigma",
    "percent_to_sigma": "percent_to_sigma",
}


def _rows(sigma: Tensor) -> Tensor:
    """Sigma [B] from sigma of one number, [B], or [B, 1, ...]."""
    return sigma if sigma.ndim == 1 else sigma.reshape(-1)


def sampling_object(value: Parameterization, settings: Any = None) -> Any:
    """The object of a model's levels: of the classes that plugins test for."""
    if isinstance(value, ForeignLevels):
        return value.made
    levels, predicted = _classes(value)
    name = "ModelSampling"
    kind: Any = type(name, (OfValue, levels, predicted), {"__module__": objects.__name__})
    made = kind(settings)
    made.register_buffer("sigmas", value.sigmas)
    if "log_sigmas" in made._buffers:
        made.register_buffer("log_sigmas", value.sigmas.log())
    if isinstance(value, Discrete):
        made.register_buffer("log_sigmas", value.log_sigmas)
        made.num_timesteps = len(value.sigmas)
    if isinstance(value, Continuous):
        made.sigma_data = value.sigma_data
    if isinstance(value, Flow):
        made.multiplier = value.multiplier
        made.shift = getattr(value.shift, "alpha", getattr(value.shift, "mu", 1.0))
    made.__dict__["value"] = value
    return made


def _classes(value: Parameterization) -> tuple[type, type]:
    if isinstance(value, Flow):
        if isinstance(value.shift, MuShift):
            return objects.ModelSamplingFlux, objects.CONST
        return objects.ModelSamplingDiscreteFlow, objects.CONST
    if isinstance(value, Continuous):
        if value.clock is Clock.FLOW:
            return objects.ModelSamplingCosmosRFlow, objects.COSMOS_RFLOW
        angle = value.clock is Clock.ANGLE
        continuous = objects.ModelSamplingContinuousEDM
        return (
            objects.ModelSamplingContinuousV if angle else continuous,
            PREDICTIONS[value.prediction],
        )
    predicted = getattr(value, "prediction", Prediction.EPS)
    return objects.ModelSamplingDiscrete, PREDICTIONS[predicted]


def value_of(made: Any) -> Parameterization:
    """The levels of an object, which a plugin may have made or changed."""
    value = getattr(made, "__dict__", {}).get("value")
    own = type(made).__module__ == objects.__name__ and isinstance(made, OfValue)
    return value if own and value is not None else ForeignLevels(made)


@dataclass(frozen=True, eq=False)
class ForeignLevels:
    """An object of a plugin's as the engine's `Parameterization`.

    Attributes:
        made: the object.
    """

    made: Any

    @property
    def sigmas(self) -> Tensor:
        """See `Parameterization`."""
        return self.made.sigmas

    @property
    def is_flow(self) -> bool:
        """See `Parameterization`."""
        return isinstance(self.made, objects.CONST)

    @property
    def sigma_min(self) -> float:
        """See `Parameterization`."""
        return float(self.made.sigma_min)

    @property
    def sigma_max(self) -> float:
        """See `Parameterization`."""
        return float(self.made.sigma_max)

    def to(self, device: torch.device) -> ForeignLevels:
        """See `Parameterization`."""
        if not hasattr(self.made, "to") or self.sigmas.device == device:
            return self
        return ForeignLevels(copy.copy(self.made).to(device))

    def timestep(self, sigma: Tensor) -> Tensor:
        """See `Parameterization`."""
        return self.made.timestep(sigma)

    def sigma(self, timestep: Tensor) -> Tensor:
        """See `Parameterization`."""
        return self.made.sigma(timestep)

    def percent_to_sigma(self, percent: float) -> float:
        """See `Parameterization`."""
        return float(self.made.percent_to_sigma(percent))

    def scale_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """See `Parameterization`."""
        return self.made.calculate_input(sigma, x)

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """See `Parameterization`."""
        return self.made.calculate_denoised(sigma, output, x)

    def add_noise(
        self, sigma: Tensor, noise: Tensor, clean: Tensor, *, full: bool = False
    ) -> Tensor:
        """See `Parameterization`."""
        return self.made.noise_scaling(sigma, noise, clean, full)

    def remove_noise_scale(self, sigma: Tensor, x: Tensor) -> Tensor:
        """See `Parameterization`."""
        return self.made.inverse_noise_scaling(sigma, x)

    def half_log_snr(self, sigma: Tensor) -> Tensor:
        """See `Parameterization`."""
        return -torch.logit(sigma) if self.is_flow else -sigma.log()

    def sigma_from_half_log_snr(self, half_log_snr: Tensor) -> Tensor:
        """See `Parameterization`."""
        if self.is_flow:
            return torch.sigmoid(-half_log_snr)
        return (-half_log_snr).exp()
