"""Tiny and large autoencoders as modules of plugins: `comfy.taesd`, `comfy.ldm.models`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.parts.vae_modules import RawModule
from engine.inference.load import load_tiny_vae
from engine.inference.values import Vae
from engine.nets.autoencoder_kl import AutoencoderKL as EngineAutoencoder


def conv(n_in: int, n_out: int, **kwargs: Any) -> nn.Conv2d:
    """A convolution of 3 x 3 that preserves the size."""
    return nn.Conv2d(n_in, n_out, 3, padding=1, **kwargs)


class Clamp(nn.Module):
    """A smooth limit to -3..3."""

    def forward(self, x: Tensor) -> Tensor:
        """3 tanh(x / 3)."""
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """A residual block of three convolutions, as in TAESD (github.com/madebyollin/taesd)."""

    def __init__(self, n_in: int, n_out: int, use_midblock_gn: bool = False) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            conv(n_in, n_out), nn.ReLU(), conv(n_out, n_out), nn.ReLU(), conv(n_out, n_out)
        )
        self.skip = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1, bias=False)
        self.fuse = nn.ReLU()
        self.pool: Any = None
        if use_midblock_gn:
            wide = n_in * 4
            self.pool = nn.Sequential(
                nn.Conv2d(n_in, wide, 1, bias=False),
                nn.GroupNorm(4, wide),
                nn.ReLU(inplace=True),
                nn.Conv2d(wide, n_in, 1, bias=False),
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, n_in, h, w] to [B, n_out, h, w]."""
        if self.pool is not None:
            x = x + self.pool(x)
        return self.fuse(self.conv(x) + self.skip(x))


class TAESD(nn.Module):
    """A tiny autoencoder of two files; either may be absent."""

    def __init__(
        self,
        encoder_path: str | None = None,
        decoder_path: str | None = None,
        latent_channels: int = 4,
    ) -> None:
        super().__init__()
        self.latent_channels = latent_channels
        self.vae_shift, self.vae_scale = torch.tensor(0.0), torch.tensor(1.0)
        paths = [Path(path) for path in (encoder_path, decoder_path) if path]
        name = paths[-1].name.split("_")[0] if paths else "taesd"
        self._vae: Vae | None = load_tiny_vae(name, paths) if paths else None

    def _network(self) -> RawModule:
        vae = self._vae
        if vae is None:
            raise NotImplementedError("TAESD was made without files and has no weights")
        return RawModule(lambda: vae.autoencoder, lambda: (vae.kind, vae.config))

    def decode(self, x: Tensor) -> Tensor:
        """Latents [B, C, h, w] in the denoiser's scale to pixels in -1..1."""
        return self._network().decode(x / self.vae_scale + self.vae_shift)

    def encode(self, x: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1 to latents in the denoiser's scale."""
        return (self._network().encode(x) - self.vae_shift) * self.vae_scale


class AutoencoderKL(EngineAutoencoder):
    """The autoencoder's class, to compare with; the engine builds its instances."""
