"""The values on the wires between nodes: Model, Clip, Vae, Noise, Sampler, Guider.

Frozen: a node that changes one returns a changed copy (`dataclasses.replace`), so that cached
results stay true. IMAGE, MASK, LATENT, CONDITIONING and SIGMAS are plain tensors, dicts and lists
(see nodes/sockets.py), because plugins take them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from engine.diffusion.parameterization import Parameterization
from engine.families.family import LatentFormat, ModelFamily
from engine.residency.manager import Weights

LatentOperation = Callable[[Tensor], Tensor]
"""A function of a latent tensor, as LatentApplyOperation uses it."""
GuidanceHook = Callable[..., Tensor]
"""See engine/diffusion/guidance.py for its exact signature."""


@dataclass(frozen=True, slots=True)
class Model:
    """A denoiser and how to sample with it.

    Attributes:
        guidance: replaces or follows plain classifier-free guidance, in the order added.
        options: anything a plugin hung on it.
    """

    family: ModelFamily
    config: Any
    net: Weights
    latent: LatentFormat
    parameterization: Parameterization
    guidance: tuple[GuidanceHook, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Clip:
    """A text encoder; `layer` is the clip skip (-1 the last layer, -2 the one before ...)."""

    family: ModelFamily
    config: Any
    encoder: Weights
    layer: int | None = None


@dataclass(frozen=True, slots=True)
class Vae:
    """An autoencoder between pictures and latents."""

    family: ModelFamily
    config: Any
    autoencoder: Weights
    latent: LatentFormat


class Noise(Protocol):
    """Where the starting noise comes from."""

    seed: int

    def generate_noise(self, latent: Mapping[str, Any]) -> Tensor:
        """Noise of the shape of `latent["samples"]`."""
        ...


class Sampler(Protocol):
    """A sampling function with its options filled in; see engine/inference/sample.py."""


class Guider(Protocol):
    """A model with its conditioning: everything but noise, sampler and sigmas."""
