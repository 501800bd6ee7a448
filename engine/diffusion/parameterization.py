"""What a network predicts and how sigma maps to its timestep: eps, v, x0, flow.

A sketch of the seam; see the module's final form.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Parameterization(Protocol):
    """How one trained network is preconditioned (Karras et al. 2022, table 1).

    Attributes:
        sigmas: [N] rising table of the trained noise levels (1,000 for SD1).
        is_flow: rectified flow: x = (1 - sigma) * clean + sigma * noise.
    """

    sigmas: Tensor
    is_flow: bool

    @property
    def sigma_min(self) -> float: ...
    @property
    def sigma_max(self) -> float: ...

    def timestep(self, sigma: Tensor) -> Tensor:
        """sigma [B] to the network's timestep [B]."""
        ...

    def sigma(self, timestep: Tensor) -> Tensor: ...

    def percent_to_sigma(self, percent: float) -> float:
        """0 = the start of sampling (a huge sigma), 1 = the end (0)."""
        ...

    def scale_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """c_in * x."""
        ...

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean image from the network's raw output and the unscaled x."""
        ...

    def add_noise(self, sigma: Tensor, noise: Tensor, clean: Tensor, *, full: bool = False) -> Tensor:
        """Start of sampling: `clean + noise * sigma`, or the flow's interpolation.

        `full`: sigma is about sigma_max, and eps models start from noise * sqrt(1 + sigma^2).
        """
        ...

    def remove_noise_scale(self, sigma: Tensor, x: Tensor) -> Tensor:
        """End of sampling: what a leftover-noise latent is handed on as."""
        ...
