"""What the kinds share that belong to UNets: they take pictures as pixels, without a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engine.families.family import ModelFamily
from engine.families.latent_format import LatentFormat
from engine.families.transformer_family import TransformerFamily


class OfUNets:
    """The methods of `engine.control.kind.ControlKind` that are the same for all of them."""

    def made_for(self, config: Any) -> str:
        """See `ControlKind`."""
        del config
        return "the UNet of a Stable Diffusion 1, 2 or XL"

    def fits(self, config: Any, family: ModelFamily, sizes: Any) -> bool:
        """Whether the denoiser is a UNet; its widths are compared when it is called."""
        del config, sizes
        return not isinstance(family, TransformerFamily)

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """Any."""
        del config
        return ()

    def latent(self, config: Any) -> LatentFormat | None:
        """None: it takes pixels."""
        del config
        return None

    def takes_mask(self, config: Any) -> bool:
        """No: a hole is a value of pixels."""
        del config
        return False

    def shown(self, config: Any, picture: Tensor) -> Tensor:
        """As it is."""
        del config
        return picture
