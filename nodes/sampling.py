"""KSampler and its advanced form, and the progress reports of all runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

import torch

from engine.diffusion.denoiser import OnStep
from engine.diffusion.samplers.table import SAMPLERS
from engine.diffusion.schedules import SCHEDULES, section
from engine.inference import sampling_path
from engine.inference.preview_run import Show, previews
from engine.inference.sample import Sampled, fitted, sample, sampler_sigmas
from engine.inference.sampling_path import KSamplerCall
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
    call = KSamplerCall(
        model,
        seed,
        steps,
        cfg,
        sampler_name,
        scheduler,
        positive,
        negative,
        latent_image,
        denoise,
    )
    return {**latent_image, "samples": _ksampled(ctx, call)}


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
    call = KSamplerCall(
        model,
        noise_seed,
        steps,
        cfg,
        sampler_name,
        scheduler,
        positive,
        negative,
        latent_image,
        adds_noise=add_noise == "enable",
        first=start_at_step,
        last=end_at_step,
        to_the_end=return_with_leftover_noise == "disable",
    )
    return {**latent_image, "samples": _ksampled(ctx, call)}


def _ksampled(ctx: Context, call: KSamplerCall) -> torch.Tensor:
    path = sampling_path.taken()
    if path is not None and path.wants_call(call):
        with _reported(ctx, call.model, call.latent) as on_step:
            return path.ksampler(call, checkpoint=ctx.checkpoint, on_step=on_step)
    sigmas = sampler_sigmas(call.model, call.sampler, call.schedule, call.steps, call.denoise)
    if call.first is not None and call.last is not None:
        sigmas = section(sigmas, call.first, call.last, to_the_end=call.to_the_end)
    noise = RandomNoise(call.seed) if call.adds_noise else DisableNoise(call.seed)
    guider = CfgGuider(call.model, call.positive, call.negative, call.cfg)
    return sampled(ctx, guider, noise, chosen(call.sampler), sigmas, call.latent).samples


def chosen(name: str, **knobs: object) -> Sampler:
    """A sampler by its name in the menus, with some options set."""
    path = sampling_path.taken()
    replaced = None if path is None else path.sampler(name)
    if replaced is not None:
        return replace(replaced, knobs=knobs)
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
    with _reported(ctx, guider.model, latent) as on_step:
        return sample(
            guider, noise, sampler, sigmas, latent, checkpoint=ctx.checkpoint, on_step=on_step
        )


@contextmanager
def _reported(ctx: Context, model: Model, latent: Mapping[str, Any]) -> Iterator[OnStep]:
    shape = fitted(latent, model)["samples"].shape
    with previews(model, shape, ctx.preview_method, ctx.files.tiny_autoencoder) as show:
        yield reporter(ctx.progress, show)


def reporter(progress: Callable[[int, int, bytes | None], None], show: Show) -> OnStep:
    """Reports each step to `progress`, with a preview where there is one."""

    def report(
        step: int, steps: int, x: torch.Tensor, denoised: torch.Tensor, sigma: torch.Tensor
    ) -> None:
        del x, sigma
        progress(step + 1, steps, show(denoised))

    return report
