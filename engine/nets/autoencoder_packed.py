"""FLUX.2's autoencoder: a KL autoencoder whose latents are packed two by two and standardised.

Black Forest Labs 2025, github.com/black-forest-labs/flux2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nets import autoencoder_kl_keys
from engine.nets.autoencoder_kl import AutoencoderConfig, AutoencoderKL
from engine.weights.state_dict import StateDict

PACK = 2
EPSILON = 1e-4
"""Of the batch norm that its latents were standardised with."""
STATISTICS = ("bn.running_mean", "bn.running_var")


class Statistics(nn.Module):
    """Mean and variance of packed latents, by channel."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.empty(channels))
        self.register_buffer("running_var", torch.empty(channels))

    def forward(self, packed: Tensor, *, inverse: bool = False) -> Tensor:
        """Packed latents [B, C, h, w] standardised, or back."""
        mean = self.running_mean[:, None, None].to(packed)
        deviation = (self.running_var[:, None, None].to(packed) + EPSILON).sqrt()
        return packed * deviation + mean if inverse else (packed - mean) / deviation


class PackedAutoencoder(AutoencoderKL):
    """Encoder and decoder; the latents are those of the denoiser."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        self.bn = Statistics(config.latent_channels * PACK**2)

    def encode(self, pixels: Tensor, *, checkpoint: Callable[[], None] | None = None) -> Tensor:
        """`pixels` [B, 3, H, W] in -1..1, sides multiples of 16 -> [B, 4 z, H / 16, W / 16]."""
        mean = super().encode(pixels, checkpoint=checkpoint)
        return self.bn(functional.pixel_unshuffle(mean, PACK))

    def decode(self, z: Tensor, *, checkpoint: Callable[[], None] | None = None) -> Tensor:
        """`z` [B, 4 z, h, w] -> pixels [B, 3, H, W], about -1..1."""
        unpacked = functional.pixel_shuffle(self.bn(z, inverse=True), PACK)
        return super().decode(unpacked, checkpoint=checkpoint)


def tensors(weights: StateDict) -> StateDict | None:
    """The tensors under the module's names, from the original or diffusers' layout; None without.

    Raises:
        WeightsError: one of them is empty.
    """
    if any(name not in weights for name in STATISTICS):
        return None
    renamed = weights.rename(
        lambda name: (
            name.removeprefix("encoder.").removeprefix("decoder.")
            if name.startswith(("encoder.quant_conv.", "decoder.post_quant_conv."))
            else name
        )
    )
    return autoencoder_kl_keys.tensors(renamed, beside=STATISTICS)
