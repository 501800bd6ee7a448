"""The autoencoder with a codebook, as a kind."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.families.latent_format import LatentFormat
from engine.nets import autoencoder_kl_keys
from engine.nets.autoencoder_vq import (
    CODEBOOK,
    ROWS,
    AutoencoderVQ,
    VqAutoencoderConfig,
    vq_autoencoder_config,
)
from engine.weights.state_dict import StateDict


class VqAutoencoder:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "VQ autoencoder"

    def detect(self, weights: StateDict) -> VqAutoencoderConfig | None:
        """The configuration of one with a codebook, in the original or diffusers' layout."""
        if CODEBOOK not in weights or autoencoder_kl_keys.MARK not in weights:
            return None
        return vq_autoencoder_config(self.tensors(weights).shapes)

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = autoencoder_kl_keys.tensors(weights, (CODEBOOK,))
        if found is None:
            raise ValueError("these are no VQ autoencoder's tensors")
        return found

    def build(self, config: VqAutoencoderConfig) -> nn.Module:
        """See `AutoencoderKind`."""
        with torch.device("meta"):
            return AutoencoderVQ(config)

    def latent(self, config: VqAutoencoderConfig) -> LatentFormat:
        """A format with two axes."""
        base = config.base
        return LatentFormat(base.latent_channels, (base.downscale, base.downscale))

    def dtypes(self, config: VqAutoencoderConfig) -> Sequence[torch.dtype]:
        """As for the KL autoencoder, whose layers it has."""
        del config
        return (torch.bfloat16, torch.float32)

    def activation_bytes(
        self, config: VqAutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """As for the KL autoencoder, and the distances to the codebook."""
        first = config.base.decoder[0]
        pixels = shape[0] * shape[-1] * shape[-2] * config.base.downscale**2
        distances = 4 * min(ROWS, shape[-1] * shape[-2]) * config.codes
        wide = max(first.channels_in, first.channels_out)
        return 6 * pixels * wide * dtype_bytes + distances
