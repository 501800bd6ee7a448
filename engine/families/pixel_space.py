"""The autoencoder of models that work on pixels, as a kind: it has no weights and no file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.families.latent_format import LatentFormat
from engine.nets.pixel_space import PixelSpace
from engine.weights.state_dict import StateDict


class PixelSpaceKind:
    """See `engine.families.autoencoders.AutoencoderKind`; a latent is the picture itself."""

    name = "pixel space"

    def detect(self, weights: StateDict) -> None:
        """Return None: no file holds it."""
        del weights

    def tensors(self, weights: StateDict) -> StateDict:
        """Nothing: it has no weights and needs no memory."""
        del weights
        return StateDict({})

    def build(self, config: None) -> nn.Module:
        """A module without weights."""
        del config
        return PixelSpace()

    def latent(self, config: None) -> LatentFormat:
        """Three channels, one cell per pixel."""
        del config
        return LatentFormat(channels=3, downscale=(1, 1))

    def dtypes(self, config: None) -> Sequence[torch.dtype]:
        """Any."""
        del config
        return ()

    def activation_bytes(self, config: None, shape: Sequence[int], dtype_bytes: int) -> int:
        """Nothing: it has no weights and needs no memory."""
        del config, shape, dtype_bytes
        return 0
