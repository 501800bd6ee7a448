"""How a family's latents relate to its autoencoder's latents, to pictures and to frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from engine.families import preview_factors

Factors = float | tuple[float, ...]
"""One number, or one for each channel."""
PLAYGROUND_MEAN = (-1.6574, 1.886, -1.383, 2.5155)
PLAYGROUND_DEVIATION = (8.4927, 5.9022, 6.5498, 5.2299)
PLAYGROUND_SCALE = 0.5
"""Playground 2.5 standardises the latents of SDXL's autoencoder: these are its files' `edm_mean`
and `edm_std`, and the deviation that EDM assumes of data (https://arxiv.org/abs/2402.17245)."""
STABLE_DIFFUSION_RGB = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)
"""A linear map of the latents of SD1.4, and of others with its autoencoder, to RGB, measured by
keturn: "Decoding latents to RGB without upscaling", discuss.huggingface.co, thread 23204."""


@dataclass(frozen=True, slots=True)
class LatentFormat:
    """How a denoiser's latents relate to its autoencoder's.

    Attributes:
        channels: of a latent [B, channels, ...].
        downscale: pixels (or frames) per latent cell along each axis after the channels.
        scale, shift: the denoiser's input is `(z - shift) * scale`.
        causal_frames: whether the first axis is time, whose first cell is a single frame.
        rgb_factors: `channels` rows of (r, g, b), from a denoiser-space latent to -1..1, for
            previews.
        rgb_bias: added to it.
        tiny: the name of the tiny autoencoder that decodes its autoencoder's latents, for previews.
        rows_are_frames: whether the rows of a batch are the frames of one video, which an
            autoencoder decodes together.
        whole_time: whether its autoencoder has all frames in memory at once, so that a long video
            is better encoded and decoded in pieces.
        keeps_clean: whether the denoiser is given the cells that a noise mask keeps without noise,
            as it was trained; others are given them with the noise of the step.
    """

    channels: int
    downscale: tuple[int, ...]
    scale: Factors = 1.0
    shift: Factors = 0.0
    causal_frames: bool = False
    rgb_factors: tuple[tuple[float, float, float], ...] | None = None
    rgb_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tiny: str | None = None
    rows_are_frames: bool = False
    whole_time: bool = False
    keeps_clean: bool = False

    @property
    def dims(self) -> int:
        """The number of axes of a latent after its channels."""
        return len(self.downscale)

    @property
    def pixels(self) -> int:
        """Pixels per cell along the side of a picture."""
        return self.downscale[-1]

    @property
    def cell(self) -> int:
        """Pixels (times frames) per cell."""
        return prod(self.downscale)

    def into(self, z: Tensor) -> Tensor:
        """Convert an autoencoder's latent [B, C, ...] to the denoiser's scale."""
        return (z - self._along(self.shift, z)) * self._along(self.scale, z)

    def out(self, x: Tensor) -> Tensor:
        """The inverse of `into`."""
        return x / self._along(self.scale, x) + self._along(self.shift, x)

    def frames(self, cells: int) -> int:
        """Frames that this number of cells of the time axis decodes to; 1 without such an axis."""
        if self.dims < 3:
            return 1
        step = self.downscale[0]
        return (cells - 1) * step + 1 if self.causal_frames else cells * step

    def cells(self, frames: int) -> int:
        """Cells of the time axis that this number of frames encodes to, rounded down."""
        if self.dims < 3:
            return 1
        step = self.downscale[0]
        return (frames - 1) // step + 1 if self.causal_frames else frames // step

    def standardised(self, mean: Sequence[float], deviation: Sequence[float]) -> LatentFormat:
        """The same, with the scaling of a denoiser trained like Playground 2.5."""
        scale = tuple(PLAYGROUND_SCALE / each for each in deviation)
        return replace(self, scale=scale, shift=tuple(mean))

    def _along(self, factors: Factors, like: Tensor) -> Tensor | float:
        if isinstance(factors, float | int):
            return float(factors)
        values = torch.tensor(factors, dtype=like.dtype, device=like.device)
        return values.reshape(1, -1, *(1 for _ in like.shape[2:]))


FLUX_LATENT = LatentFormat(
    16,
    (8, 8),
    scale=0.3611,
    shift=0.1159,
    rgb_factors=preview_factors.FLUX,
    rgb_bias=preview_factors.FLUX_BIAS,
    tiny="taef1",
)
"""The latents of FLUX.1's autoencoder, which Chroma, Z-Image and others use too."""
FLUX2_LATENT = LatentFormat(
    128,
    (16, 16),
    rgb_factors=preview_factors.FLUX2,
    rgb_bias=preview_factors.FLUX2_BIAS,
    tiny="taef2",
)
"""The latents of FLUX.2's autoencoder, which FLUX.3 and ERNIE-Image use too; it standardises them
itself."""
