"""The one seam of the maths: a denoiser takes a noisy x and its sigma and returns the clean image
it believes in. Samplers see nothing else; networks, guidance and regions hide behind it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from engine.diffusion.parameterization import Parameterization


class Denoiser(Protocol):
    """x [B, C, ...] and sigma [B] (or [1]) to the denoised x, same shape and dtype."""

    parameterization: Parameterization

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor: ...


@runtime_checkable
class GuidedDenoiser(Denoiser, Protocol):
    """A denoiser under classifier-free guidance that also tells the unguided (negative) half."""

    def with_unguided(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """(guided, unguided) from one evaluation; CFG++ samplers step along the second."""
        ...
