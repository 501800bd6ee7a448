"""The path that sampling takes: the engine's own, or one that plugins changed.

Plugins bring guiders and samplers of their own, add names to the menus and replace functions of the
host. The worker then takes a path that calls what they expect to be called. Without plugins there
is none, and nothing here costs anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from engine.diffusion.denoiser import OnStep
from engine.diffusion.schedules import Schedule
from engine.families.family import Checkpoint
from engine.inference.values import Conditioning, Guider, Model, Noise, Sampler


@dataclass(frozen=True, slots=True, eq=False)
class KSamplerCall:
    """What a KSampler node runs.

    Attributes:
        latent: the value of a LATENT wire.
        denoise: the share of the schedule that is run.
        adds_noise: whether the latent gets noise first.
        first, last: the steps that are run; None: all.
        to_the_end: whether the last of them ends without noise.
    """

    model: Model
    seed: int
    steps: int
    cfg: float
    sampler: str
    schedule: str
    positive: Conditioning
    negative: Conditioning
    latent: Mapping[str, Any]
    denoise: float = 1.0
    adds_noise: bool = True
    first: int | None = None
    last: int | None = None
    to_the_end: bool = False


class SamplingPath(Protocol):
    """What samples instead of the engine, where it wants to."""

    def wants(self, guider: Guider, sampler: Sampler) -> bool:
        """Whether it samples with these."""
        ...

    def sample(
        self,
        guider: Guider,
        noise: Noise,
        sampler: Sampler,
        sigmas: Tensor,
        latent: Mapping[str, Any],
        *,
        checkpoint: Checkpoint,
        on_step: OnStep,
    ) -> tuple[Tensor, Tensor]:
        """(samples, denoised), see `engine.inference.sample.sample`."""
        ...

    def wants_call(self, call: KSamplerCall) -> bool:
        """Whether it runs this call of a KSampler."""
        ...

    def ksampler(self, call: KSamplerCall, *, checkpoint: Checkpoint, on_step: OnStep) -> Tensor:
        """Run a KSampler; returns samples [B, C, ...] on the CPU."""
        ...

    def sampler(self, name: str) -> Sampler | None:
        """The sampler of a name, if plugins added or replaced it."""
        ...

    def schedule(self, model: Model, name: str) -> Schedule | None:
        """A model's schedule by name, if plugins added or replaced it."""
        ...


class _Taken:
    """The path of this process; a worker serves one device, and loads plugins once."""

    path: SamplingPath | None = None


def take(path: SamplingPath | None) -> None:
    """Sample by this path from now on; None: by the engine's own."""
    _Taken.path = path


def taken() -> SamplingPath | None:
    """The path that was taken."""
    return _Taken.path
