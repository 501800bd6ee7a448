# pyright: basic
"""Latents of videos as tokens, in the form of LTX-Video (HaCohen et al. 2024)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def latent_to_pixel_coords(
    latent_coords: Tensor, scale_factors: Sequence[int], causal_fix: bool = False
) -> Tensor:
    """Places [B, 3, ...] of a latent (frame, row, column) in pixels.

    With `causal_fix` the first frame stands for itself alone, as in causal autoencoders.
    """
    factors = torch.tensor(list(scale_factors), device=latent_coords.device)
    found = latent_coords * factors.view(1, -1, *(1,) * (latent_coords.ndim - 2))
    if causal_fix:
        found[:, 0] = (found[:, 0] + 1 - scale_factors[0]).clamp(min=0)
    return found


class Patchifier(ABC):
    """Splits latents into tokens.

    Attributes:
        patch_size: frames, rows and columns of a token.
    """

    def __init__(self, patch_size: int, start_end: bool = False) -> None:
        self._patch_size = (1, patch_size, patch_size)
        self.start_end = start_end

    @property
    def patch_size(self) -> tuple[int, int, int]:
        """See the class."""
        return self._patch_size

    @abstractmethod
    def patchify(self, latents: Tensor) -> Any:
        """[B, C, F, H, W] to tokens."""

    @abstractmethod
    def unpatchify(
        self, latents: Tensor, output_height: int, output_width: int, out_channels: int
    ) -> Tensor:
        """The inverse."""

    def get_latent_coords(
        self,
        latent_num_frames: int,
        latent_height: int,
        latent_width: int,
        batch_size: int,
        device: Any = None,
    ) -> Tensor:
        """The place of each token: [B, 3, N], or its begin and end [B, 3, N, 2]."""
        sides = (latent_num_frames, latent_height, latent_width)
        steps = [
            torch.arange(0, side, size, device=device)
            for side, size in zip(sides, self._patch_size, strict=True)
        ]
        places = torch.stack(torch.meshgrid(*steps, indexing="ij")).flatten(1)
        if self.start_end:
            size = torch.tensor(self._patch_size, device=device)[:, None]
            places = torch.stack((places, places + size), dim=-1)
        return places.unsqueeze(0).expand(batch_size, *places.shape).contiguous()


class SymmetricPatchifier(Patchifier):
    """Patches without overlap, of one frame each."""

    def patchify(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """[B, C, F, H, W] to tokens [B, N, C * p * p] and their places."""
        batch, _, frames, height, width = latents.shape
        places = self.get_latent_coords(frames, height, width, batch, latents.device)
        for axis, size in zip((2, 4, 6), self._patch_size, strict=True):
            latents = latents.unflatten(axis, (-1, size))
        return latents.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3), places

    def unpatchify(
        self, latents: Tensor, output_height: int, output_width: int, out_channels: int
    ) -> Tensor:
        """Tokens [B, N, C * p * p] to [B, C, F, H, W]; height and width are the latent's."""
        deep, high, wide = self._patch_size
        rows, columns = output_height // high, output_width // wide
        channels = out_channels // (high * wide)
        split = latents.unflatten(1, (-1, rows, columns))
        split = split.unflatten(-1, (channels, deep, high, wide))
        joined = split.permute(0, 4, 1, 5, 2, 6, 3, 7)
        return joined.flatten(6, 7).flatten(4, 5).flatten(2, 3)
