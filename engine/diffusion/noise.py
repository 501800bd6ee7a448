"""Noise from a seed: the initial noise of a run, and the noise that samplers add.

Drawn as in ComfyUI, so that seeds give the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torchsde import BrownianTree

NoiseKind = Literal["none", "ancestral", "brownian", "continued"]
"""Which noise a sampler adds during a run: see `step_noise`."""

PATH_DIGITS = 6
"""Decimals of sigma that a Brownian path distinguishes; changing it changes pictures by seed."""

SEEDS = 2**64
"""Seeds count modulo this (a CPU generator uses only the lower 32 bits)."""


class StepNoise(Protocol):
    """Fresh unit noise for one stretch of a sampler's path."""

    def __call__(self, x: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """Noise of unit variance, shaped like x, for the way from sigma to sigma_next (0-d)."""
        ...


def no_noise(x: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:  # noqa: ARG001 - a StepNoise
    """Zeros, for a stochastic sampler with its stochasticity turned off."""
    return torch.zeros_like(x)


def initial_noise(
    shape: Sequence[int], seed: int, *, batch_index: Sequence[int] | None = None
) -> Tensor:
    """Unit noise [B, ...] in fp32 on the CPU, one draw for the whole batch.

    With `batch_index` row i is the batch_index[i]-th single draw of this seed (rows with the same
    index share it), so that a part of a batch can be reproduced.
    """
    return _drawn(_generator(seed), shape, batch_index)


def continued_generator(
    shape: Sequence[int], seed: int, *, batch_index: Sequence[int] | None = None
) -> torch.Generator:
    """The generator of `initial_noise` as it stands after that draw."""
    generator = _generator(seed)
    _drawn(generator, shape, batch_index)
    return generator


def _drawn(
    generator: torch.Generator, shape: Sequence[int], batch_index: Sequence[int] | None
) -> Tensor:
    if batch_index is None:
        return torch.randn(*shape, generator=generator)
    if not batch_index:
        return torch.empty(0, *shape[1:])
    draws = [torch.randn(1, *shape[1:], generator=generator) for _ in range(max(batch_index) + 1)]
    return torch.cat([draws[index] for index in batch_index])


def step_noise(
    kind: NoiseKind, x: Tensor, sigmas: Tensor, seed: int, *, on_cpu: bool = True
) -> StepNoise:
    """The noise that a sampler adds along `sigmas`, shaped like x.

    Args:
        kind: "ancestral" (also for "none", which never calls it): fresh draws of a separate
            generator. "brownian": increments of one Brownian path, so that different steps through
            the same sigmas get the same noise. "continued": further draws of the generator that
            `initial_noise` began.
        x: the sample at the first sigma.
        sigmas: the schedule; Brownian paths span its positive part.
        seed: that of the run.
        on_cpu: Brownian only: the path is drawn on the CPU, whatever the device of x.
    """
    if kind == "brownian":
        return BrownianNoise(x, sigmas, seed, on_cpu=on_cpu)
    if kind == "continued":
        return AncestralNoise(continued_generator(x.shape, seed))
    # One higher on the CPU, where the same seed would repeat the initial noise.
    own = seed + 1 if x.device.type == "cpu" else seed
    return AncestralNoise(_generator(own, x.device))


class AncestralNoise:
    """Fresh unit noise at every call, independent of the sigmas."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def __call__(self, x: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:  # noqa: ARG002 - a StepNoise
        """Noise shaped like x, in its dtype and on its device."""
        device = self._generator.device
        drawn = torch.randn(x.shape, dtype=x.dtype, device=device, generator=self._generator)
        return drawn.to(x.device)


class BrownianNoise:
    """Increments of a Brownian path over sigma, divided by the square root of its length.

    The path is virtual (Li et al. 2020, "Scalable Gradients for Stochastic Differential Equations",
    section 4): any increment can be computed, in any order, from one seed.
    """

    def __init__(self, x: Tensor, sigmas: Tensor, seed: int, *, on_cpu: bool = True) -> None:
        self._seed = seed % SEEDS
        self._device = torch.device("cpu") if on_cpu else x.device
        positive = sigmas[sigmas > 0].tolist()
        # The library rounds the ends of its path to its tolerance, and warns beyond them.
        self._ends = [round(end, PATH_DIGITS) for end in (min(positive), max(positive))]
        self._tree: BrownianTree | None = None

    def __call__(self, x: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """The increment from sigma to sigma_next, of unit variance, shaped like x."""
        tree = self._tree or self._plant(x)
        start, end = self._ends
        here, there = (min(max(float(at), start), end) for at in (sigma, sigma_next))
        increment = cast("Tensor", tree(min(here, there), max(here, there)))
        increment = increment.to(device=x.device, dtype=x.dtype)
        return (increment if here < there else -increment) / (sigma_next - sigma).abs().sqrt()

    def _plant(self, x: Tensor) -> BrownianTree:
        # Imported here: its dependency scipy takes longer to import than a small picture to sample.
        from torchsde import BrownianTree  # noqa: PLC0415

        start, end = self._ends
        origin = torch.zeros(x.shape, device=self._device)
        tolerance = 10.0**-PATH_DIGITS
        self._tree = BrownianTree(start, origin, end, entropy=self._seed, tol=tolerance)
        return self._tree


def _generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed % SEEDS)
