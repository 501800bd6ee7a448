"""Qwen-Image 2.1's autoencoder as a kind, and the scaling of its latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.families.latent_format import LatentFormat
from engine.nets import autoencoder_residual_keys
from engine.nets.autoencoder_residual import (
    ResidualAutoencoder,
    ResidualAutoencoderConfig,
    residual_autoencoder_config,
)
from engine.weights.state_dict import StateDict

# fmt: off
MEAN = (
    0.5126, 0.7721, -0.0631, 1.3506, -0.7855, -2.1025, -0.3458, 1.3722,
    1.8873, -1.7177, -0.6510, 0.2732, 0.7562, -0.6163, -1.0277, 3.8363,
    2.0210, 0.0472, 0.9320, 2.0087, 2.4954, -0.1391, -1.4249, 1.8464,
    -0.5236, 1.2826, 3.7046, -1.3035, 2.7286, -1.4518, -1.9036, -1.9955,
    -0.0342, -1.0265, -0.7636, 3.0555, 0.0746, -3.0751, -0.1076, 1.7376,
    -1.0914, -1.9435, -0.2784, -1.3680, 0.4809, -0.4433, 0.3764, 0.5729,
    -2.0595, 1.0960, -1.3260, -2.0211, -5.0179, 0.5275, 4.0162, 1.8505,
    0.3026, 1.9373, 1.4937, 0.2632, 0.5547, -1.7121, -0.1562, 0.0304,
)
DEVIATION = (
    3.2001, 3.2936, 3.4321, 3.0091, 3.1061, 4.0379, 4.0705, 3.7910,
    3.0785, 3.6500, 3.9308, 3.0904, 2.8778, 3.7675, 3.7320, 5.0756,
    3.2864, 4.0397, 3.1317, 4.0443, 2.9249, 3.9454, 3.0988, 4.2489,
    3.4896, 3.8513, 3.9323, 3.4719, 3.7498, 4.2830, 3.5694, 4.2467,
    3.9037, 3.2947, 5.0770, 3.5075, 3.2700, 3.4767, 2.8063, 5.1125,
    3.5327, 4.7833, 3.1286, 4.1819, 3.8527, 3.8312, 3.5605, 4.3875,
    3.9624, 4.0168, 3.5643, 4.0550, 5.5614, 4.2963, 4.4080, 3.4959,
    3.8747, 3.7608, 3.5735, 3.1490, 3.7662, 3.6746, 3.4563, 3.8161,
)
# fmt: on
"""Of its latents by channel: `vae/config.json` of huggingface.co/Qwen/Qwen-Image-2.1."""
LATENT = LatentFormat(
    channels=64, downscale=(16, 16), scale=tuple(1 / each for each in DEVIATION), shift=MEAN
)
WIDE_TENSORS = 8
"""Tensors of full size and of the first level's width that are alive together."""


class ResidualAutoencoderKind:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "residual autoencoder"

    def detect(self, weights: StateDict) -> ResidualAutoencoderConfig | None:
        """The configuration, in diffusers' layout or Wan 2.2's. Raises `WeightsError`."""
        found = autoencoder_residual_keys.tensors(weights)
        return residual_autoencoder_config(found.shapes) if found else None

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = autoencoder_residual_keys.tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of a residual autoencoder")
        return autoencoder_residual_keys.drop_time(found)

    def build(self, config: ResidualAutoencoderConfig) -> nn.Module:
        """See `AutoencoderKind`."""
        with torch.device("meta"):
            return ResidualAutoencoder(config)

    def latent(self, config: ResidualAutoencoderConfig) -> LatentFormat:
        """A format with two axes."""
        return LatentFormat(config.latent_channels, (config.downscale, config.downscale))

    def dtypes(self, config: ResidualAutoencoderConfig) -> Sequence[torch.dtype]:
        """Half precision is enough: norms are taken in float32."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def activation_bytes(
        self, config: ResidualAutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """A multiple of the widest tensor at full size."""
        pixels = shape[0] * shape[-1] * shape[-2] * config.downscale**2
        width = max(config.decoder[-1].channels_in, config.encoder[0].channels_in)
        return WIDE_TENSORS * pixels * width * dtype_bytes
