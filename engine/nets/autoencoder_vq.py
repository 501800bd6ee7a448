"""The autoencoder of latent diffusion whose latents come from a codebook (VQ-f4, VQ-f8).

Rombach et al. 2022, after van den Oord et al. 2017 and Esser et al. 2021. Encoder and decoder are
those of the KL autoencoder; keys and sizes too, with `quantize.embedding`. A latent is quantised
before it is decoded, not after it is encoded, so the denoiser works on continuous ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.autoencoder_kl import (
    AutoencoderConfig,
    Checkpoint,
    Decoder,
    Encoder,
    Shapes,
    autoencoder_config,
)
from engine.nets.layers import Convolution

CODEBOOK = "quantize.embedding.weight"
ROWS = 1024
"""Cells that are compared with the codebook at a time, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class VqAutoencoderConfig:
    """Every size of one such autoencoder.

    Attributes:
        base: of encoder and decoder.
        codes: entries of the codebook.
    """

    base: AutoencoderConfig
    codes: int


def vq_autoencoder_config(shapes: Shapes) -> VqAutoencoderConfig:
    """The configuration from tensor shapes (without the checkpoint's prefix).

    Raises:
        WeightsError: a tensor is missing, or the layers do not fit together.
    """
    base = autoencoder_config(shapes)
    codebook = shapes.get(CODEBOOK, ())
    if len(codebook) != 2 or codebook[1] != base.latent_channels:
        raise WeightsError(
            f"not an autoencoder that works: {CODEBOOK} should have entries of "
            f"{base.latent_channels} numbers, found the shape {list(codebook)}"
        )
    if not base.quantised:
        raise WeightsError("not a complete autoencoder: it has a codebook but no post_quant_conv")
    return VqAutoencoderConfig(base, codebook[0])


class AutoencoderVQ(nn.Module):
    """Encoder, codebook and decoder. Latents are not scaled for the denoiser."""

    def __init__(self, config: VqAutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        base = config.base
        self.encoder = Encoder(base, base.inner_channels)
        self.decoder = Decoder(base)
        self.quantize = Codebook(config.codes, base.latent_channels)
        self.quant_conv = Convolution(base.inner_channels, base.latent_channels, 1)
        self.post_quant_conv = Convolution(base.latent_channels, base.inner_channels, 1)

    def encode(self, pixels: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`pixels` [B, 3, H, W] in -1..1 -> [B, z, h, w], not quantised."""
        return self.quant_conv(self.encoder(pixels, checkpoint or _nothing))

    def decode(self, z: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`z` [B, z, h, w] -> pixels [B, 3, H, W], about -1..1."""
        return self.decoder(self.post_quant_conv(self.quantize(z)), checkpoint or _nothing)


class Codebook(nn.Module):
    """Replaces every cell by the nearest entry."""

    def __init__(self, codes: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, channels)

    def forward(self, z: Tensor) -> Tensor:
        """[B, z, h, w] -> [B, z, h, w]."""
        cells = z.movedim(1, -1)
        # By calling the module: only its own call has the entries on the device.
        codes = self.embedding(torch.arange(self.embedding.num_embeddings, device=z.device))
        near = [
            torch.cdist(rows.float(), codes.float()).argmin(dim=1)
            for rows in cells.reshape(-1, z.shape[1]).split(ROWS)
        ]
        return codes[torch.cat(near)].reshape(cells.shape).movedim(-1, 1)


def _nothing() -> None:
    pass
