"""The value on an UPSCALE_MODEL wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from engine.residency.handles import Weights


@dataclass(frozen=True, slots=True, eq=False)
class UpscaleModel:
    """A network that enlarges pictures; the value of an UPSCALE_MODEL wire.

    Attributes:
        architecture: its name.
        scale: output pixels per input pixel along one side; 1 for restoration only.
        channels, result_channels: of its pictures.
        weights: the network's.
        run: takes the network and float32 pictures [B, channels, h, w] in 0..1 on its device;
            returns [B, result_channels, scale h, scale w]. May be called only inside
            `Residency.use(weights)`.
    """

    architecture: str
    scale: int
    channels: int
    result_channels: int
    weights: Weights
    run: Callable[[nn.Module, Tensor], Tensor]
