# pyright: basic
"""Latent formats by family, as plugins read them (`comfy.latent_formats`).

The numbers are facts of the published autoencoders; families that this engine does not run are
there as constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.families.latent_format import (
    PLAYGROUND_DEVIATION,
    PLAYGROUND_MEAN,
    PLAYGROUND_SCALE,
    STABLE_DIFFUSION_RGB,
)
from engine.families.latent_format import LatentFormat as Format
from engine.families.sdxl.family import RGB_BIAS, RGB_FACTORS


class LatentFormat:
    """How a denoiser's latents relate to its autoencoder's.

    Attributes:
        scale_factor: what an autoencoder's latent is multiplied by.
        latent_channels, latent_dimensions: of a latent [B, C, ...], and its axes after C.
        latent_rgb_factors, latent_rgb_factors_bias: for previews; None if unknown.
        taesd_decoder_name: of the tiny autoencoder, for previews.
        spacial_downscale_ratio: pixels per cell.
    """

    scale_factor: Any = 1.0
    latent_channels: int = 4
    latent_dimensions: int = 2
    latent_rgb_factors: Any = None
    latent_rgb_factors_bias: Any = None
    latent_rgb_factors_reshape: Any = None
    taesd_decoder_name: str | None = None
    spacial_downscale_ratio: int = 8
    temporal_downscale_ratio: int = 1

    def process_in(self, latent: Tensor) -> Tensor:
        """An autoencoder's latent at the denoiser's scale."""
        return latent * self.scale_factor

    def process_out(self, latent: Tensor) -> Tensor:
        """The inverse of `process_in`."""
        return latent / self.scale_factor


class _Shifted(LatentFormat):
    """`(latent - shift_factor) * scale_factor`."""

    shift_factor: float = 0.0

    def process_in(self, latent: Tensor) -> Tensor:
        """See the class."""
        return (latent - self.shift_factor) * self.scale_factor

    def process_out(self, latent: Tensor) -> Tensor:
        """The inverse of `process_in`."""
        return latent / self.scale_factor + self.shift_factor


class _Standardised(LatentFormat):
    """`(latent - mean) * scale_factor / std`, with numbers for each channel."""

    latents_mean: Any = 0.0
    latents_std: Any = 1.0

    def process_in(self, latent: Tensor) -> Tensor:
        """See the class."""
        return (
            (latent - _wide(self.latents_mean, latent))
            * self.scale_factor
            / _wide(self.latents_std, latent)
        )

    def process_out(self, latent: Tensor) -> Tensor:
        """The inverse of `process_in`."""
        mean, std = _wide(self.latents_mean, latent), _wide(self.latents_std, latent)
        return latent * std / self.scale_factor + mean


def _wide(values: Any, like: Tensor) -> Any:
    if isinstance(values, float | int):
        return values
    tensor = torch.as_tensor(values, dtype=like.dtype, device=like.device).flatten()
    return tensor.reshape(1, -1, *(1 for _ in like.shape[2:]))


class SD15(LatentFormat):
    """Stable Diffusion 1 and 2."""

    latent_rgb_factors = [list(row) for row in STABLE_DIFFUSION_RGB]
    taesd_decoder_name = "taesd_decoder"

    def __init__(self, scale_factor: float = 0.18215) -> None:
        self.scale_factor = scale_factor


class SDXL(LatentFormat):
    """Stable Diffusion XL."""

    scale_factor = 0.13025
    latent_rgb_factors = [list(row) for row in RGB_FACTORS]
    latent_rgb_factors_bias = list(RGB_BIAS)
    taesd_decoder_name = "taesdxl_decoder"


class SDXL_Playground_2_5(_Standardised):
    """Playground 2.5: SDXL's autoencoder, standardised."""

    scale_factor = PLAYGROUND_SCALE
    latents_mean = torch.tensor(PLAYGROUND_MEAN).reshape(1, 4, 1, 1)
    latents_std = torch.tensor(PLAYGROUND_DEVIATION).reshape(1, 4, 1, 1)
    latent_rgb_factors = SDXL.latent_rgb_factors
    taesd_decoder_name = "taesdxl_decoder"


class SD_X4(LatentFormat):
    """The x4 upscaler."""

    scale_factor = 0.08333
    spacial_downscale_ratio = 4


class SC_Prior(LatentFormat):
    """Stable Cascade, stage C."""

    latent_channels = 16
    spacial_downscale_ratio = 42


class SC_B(LatentFormat):
    """Stable Cascade, stage B."""

    scale_factor = 1.0 / 0.43
    spacial_downscale_ratio = 4


class SD3(_Shifted):
    """Stable Diffusion 3."""

    latent_channels = 16
    scale_factor = 1.5305
    shift_factor = 0.0609
    taesd_decoder_name = "taesd3_decoder"


class StableAudio1(LatentFormat):
    """Stable Audio."""

    latent_channels = 64
    latent_dimensions = 1


class Flux(SD3):
    """FLUX.1, and families with its autoencoder."""

    scale_factor = 0.3611
    shift_factor = 0.1159
    taesd_decoder_name = "taef1_decoder"


class Flux2(LatentFormat):
    """FLUX.2: 32 channels, packed two by two; scaled inside its autoencoder."""

    latent_channels = 128
    spacial_downscale_ratio = 16


class Mochi(_Standardised):
    """Mochi 1."""

    latent_channels = 12
    latent_dimensions = 3
    temporal_downscale_ratio = 6


class LTXV(LatentFormat):
    """LTX-Video."""

    latent_channels = 128
    latent_dimensions = 3
    spacial_downscale_ratio = 32
    temporal_downscale_ratio = 8


class LTXAV(LTXV):
    """LTX-Video 2, with sound."""


class HunyuanVideo(LatentFormat):
    """HunyuanVideo."""

    latent_channels = 16
    latent_dimensions = 3
    scale_factor = 0.476986
    temporal_downscale_ratio = 4


class HunyuanVideo15(LatentFormat):
    """HunyuanVideo 1.5."""

    latent_channels = 32
    latent_dimensions = 3
    scale_factor = 1.03682
    spacial_downscale_ratio = 16
    temporal_downscale_ratio = 4


class HunyuanImage21(LatentFormat):
    """HunyuanImage 2.1."""

    latent_channels = 64
    scale_factor = 0.75289
    spacial_downscale_ratio = 32


class Cosmos1CV8x8x8(LatentFormat):
    """Cosmos 1."""

    latent_channels = 16
    latent_dimensions = 3
    temporal_downscale_ratio = 8


class Wan21(_Standardised):
    """Wan 2.1, Qwen-Image, Anima: mean and deviation of each of 16 channels."""

    latent_channels = 16
    latent_dimensions = 3
    temporal_downscale_ratio = 4
    latents_mean = torch.tensor(
        [
            -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
            0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
        ]
    ).view(1, 16, 1, 1, 1)  # fmt: skip
    latents_std = torch.tensor(
        [
            2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
            3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
        ]
    ).view(1, 16, 1, 1, 1)  # fmt: skip
    taesd_decoder_name = "lighttaew2_1"


class Wan22(LatentFormat):
    """Wan 2.2 5B."""

    latent_channels = 48
    latent_dimensions = 3
    spacial_downscale_ratio = 16
    temporal_downscale_ratio = 4


class Hunyuan3Dv2(LatentFormat):
    """Hunyuan 3D 2."""

    latent_channels = 64
    latent_dimensions = 1
    scale_factor = 0.9990943042622529


class Hunyuan3Dv2_1(Hunyuan3Dv2):
    """Hunyuan 3D 2.1."""

    scale_factor = 1.0039506158752403


class Hunyuan3Dv2mini(Hunyuan3Dv2):
    """Hunyuan 3D 2 mini."""

    scale_factor = 1.0188137142395404


class ACEAudio(LatentFormat):
    """ACE-Step."""

    latent_channels = 8
    latent_dimensions = 2


class ChromaRadiance(LatentFormat):
    """Chroma Radiance, which works on pixels."""

    latent_channels = 3
    spacial_downscale_ratio = 1


class ZImagePixelSpace(ChromaRadiance):
    """Z-Image on pixels."""


class ValueFormat(LatentFormat):
    """A format of one of the engine's models, with its numbers."""

    def __init__(self, value: Format) -> None:
        self.value = value
        self.scale_factor = value.scale
        self.shift_factor = value.shift
        self.latent_channels = value.channels
        self.latent_dimensions = value.dims
        self.spacial_downscale_ratio = value.pixels
        if value.rgb_factors is not None:
            self.latent_rgb_factors = [list(row) for row in value.rgb_factors]
            self.latent_rgb_factors_bias = list(value.rgb_bias)
        self.taesd_decoder_name = f"{value.tiny}_decoder" if value.tiny else None

    def process_in(self, latent: Tensor) -> Tensor:
        """See `LatentFormat`."""
        return self.value.into(latent)

    def process_out(self, latent: Tensor) -> Tensor:
        """See `LatentFormat`."""
        return self.value.out(latent)


_TINY: Mapping[str, type[LatentFormat]] = {"taesd3": SD3, "taef1": Flux}
"""Classes by the tiny autoencoders of their latents."""
_SHAPES: Mapping[tuple[int, int], type[LatentFormat]] = {
    (128, 3): LTXV,
    (128, 2): Flux2,
    (16, 3): Wan21,
    (32, 3): HunyuanVideo15,
    (64, 2): HunyuanImage21,
}
"""Classes by the channels and axes of latents."""


def format_of(value: Format) -> LatentFormat:
    """The object of a model's format: of its family's class, so that plugins can test for it."""
    known: type[LatentFormat] = LatentFormat
    if value.tiny == "taesdxl":
        known = SDXL if isinstance(value.scale, float) else SDXL_Playground_2_5
    elif value.channels == 4 and value.scale == SD15().scale_factor:
        known = SD15
    elif value.scale == HunyuanVideo().scale_factor:
        known = HunyuanVideo
    elif value.tiny is not None and value.tiny in _TINY:
        known = _TINY[value.tiny]
    elif (value.channels, value.dims) in _SHAPES:
        known = _SHAPES[value.channels, value.dims]
    made = type(known.__name__, (ValueFormat, known), {"__module__": known.__module__})
    return made(value)
