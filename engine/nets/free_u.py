"""FreeU: a patch of a UNet's decoder that needs no training.

Si et al. 2023, "FreeU: Free Lunch in Diffusion U-Net", and the authors' second version. In the
decoder the backbone's features are made stronger, and the low frequencies of the skip connections
weaker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LOW = (-1, 0)
"""Frequencies that count as low, along each axis, in cycles per feature map."""


@dataclass(frozen=True, slots=True)
class FreeU:
    """A patch of the kind `output_block_patch`. Equal ones make equal changes.

    Attributes:
        factors: for features of so many channels, the factor of the backbone and that of the skip.
        adaptive: the backbone's factor follows the mean of its channels at each cell (version 2).
    """

    factors: tuple[tuple[int, float, float], ...]
    adaptive: bool

    def __call__(
        self, hidden: Tensor, skip: Tensor, options: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor]:
        """Change features [B, C, h, w] and the skip [B, C', h, w] if C is listed."""
        del options
        for channels, strength, share in self.factors:
            if hidden.shape[1] == channels:
                strengthen = adaptively_strengthened if self.adaptive else strengthened
                return strengthen(hidden, strength), low_frequencies_scaled(skip, share)
        return hidden, skip


def strengthened(hidden: Tensor, factor: float) -> Tensor:
    """Features [B, C, h, w], the first half of the channels times `factor`."""
    return _first_half(hidden, lambda half: half * factor)


def adaptively_strengthened(hidden: Tensor, factor: float) -> Tensor:
    """Likewise, from 1 where the mean of the channels is least to `factor` where it is largest."""
    mean = hidden.mean(dim=1, keepdim=True)
    least, most = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
    share = (mean - least) / (most - least).clamp(min=torch.finfo(mean.dtype).tiny)
    return _first_half(hidden, lambda half: half * (1.0 + (factor - 1.0) * share))


def low_frequencies_scaled(skip: Tensor, factor: float) -> Tensor:
    """A map [B, C, h, w] whose lowest frequencies (see `LOW`) are multiplied by `factor`."""
    frequencies = torch.fft.fft2(skip.float())
    height, width = skip.shape[-2:]
    scale = torch.ones(height, width, device=skip.device)
    rows, columns = ([each % side for each in LOW] for side in (height, width))
    scale[torch.tensor(rows)[:, None], torch.tensor(columns)] = factor
    return torch.fft.ifft2(frequencies * scale).real.to(skip.dtype)


def _first_half(hidden: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    half = hidden.shape[1] // 2
    return torch.cat((change(hidden[:, :half]), hidden[:, half:]), dim=1)
