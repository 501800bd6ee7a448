"""Samplers composed of parts: noise, guider, sampling function and sigmas."""

from __future__ import annotations

from typing import NamedTuple

from engine.inference.sample import Sampled
from engine.inference.values import CfgGuider, DisableNoise, RandomNoise
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from nodes.sampling import Scale, Seed, sampled
from nodes.sockets import Conditioning, Guider, Latent, Model, Noise, Sampler, Sigmas


class BothLatents(NamedTuple):
    """The final latent of a run, and the clean latent that its last step predicted."""

    output: Latent
    denoised_output: Latent


@node("SamplerCustom", category="sampling/custom_sampling")
def sampler_custom(
    *,
    model: Model,
    add_noise: bool = True,
    noise_seed: Seed = 0,
    cfg: Scale = 8.0,
    positive: Conditioning,
    negative: Conditioning,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Latent,
    ctx: Context,
) -> BothLatents:
    """Sample with a chosen sampling function and sigmas, with guidance."""
    noise = RandomNoise(noise_seed) if add_noise else DisableNoise(noise_seed)
    guider = CfgGuider(model, positive, negative, cfg)
    return _both(sampled(ctx, guider, noise, sampler, sigmas, latent_image), latent_image)


@node("SamplerCustomAdvanced", category="sampling/custom_sampling")
def sampler_custom_advanced(
    noise: Noise,
    guider: Guider,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Latent,
    ctx: Context,
) -> BothLatents:
    """Sample with noise, guider, sampler and sigmas from separate nodes."""
    return _both(sampled(ctx, guider, noise, sampler, sigmas, latent_image), latent_image)


def _both(found: Sampled, latent: Latent) -> BothLatents:
    return BothLatents({**latent, "samples": found.samples}, {**latent, "samples": found.denoised})
