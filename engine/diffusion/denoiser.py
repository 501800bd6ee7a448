"""The denoiser interface: a noisy x and its sigma in, the predicted clean image out.

Samplers use only this interface; networks, guidance and regions implement it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from engine.diffusion.parameterization import Parameterization


class Denoiser(Protocol):
    """A function from a noisy image to a predicted clean image."""

    @property
    def parameterization(self) -> Parameterization:
        """How sigma relates to time and to the share of signal."""
        ...

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """From x [B, C, ...] and sigma [B], or [1] for all, the denoised x of the same shape."""
        ...


@runtime_checkable
class GuidedDenoiser(Denoiser, Protocol):
    """A denoiser under classifier-free guidance that also returns the unguided (negative) half."""

    def with_unguided(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """(guided, unguided) from one evaluation; CFG++ samplers step along the second."""
        ...


class OnStep(Protocol):
    """What a sampler calls after each evaluation that opens a step."""

    def __call__(self, step: int, steps: int, x: Tensor, denoised: Tensor, sigma: Tensor) -> None:
        """`step` counts from 0 to `steps` - 1; `x` is the sample that the step started from.

        `denoised` is the denoiser's result for it at `sigma` (a 0-d tensor). The tensors may be
        retained but must not be written to. An exception raised here (`Stopped`) passes through the
        sampler.
        """
        ...


def no_report(step: int, steps: int, x: Tensor, denoised: Tensor, sigma: Tensor) -> None:
    """The `OnStep` that reports nothing."""
