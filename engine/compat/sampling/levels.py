"""A plugin's `model_sampling` object as a parameterization, so that our schedules can use it."""

from __future__ import annotations

from typing import Any, Self, cast

import torch
from torch import Tensor

from engine.diffusion.parameterization import Parameterization


def levels_of(model_sampling: Any) -> Parameterization:
    """The parameterization of a `model_sampling` object, ours or a plugin's own class."""
    own = getattr(model_sampling, "value", None)
    if own is not None:
        return own
    return cast("Parameterization", Levels(model_sampling))


def levels_of_model(model: Any) -> Parameterization:
    """The same of what a sampler is called with, however deep the model lies in it."""
    inner = model
    while inner is not None:
        found = getattr(inner, "model_sampling", None)
        if found is not None:
            return levels_of(found)
        inner = getattr(inner, "inner_model", None)
    raise TypeError(
        "a sampler was called with a model that has no model_sampling; wrap it as a guider does, "
        "with inner_model"
    )


class Levels:
    """A `Parameterization` by the methods of a `model_sampling` object."""

    def __init__(self, model_sampling: Any) -> None:
        self._of = model_sampling
        self.is_flow = any(each.__name__ == "CONST" for each in type(model_sampling).__mro__)

    @property
    def sigmas(self) -> Tensor:
        """[N] the rising table of levels."""
        return self._of.sigmas

    @property
    def sigma_min(self) -> float:
        """The smallest level."""
        return float(self._of.sigma_min)

    @property
    def sigma_max(self) -> float:
        """The largest level."""
        return float(self._of.sigma_max)

    def to(self, device: torch.device) -> Self:
        """Itself: the object moves its own tables."""
        del device
        return self

    def timestep(self, sigma: Tensor) -> Tensor:
        """Sigma [B] to the network's timestep [B]."""
        return self._of.timestep(sigma)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`."""
        return self._of.sigma(timestep)

    def percent_to_sigma(self, percent: float) -> float:
        """The sigma at a share of the run."""
        return float(self._of.percent_to_sigma(percent))

    def scale_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The network's input."""
        return self._of.calculate_input(sigma, x)

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean image from the network's output."""
        return self._of.calculate_denoised(sigma, output, x)

    def add_noise(
        self, sigma: Tensor, noise: Tensor, clean: Tensor, *, full: bool = False
    ) -> Tensor:
        """The start of sampling."""
        return self._of.noise_scaling(sigma, noise, clean, full)

    def remove_noise_scale(self, sigma: Tensor, x: Tensor) -> Tensor:
        """The end of sampling."""
        return self._of.inverse_noise_scaling(sigma, x)

    def half_log_snr(self, sigma: Tensor) -> Tensor:
        """Half log SNR; see `Parameterization`."""
        return -torch.logit(sigma) if self.is_flow else -sigma.log()

    def sigma_from_half_log_snr(self, half_log_snr: Tensor) -> Tensor:
        """The inverse of `half_log_snr`."""
        return torch.sigmoid(-half_log_snr) if self.is_flow else (-half_log_snr).exp()
