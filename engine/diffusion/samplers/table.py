"""Every sampler by the name that workflows use, with the noise it asks for and its own knobs.

The order of the table is the order of the menus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from torch import Tensor

from engine.diffusion.denoiser import Denoiser, OnStep, no_report
from engine.diffusion.noise import NoiseKind, step_noise
from engine.diffusion.samplers.euler import (
    euler,
    euler_ancestral,
    euler_ancestral_cfg_pp,
    euler_cfg_pp,
)
from engine.diffusion.samplers.heun import heun, heunpp2
from engine.diffusion.samplers.multistep import dpmpp_2m, dpmpp_2m_cfg_pp


@dataclass(frozen=True, slots=True)
class SamplerSpec:
    """A sampler and what it needs from whoever runs it.

    Attributes:
        function: `(denoise, x, sigmas, *, on_step, **knobs)`, and `noise` where `noise` is set.
        noise: what it adds on the way; "none" for a deterministic sampler.
        noise_on_cpu: Brownian noise is drawn on the CPU, so that it is the same on any device.
        drops_penultimate: schedules are made one step longer and lose the last sigma but one.
        unguided: it steps along the unguided image (CFG++), see `GuidedDenoiser`.
        knobs: its options, where they differ from the function's own defaults.
    """

    function: Callable[..., Tensor]
    noise: NoiseKind = "none"
    noise_on_cpu: bool = True
    drops_penultimate: bool = False
    unguided: bool = False
    knobs: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def run(
        self,
        denoise: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        *,
        seed: int,
        on_step: OnStep = no_report,
        **knobs: Any,
    ) -> Tensor:
        """Walk x [B, C, ...] down `sigmas` [steps + 1]; knobs given here override the table's.

        Returns x at the last sigma. Nothing happens on a schedule without a step.
        """
        if len(sigmas) < 2:
            return x
        sigmas = sigmas.cpu()
        knobs = {**self.knobs, **knobs}
        if self.noise != "none":
            noise = step_noise(self.noise, x, sigmas, seed, on_cpu=self.noise_on_cpu)
            knobs["noise"] = noise
        return self.function(denoise, x, sigmas, on_step=on_step, **knobs)


SAMPLERS: Mapping[str, SamplerSpec] = MappingProxyType(
    {
        "euler": SamplerSpec(euler),
        "euler_cfg_pp": SamplerSpec(euler_cfg_pp, unguided=True),
        "euler_ancestral": SamplerSpec(euler_ancestral, "ancestral"),
        "euler_ancestral_cfg_pp": SamplerSpec(euler_ancestral_cfg_pp, "ancestral", unguided=True),
        "heun": SamplerSpec(heun),
        "heunpp2": SamplerSpec(heunpp2),
        "dpmpp_2m": SamplerSpec(dpmpp_2m),
        "dpmpp_2m_cfg_pp": SamplerSpec(dpmpp_2m_cfg_pp, unguided=True),
        "ddim": SamplerSpec(euler),
    }
)
