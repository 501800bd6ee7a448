"""Samplers with their options. The functions are in engine/diffusion/samplers."""

from __future__ import annotations

from typing import Annotated

import torch

from engine.diffusion.samplers.table import EULER_CFG_PP_ALTERNATIVE, LCM_UPSCALE
from engine.inference.values import Sampler as ChosenSampler
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.latent_shapes import resize
from nodes.sampling import SamplerName, chosen
from nodes.sockets import Model, Sampler

SAMPLERS_MENU = "sampling/custom_sampling/samplers"

Knob = Annotated[float, Range(0.0, 100.0, step=0.01, round=False)]
NoiseDevice = Annotated[str, Choice("gpu", "cpu")]


def _on(device: str, name: str) -> str:
    """The sampler of that name, or its variant whose noise is generated on the GPU."""
    return f"{name}_gpu" if device == "gpu" else name


@node("KSamplerSelect", category=SAMPLERS_MENU)
def ksampler_select(sampler_name: SamplerName) -> Sampler:
    """A sampling function by name."""
    return chosen(sampler_name)


@node("SamplerEulerAncestral", category=SAMPLERS_MENU)
def sampler_euler_ancestral(eta: Knob = 1.0, s_noise: Knob = 1.0) -> Sampler:
    """Euler with fresh noise at every step; `eta` is its amount, 0 is plain Euler."""
    return chosen("euler_ancestral", eta=eta, s_noise=s_noise)


@node("SamplerEulerAncestralCFGPP", category=SAMPLERS_MENU, display="SamplerEulerAncestralCFG++")
def sampler_euler_ancestral_cfg_pp(
    eta: Annotated[float, Range(0.0, 1.0, step=0.01, round=False)] = 1.0,
    s_noise: Annotated[float, Range(0.0, 10.0, step=0.01, round=False)] = 1.0,
) -> Sampler:
    """Ancestral Euler along the unguided direction (CFG++); needs a low guidance scale."""
    return chosen("euler_ancestral_cfg_pp", eta=eta, s_noise=s_noise)


@node("SamplerEulerCFGpp", category="_for_testing", display="SamplerEulerCFG++", experimental=True)
def sampler_euler_cfg_pp(
    version: Annotated[str, Choice("regular", "alternative")],
) -> Sampler:
    """Euler along the unguided direction (CFG++); needs a low guidance scale."""
    if version == "alternative":
        return ChosenSampler(EULER_CFG_PP_ALTERNATIVE)
    return chosen("euler_cfg_pp")


@node("SamplerLCM", category=SAMPLERS_MENU)
def sampler_lcm(
    s_noise: Annotated[float, Range(0.0, 64.0, step=0.01)] = 1.0,
    s_noise_end: Annotated[float, Range(0.0, 64.0, step=0.01)] = 1.0,
    noise_clip_std: Annotated[float, Range(0.0, 10.0, step=0.01)] = 0.0,
) -> Sampler:
    """Consistency sampling with more or less fresh noise at the first and at the last step.

    `noise_clip_std` cuts the noise at so many deviations; 0 does not.
    """
    knobs = {"s_noise": s_noise, "s_noise_end": s_noise_end, "noise_clip_std": noise_clip_std}
    return chosen("lcm", **knobs)


@node("SamplerLCMUpscale", category=SAMPLERS_MENU)
def sampler_lcm_upscale(
    *,
    scale_ratio: Annotated[float, Range(0.1, 20.0, step=0.01)] = 1.0,
    scale_steps: Annotated[int, Range(-1, 1000, step=1)] = -1,
    upscale_method: Annotated[
        str, Choice("bislerp", "nearest-exact", "bilinear", "area", "bicubic")
    ],
) -> Sampler:
    """LCM that enlarges its picture over the first `scale_steps` steps (-1: half of them)."""

    def resized(latent: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return resize(latent, width, height, method=upscale_method)

    steps = None if scale_steps < 0 else scale_steps
    knobs = {"resize": resized, "scale_ratio": scale_ratio, "scale_steps": steps}
    return ChosenSampler(LCM_UPSCALE, knobs)


@node("SamplerLMS", category=SAMPLERS_MENU)
def sampler_lms(order: Annotated[int, Range(1, 100)] = 4) -> Sampler:
    """Linear multistep: extrapolates from up to `order` steps."""
    return chosen("lms", order=order)


@node("SamplerDPMAdaptative", category=SAMPLERS_MENU)
def sampler_dpm_adaptive(
    order: Annotated[int, Range(2, 3)] = 3,
    rtol: Knob = 0.05,
    atol: Knob = 0.0078,
    h_init: Knob = 0.05,
    pcoeff: Knob = 0.0,
    icoeff: Knob = 1.0,
    dcoeff: Knob = 0.0,
    accept_safety: Knob = 0.81,
    eta: Knob = 0.0,
    s_noise: Knob = 1.0,
) -> Sampler:
    """Chooses its own steps between the first and last sigma, within an error bound."""
    return chosen(
        "dpm_adaptive",
        order=order,
        rtol=rtol,
        atol=atol,
        h_init=h_init,
        pcoeff=pcoeff,
        icoeff=icoeff,
        dcoeff=dcoeff,
        accept_safety=accept_safety,
        eta=eta,
        s_noise=s_noise,
    )


@node("SamplerDPMPP_2S_Ancestral", category=SAMPLERS_MENU)
def sampler_dpmpp_2s_ancestral(eta: Knob = 1.0, s_noise: Knob = 1.0) -> Sampler:
    """DPM-Solver++(2S) with fresh noise at every step."""
    return chosen("dpmpp_2s_ancestral", eta=eta, s_noise=s_noise)


@node("SamplerDPMPP_SDE", category=SAMPLERS_MENU)
def sampler_dpmpp_sde(
    *, eta: Knob = 1.0, s_noise: Knob = 1.0, r: Knob = 0.5, noise_device: NoiseDevice
) -> Sampler:
    """Stochastic DPM-Solver++ with a middle point at share `r` of a step."""
    return chosen(_on(noise_device, "dpmpp_sde"), eta=eta, s_noise=s_noise, r=r)


@node("SamplerDPMPP_2M_SDE", category=SAMPLERS_MENU)
def sampler_dpmpp_2m_sde(
    *,
    solver_type: Annotated[str, Choice("midpoint", "heun")],
    eta: Knob = 1.0,
    s_noise: Knob = 1.0,
    noise_device: NoiseDevice,
) -> Sampler:
    """Stochastic DPM-Solver++ with one previous step."""
    name = _on(noise_device, "dpmpp_2m_sde")
    return chosen(name, solver_type=solver_type, eta=eta, s_noise=s_noise)


@node("SamplerDPMPP_3M_SDE", category=SAMPLERS_MENU)
def sampler_dpmpp_3m_sde(
    *, eta: Knob = 1.0, s_noise: Knob = 1.0, noise_device: NoiseDevice
) -> Sampler:
    """Stochastic DPM-Solver++ with two previous steps."""
    return chosen(_on(noise_device, "dpmpp_3m_sde"), eta=eta, s_noise=s_noise)


@node("SamplerER_SDE", category=SAMPLERS_MENU)
def sampler_er_sde(
    *,
    solver_type: Annotated[str, Choice("ER-SDE", "Reverse-time SDE", "ODE")],
    max_stage: Annotated[int, Range(1, 3)] = 3,
    eta: Knob = 1.0,
    s_noise: Knob = 1.0,
) -> Sampler:
    """Extended reverse-time SDE; an ODE, or without `eta`, adds no noise."""
    quiet = solver_type == "ODE" or (solver_type == "Reverse-time SDE" and eta == 0)
    return chosen(
        "er_sde",
        solver_type=solver_type,
        max_stage=max_stage,
        eta=0.0 if quiet else eta,
        s_noise=0.0 if quiet else s_noise,
    )


@node("SamplerSEEDS2", category=SAMPLERS_MENU)
def sampler_seeds_2(
    *,
    solver_type: Annotated[str, Choice("phi_1", "phi_2")],
    eta: Knob = 1.0,
    s_noise: Knob = 1.0,
    r: Annotated[float, Range(0.01, 1.0, step=0.01, round=False)] = 0.5,
) -> Sampler:
    """Stochastic exponential steps with a middle point at share `r`."""
    return chosen("seeds_2", solver_type=solver_type, eta=eta, s_noise=s_noise, r=r)


@node("SamplerSASolver", category=SAMPLERS_MENU)
def sampler_sa_solver(
    *,
    model: Model,
    eta: Annotated[float, Range(0.0, 10.0, step=0.01, round=False)] = 1.0,
    sde_start_percent: Annotated[float, Range(0.0, 1.0, step=0.001)] = 0.2,
    sde_end_percent: Annotated[float, Range(0.0, 1.0, step=0.001)] = 0.8,
    s_noise: Knob = 1.0,
    predictor_order: Annotated[int, Range(1, 6)] = 3,
    corrector_order: Annotated[int, Range(0, 6)] = 4,
    use_pece: bool,
    simple_order_2: bool,
) -> Sampler:
    """Stochastic Adams steps; noise is added between the two shares of the trained schedule."""
    del model  # the run's own model converts those shares to sigmas
    return chosen(
        "sa_solver",
        eta=eta,
        sde_start_percent=sde_start_percent,
        sde_end_percent=sde_end_percent,
        s_noise=s_noise,
        predictor_order=predictor_order,
        corrector_order=corrector_order,
        use_pece=use_pece,
        simple_order_2=simple_order_2,
    )
