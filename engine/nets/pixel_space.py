"""The autoencoder of models that work on pixels: the identity, without weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class PixelSpace(nn.Module):
    """The interface of `AutoencoderKL`; a latent is the picture itself."""

    def encode(self, pixels: Tensor, *, checkpoint: Callable[[], None] | None = None) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1, returned unchanged."""
        del checkpoint
        return pixels

    def decode(self, z: Tensor, *, checkpoint: Callable[[], None] | None = None) -> Tensor:
        """[B, 3, H, W], returned unchanged."""
        del checkpoint
        return z
