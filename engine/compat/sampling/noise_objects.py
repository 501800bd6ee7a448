"""NOISE objects, and the noise that samplers draw, under the names plugins use."""

# ruff: noqa: N801 - names that plugins import
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.diffusion.noise import SEEDS, BrownianNoise, initial_noise
from engine.inference.values import DisableNoise, RandomNoise


class Noise_EmptyNoise:
    """No initial noise."""

    def __init__(self) -> None:
        self.seed = 0

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Tensor:
        """Zeros of the shape of the latent's samples, on the CPU."""
        samples: Tensor = input_latent["samples"]
        return torch.zeros(samples.shape, dtype=samples.dtype)

    def to_value(self) -> DisableNoise:
        """The engine's value."""
        return DisableNoise(self.seed)


class Noise_RandomNoise:
    """Unit noise by seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Tensor:
        """Noise of the shape of the latent's samples, on the CPU."""
        samples: Tensor = input_latent["samples"]
        return prepare_noise(samples, self.seed, input_latent.get("batch_index"))

    def to_value(self) -> RandomNoise:
        """The engine's value."""
        return RandomNoise(self.seed)


def prepare_noise(
    latent_image: Tensor, seed: int, noise_inds: Sequence[int] | None = None
) -> Tensor:
    """Unit noise [B, ...] of a latent's shape and dtype on the CPU, see `initial_noise`."""
    noise = initial_noise(latent_image.shape, seed, batch_index=noise_inds)
    return noise.to(latent_image.dtype)


def prepare_noise_inner(
    latent_image: Tensor, generator: torch.Generator, noise_inds: Sequence[int] | None = None
) -> Tensor:
    """The same from a generator that goes on."""
    if noise_inds is None:
        return torch.randn(
            latent_image.size(), dtype=torch.float32, generator=generator, device="cpu"
        ).to(latent_image.dtype)
    shape = (1, *latent_image.shape[1:])
    draws = [torch.randn(shape, generator=generator) for _ in range(max(noise_inds) + 1)]
    return torch.cat([draws[index] for index in noise_inds]).to(latent_image.dtype)


NoiseSampler = Callable[[Any, Any], Tensor]
"""Unit noise for the way from one sigma to the next."""


def default_noise_sampler(x: Tensor, seed: int | None = None) -> NoiseSampler:
    """Fresh noise shaped like x at every call.

    One seed higher on the CPU, where the same would repeat the initial noise; without a seed from
    torch's own generator.
    """
    if seed is None:
        return lambda *_: torch.randn_like(x)
    own = (seed + 1 if x.device.type == "cpu" else seed) % SEEDS
    generator = torch.Generator(x.device).manual_seed(own)

    def draw(sigma: Any, sigma_next: Any) -> Tensor:
        del sigma, sigma_next
        return torch.randn(
            x.size(), dtype=x.dtype, layout=x.layout, device=x.device, generator=generator
        )

    return draw


class BrownianTreeNoiseSampler:
    """Increments of one Brownian path over sigma, of unit variance.

    Called `(sigma, sigma_next)`. A list of seeds makes a path for each row of x.
    """

    def __init__(
        self,
        x: Tensor,
        sigma_min: Any,
        sigma_max: Any,
        seed: int | Sequence[int] | None = None,
        transform: Callable[[Any], Any] | None = None,
        cpu: bool = False,
    ) -> None:
        self._x = x
        self._transform = transform or (lambda sigma: sigma)
        ends = torch.stack(
            [
                torch.as_tensor(float(self._transform(torch.as_tensor(each))))
                for each in (sigma_min, sigma_max)
            ]
        )
        if seed is None:
            seed = int(torch.randint(0, 2**63 - 1, []).item())
        seeds = [seed] if isinstance(seed, int) else list(seed)
        self._paths = [BrownianNoise(x, ends, int(each), on_cpu=cpu) for each in seeds]

    def __call__(self, sigma: Any, sigma_next: Any) -> Tensor:
        """The increment from one sigma to the next, shaped like x."""
        here, there = (self._transform(torch.as_tensor(each)) for each in (sigma, sigma_next))
        if len(self._paths) == 1:
            return self._paths[0](self._x, here, there)
        rows = [
            path(row[None], here, there) for path, row in zip(self._paths, self._x, strict=True)
        ]
        return torch.cat(rows)
