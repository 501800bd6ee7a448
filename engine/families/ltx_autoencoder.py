"""LTX-Video's autoencoder as a kind."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.families.latent_format import LatentFormat
from engine.nets import autoencoder_ltx_keys
from engine.nets.autoencoder_ltx import LtxAutoencoder, LtxAutoencoderConfig
from engine.weights.state_dict import StateDict

WIDE_TENSORS = 12
"""Tensors of all frames, of the last level's width, that there is room for.

Measured in float32 on a CPU, 4 are alive together while decoding, 8 while encoding.
"""


class LtxAutoencoderKind:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "LTX-Video autoencoder"

    def detect(self, weights: StateDict) -> LtxAutoencoderConfig | None:
        """The configuration, in the original or diffusers' layout."""
        found = autoencoder_ltx_keys.tensors(weights)
        return None if found is None else autoencoder_ltx_keys.autoencoder_config(found)

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = autoencoder_ltx_keys.tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of LTX-Video's autoencoder")
        return found

    def build(self, config: LtxAutoencoderConfig) -> nn.Module:
        """See `AutoencoderKind`."""
        with torch.device("meta"):
            return LtxAutoencoder(config)

    def latent(self, config: LtxAutoencoderConfig) -> LatentFormat:
        """A format with three axes, whose first cell of time is a single frame."""
        side = config.downscale
        return LatentFormat(
            config.latent_channels, (config.frames, side, side), causal_frames=True, whole_time=True
        )

    def dtypes(self, config: LtxAutoencoderConfig) -> Sequence[torch.dtype]:
        """Not fp16: it was trained in bf16."""
        del config
        return (torch.bfloat16, torch.float32)

    def activation_bytes(
        self, config: LtxAutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """Some tensors of the width of the last level, for all frames, and the pixels."""
        batch, _, cells, rows, columns = shape
        frames = 1 + (cells - 1) * config.frames
        pixels = batch * frames * rows * columns * config.downscale**2
        width = max(config.decoder[-1].channels_out, config.encoder[0].channels_in)
        folded = WIDE_TENSORS * width // config.patch**2 + 3 * config.pixel_channels
        return pixels * folded * dtype_bytes
