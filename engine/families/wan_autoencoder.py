"""Wan 2.1's autoencoder as a kind, and the scaling of its latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.families import preview_factors
from engine.families.latent_format import LatentFormat
from engine.nets import autoencoder_wan_keys
from engine.nets.autoencoder_wan import (
    WanAutoencoder,
    WanAutoencoderConfig,
    wan_autoencoder_config,
)
from engine.weights.state_dict import StateDict

MEAN = (
    *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
    *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
)
DEVIATION = (
    *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
    *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
)
"""Of its latents by channel: `vae.py` of https://github.com/Wan-Video/Wan2.1 (Apache-2.0)."""
LATENT = LatentFormat(
    channels=16,
    downscale=(4, 8, 8),
    scale=tuple(1 / each for each in DEVIATION),
    shift=MEAN,
    causal_frames=True,
    rgb_factors=preview_factors.WAN21,
    rgb_bias=preview_factors.WAN21_BIAS,
)
"""What the denoisers of Qwen-Image, Krea 2, Anima and Wan 2.1 take."""
WIDE_TENSORS_OF_A_FRAME = 12
WIDE_TENSORS_OF_FOUR_FRAMES = 60
"""Tensors of one frame at full size and of the first level's width that are alive together."""


class WanAutoencoderKind:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "Wan 2.1 autoencoder"

    def detect(self, weights: StateDict) -> WanAutoencoderConfig | None:
        """The configuration, in the original or diffusers' layout."""
        found = autoencoder_wan_keys.tensors(weights)
        return wan_autoencoder_config(found.shapes) if found else None

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = autoencoder_wan_keys.tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of Wan's autoencoder")
        return found

    def build(self, config: WanAutoencoderConfig) -> nn.Module:
        """See `AutoencoderKind`."""
        with torch.device("meta"):
            return WanAutoencoder(config)

    def latent(self, config: WanAutoencoderConfig) -> LatentFormat:
        """A format with three axes, whose first cell of time is a single frame."""
        side = config.downscale
        return LatentFormat(config.latent_channels, (config.frames, side, side), causal_frames=True)

    def dtypes(self, config: WanAutoencoderConfig) -> Sequence[torch.dtype]:
        """Half precision is enough: norms are taken in float32."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def activation_bytes(
        self, config: WanAutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """A multiple of the widest tensor at full size, and all frames; not of the length."""
        batch, _, cells, rows, columns = shape
        pixels = batch * rows * columns * config.downscale**2
        width = max(config.decoder[-1].channels_in, config.encoder[0].channels_in)
        alive = WIDE_TENSORS_OF_A_FRAME if cells == 1 else WIDE_TENSORS_OF_FOUR_FRAMES
        frames = 2 * config.pixel_channels * (1 + (cells - 1) * config.frames)
        return pixels * (alive * width + frames) * dtype_bytes
