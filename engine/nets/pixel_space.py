"""The autoencoder of models that work on pixels: it leaves them as they are. It has no weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class PixelSpace(nn.Module):
    """Answers like `AutoencoderKL`; a latent is the picture itself."""

    def encode(self, pixels: Tensor, *, checkpoint: Callable[[], None] | None = None) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1, returned as they are."""
        del checkpoint
        return pixels

    def decode(self, z: Tensor, *, checkpoint: Callable[[], None] | None = None) -> Tensor:
        """[B, 3, H, W], returned as it is."""
        del checkpoint
        return z
