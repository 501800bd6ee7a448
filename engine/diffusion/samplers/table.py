"""Every sampler by the name that workflows use, with its kind of noise and its options.

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
from engine.diffusion.samplers.adams import deis, ipndm, ipndm_v, lms
from engine.diffusion.samplers.dpm_solver import dpm_adaptive, dpm_fast
from engine.diffusion.samplers.dpmpp_sde import dpmpp_2m_sde, dpmpp_3m_sde, dpmpp_sde
from engine.diffusion.samplers.er_sde import er_sde
from engine.diffusion.samplers.euler import (
    euler,
    euler_ancestral,
    euler_ancestral_cfg_pp,
    euler_cfg_pp,
    euler_cfg_pp_alternative,
)
from engine.diffusion.samplers.heun import heun, heunpp2
from engine.diffusion.samplers.multistep import (
    dpmpp_2m,
    dpmpp_2m_cfg_pp,
    gradient_estimation,
    gradient_estimation_cfg_pp,
    res_multistep,
    res_multistep_ancestral,
    res_multistep_ancestral_cfg_pp,
    res_multistep_cfg_pp,
)
from engine.diffusion.samplers.renoising import ddpm, lcm, lcm_upscale
from engine.diffusion.samplers.sa_solver import sa_solver
from engine.diffusion.samplers.second_order import (
    dpm_2,
    dpm_2_ancestral,
    dpmpp_2s_ancestral,
    dpmpp_2s_ancestral_cfg_pp,
)
from engine.diffusion.samplers.seeds import exp_heun_2_x0, exp_heun_2_x0_sde, seeds_2, seeds_3
from engine.diffusion.samplers.uni_pc import uni_pc

HEUN: Mapping[str, Any] = MappingProxyType({"solver_type": "heun"})
PECE: Mapping[str, Any] = MappingProxyType({"use_pece": True})
BH2: Mapping[str, Any] = MappingProxyType({"variant": "bh2"})


@dataclass(frozen=True, slots=True)
class SamplerSpec:
    """A sampler and what its caller must provide.

    Attributes:
        function: `(denoise, x, sigmas, *, on_step, **knobs)`, and `noise` where `noise` is set.
        noise: the noise it adds; "none" for a deterministic sampler.
        noise_on_cpu: draw Brownian noise on the CPU, so that it is the same on any device.
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
        """Take x [B, C, ...] along `sigmas` [steps + 1]; knobs given here override the table's.

        Returns x at the last sigma; returns x unchanged for a schedule without a step.
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
        "exp_heun_2_x0": SamplerSpec(exp_heun_2_x0),
        "exp_heun_2_x0_sde": SamplerSpec(exp_heun_2_x0_sde, "ancestral"),
        "dpm_2": SamplerSpec(dpm_2, drops_penultimate=True),
        "dpm_2_ancestral": SamplerSpec(dpm_2_ancestral, "ancestral", drops_penultimate=True),
        "lms": SamplerSpec(lms),
        "dpm_fast": SamplerSpec(dpm_fast, "ancestral"),
        "dpm_adaptive": SamplerSpec(dpm_adaptive, "ancestral"),
        "dpmpp_2s_ancestral": SamplerSpec(dpmpp_2s_ancestral, "ancestral"),
        "dpmpp_2s_ancestral_cfg_pp": SamplerSpec(
            dpmpp_2s_ancestral_cfg_pp, "ancestral", unguided=True
        ),
        "dpmpp_sde": SamplerSpec(dpmpp_sde, "brownian"),
        "dpmpp_sde_gpu": SamplerSpec(dpmpp_sde, "brownian", noise_on_cpu=False),
        "dpmpp_2m": SamplerSpec(dpmpp_2m),
        "dpmpp_2m_cfg_pp": SamplerSpec(dpmpp_2m_cfg_pp, unguided=True),
        "dpmpp_2m_sde": SamplerSpec(dpmpp_2m_sde, "brownian"),
        "dpmpp_2m_sde_gpu": SamplerSpec(dpmpp_2m_sde, "brownian", noise_on_cpu=False),
        "dpmpp_2m_sde_heun": SamplerSpec(dpmpp_2m_sde, "brownian", knobs=HEUN),
        "dpmpp_2m_sde_heun_gpu": SamplerSpec(
            dpmpp_2m_sde, "brownian", noise_on_cpu=False, knobs=HEUN
        ),
        "dpmpp_3m_sde": SamplerSpec(dpmpp_3m_sde, "brownian"),
        "dpmpp_3m_sde_gpu": SamplerSpec(dpmpp_3m_sde, "brownian", noise_on_cpu=False),
        "ddpm": SamplerSpec(ddpm, "ancestral"),
        "lcm": SamplerSpec(lcm, "ancestral"),
        "ipndm": SamplerSpec(ipndm),
        "ipndm_v": SamplerSpec(ipndm_v),
        "deis": SamplerSpec(deis),
        "res_multistep": SamplerSpec(res_multistep),
        "res_multistep_cfg_pp": SamplerSpec(res_multistep_cfg_pp, unguided=True),
        "res_multistep_ancestral": SamplerSpec(res_multistep_ancestral, "ancestral"),
        "res_multistep_ancestral_cfg_pp": SamplerSpec(
            res_multistep_ancestral_cfg_pp, "ancestral", unguided=True
        ),
        "gradient_estimation": SamplerSpec(gradient_estimation),
        "gradient_estimation_cfg_pp": SamplerSpec(gradient_estimation_cfg_pp, unguided=True),
        "er_sde": SamplerSpec(er_sde, "ancestral"),
        "seeds_2": SamplerSpec(seeds_2, "ancestral"),
        "seeds_3": SamplerSpec(seeds_3, "ancestral"),
        "sa_solver": SamplerSpec(sa_solver, "ancestral"),
        "sa_solver_pece": SamplerSpec(sa_solver, "ancestral", knobs=PECE),
        "ddim": SamplerSpec(euler),
        "uni_pc": SamplerSpec(uni_pc, drops_penultimate=True),
        "uni_pc_bh2": SamplerSpec(uni_pc, drops_penultimate=True, knobs=BH2),
    }
)

EULER_CFG_PP_ALTERNATIVE = SamplerSpec(euler_cfg_pp_alternative, unguided=True)
"""The "alternative" version of the node SamplerEulerCFG++; not in any menu."""

LCM_UPSCALE = SamplerSpec(lcm_upscale, "continued")
"""For the node SamplerLCMUpscale, which passes `resize`, `scale_ratio` and `scale_steps`."""
