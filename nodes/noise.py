"""Sources of the initial noise of a run."""

from __future__ import annotations

import torch

from engine.inference.sample import fitted, into_latent, out_of_latent
from engine.inference.values import DisableNoise, RandomNoise
from engine.nodekit.contract import node
from nodes.sampling import Seed
from nodes.sockets import Latent, Model, Noise, Sigmas

NOISE = "sampling/custom_sampling/noise"


@node("RandomNoise", category=NOISE)
def random_noise(noise_seed: Seed = 0) -> Noise:
    """Noise from a seed: the same seed and size give the same noise on every machine."""
    return RandomNoise(noise_seed)


@node("DisableNoise", category=NOISE)
def disable_noise() -> Noise:
    """No noise: the latent is used unchanged."""
    return DisableNoise()


@node("AddNoise", category="_for_testing/custom_sampling/noise", experimental=True)
def add_noise(model: Model, noise: Noise, sigmas: Sigmas, latent_image: Latent) -> Latent:
    """Add noise of the first sigma to a latent, minus that of the last."""
    if len(sigmas) == 0:
        return latent_image
    latent = fitted(latent_image, model)
    clean = into_latent(latent["samples"], model)
    drawn = noise.generate_noise(latent)
    strength = sigmas[0] if len(sigmas) == 1 else (sigmas[0] - sigmas[-1]).abs()
    noisy = model.parameterization.add_noise(strength[None].float(), drawn, clean)
    samples = torch.nan_to_num(out_of_latent(noisy, model), nan=0.0, posinf=0.0, neginf=0.0)
    return {**latent, "samples": samples}
