"""KSampler and its advanced form, and the progress reports of all runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch

from engine.diffusion.denoiser import OnStep
from engine.diffusion.samplers.table import SAMPLERS
from engine.diffusion.schedules import SCHEDULES, section
from engine.inference.preview_run import Show, previews
from engine.inference.sample import Sampled, fitted, sample, sampler_sigmas
from engine.inference.values import CfgGuider, DisableNoise, RandomNoise, Sampler
from engine.inference.values import Guider as AnyGuider
from engine.inference.values import Noise as AnyNoise
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.sockets import Conditioning, Latent, Model

Seed = Annotated[int, Range(0, 2**64 - 1, control_after_generate=True)]
Steps = Annotated[int, Range(1, 10000)]
Scale = Annotated[float, Range(0.0, 100.0, step=0.1, round=0.01)]
Share = Annotated[float, Range(0.0, 1.0, step=0.01)]
SamplerName = Annotated[str, Choice(*SAMPLERS)]
ScheduleName = Annotated[str, Choice(*SCHEDULES)]
Step = Annotated[int, Range(0, 10000)]
Toggle = Annotated[str, Choice("enable", "disable")]
LeftoverNoise = Annotated[str, Choice("disable", "enable")]


@node("KSampler", category="sampling")
def ksampler(
    *,
    model: Model,
    seed: Seed = 0,
    steps: Steps = 20,
    cfg: Scale = 8.0,
    sampler_name: SamplerName,
    scheduler: ScheduleName,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    denoise: Share = 1.0,
    ctx: Context,
) -> Latent:
    """Denoise a latent, guided from the negative towards the positive.

    With `denoise` below 1 only that share of the schedule is run, which preserves more of the
    latent.
    """
    sigmas = sampler_sigmas(model, sampler_name, scheduler, steps, denoise)
    guider = CfgGuider(model, positive, negative, cfg)
    found = sampled(ctx, guider, RandomNoise(seed), chosen(sampler_name), sigmas, latent_image)
    return {**latent_image, "samples": found.samples}


@node("KSamplerAdvanced", category="sampling", display="KSampler (Advanced)")
def ksampler_advanced(
    *,
    model: Model,
    add_noise: Toggle,
    noise_seed: Seed = 0,
    steps: Steps = 20,
    cfg: Scale = 8.0,
    sampler_name: SamplerName,
    scheduler: ScheduleName,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    start_at_step: Step = 0,
    end_at_step: Step = 10000,
    return_with_leftover_noise: LeftoverNoise,
    ctx: Context,
) -> Latent:
    """Run some steps: from `start_at_step` to `end_at_step` of `steps`.

    Without `add_noise` the latent must be noisy already; with leftover noise it is returned as
    noisy as the last step leaves it, for another sampler to continue.
    """
    whole = sampler_sigmas(model, sampler_name, scheduler, steps, 1.0)
    to_the_end = return_with_leftover_noise == "disable"
    sigmas = section(whole, start_at_step, end_at_step, to_the_end=to_the_end)
    noise = RandomNoise(noise_seed) if add_noise == "enable" else DisableNoise(noise_seed)
    guider = CfgGuider(model, positive, negative, cfg)
    found = sampled(ctx, guider, noise, chosen(sampler_name), sigmas, latent_image)
    return {**latent_image, "samples": found.samples}


def chosen(name: str, **knobs: object) -> Sampler:
    """A sampler by its name in the menus, with some options set."""
    return Sampler(SAMPLERS[name], knobs)


def sampled(
    ctx: Context,
    guider: AnyGuider,
    noise: AnyNoise,
    sampler: Sampler,
    sigmas: torch.Tensor,
    latent: Mapping[str, Any],
) -> Sampled:
    """Run; reports every step to the context, and stops when the context says so."""
    shape = fitted(latent, guider.model)["samples"].shape
    find = ctx.files.tiny_autoencoder
    with previews(guider.model, shape, ctx.preview_method, find) as show:
        return sample(
            guider,
            noise,
            sampler,
            sigmas,
            latent,
            checkpoint=ctx.checkpoint,
            on_step=reporter(ctx.progress, show),
        )


def reporter(progress: Callable[[int, int, bytes | None], None], show: Show) -> OnStep:
    """Reports each step to `progress`, with a preview where there is one."""

    def report(
        step: int, steps: int, x: torch.Tensor, denoised: torch.Tensor, sigma: torch.Tensor
    ) -> None:
        del x, sigma
        progress(step + 1, steps, show(denoised))

    return report
