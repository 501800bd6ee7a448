"""SRVGGNetCompact, the small upscaler of Real-ESRGAN (Wang et al. 2021, arXiv 2107.10833).

3 x 3 convolutions at the size of the input, pixel shuffle at the end, and the result is added to
the input enlarged by repeating its pixels. `config_of` reads the sizes from a file's shapes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nets.layers import Convolution

_KEY = re.compile(r"body\.(\d{1,3})\.(weight|bias)")
_SIDE = (3, 3)


@dataclass(frozen=True, slots=True)
class CompactConfig:
    """Sizes of the network.

    Attributes:
        channels: of the pictures.
        width: channels between convolutions.
        convolutions: the number of those from `width` to `width`.
        scale: output pixels per input pixel along one side.
    """

    channels: int
    width: int
    convolutions: int
    scale: int


def config_of(shapes: Mapping[str, tuple[int, ...]]) -> CompactConfig | None:
    """The sizes from tensors of these shapes; None if they are another network's."""
    matches = [_KEY.fullmatch(name) for name in shapes]
    first, activation = shapes.get("body.0.weight"), shapes.get("body.1.weight")
    if not all(matches) or not first or not activation:
        return None
    last = max(int(match[1]) for match in matches if match)
    end = shapes.get(f"body.{last}.weight", ())
    if len(first) != 4 or first[2:] != _SIDE or activation != first[:1] or len(end) != 4:
        return None
    width, channels = first[:2]
    scale = math.isqrt(end[0] // max(channels, 1))
    if last % 2 or last < 2 or channels < 1 or scale < 1 or end[0] != channels * scale**2:
        return None
    return CompactConfig(channels, width, last // 2 - 1, scale)


class CompactUpscaler(nn.Module):
    """Pictures [B, C, H, W] in 0..1 to [B, C, scale H, scale W], about 0..1."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = [
            Convolution(config.channels, config.width, 3, padding=1),
            nn.PReLU(config.width),
        ]
        for _ in range(config.convolutions):
            layers += [
                Convolution(config.width, config.width, 3, padding=1),
                nn.PReLU(config.width),
            ]
        layers.append(Convolution(config.width, config.channels * config.scale**2, 3, padding=1))
        self.body = nn.ModuleList(layers)

    def forward(self, pictures: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """See the class.

        Args:
            pictures: their dtype is that of the sum, so that float32 ones stay exact.
            dtype: of the convolutions; that of the pictures by default.
        """
        x = pictures.to(dtype)
        for layer in self.body:
            x = layer(x)
        added = functional.pixel_shuffle(x, self.config.scale).to(pictures.dtype)
        return added + functional.interpolate(pictures, scale_factor=self.config.scale)
