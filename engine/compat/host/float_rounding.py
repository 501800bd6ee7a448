"""`comfy.float`: conversion to 8 bits with random rounding."""

from __future__ import annotations

import torch
from torch import Tensor

_MANTISSA = {torch.float8_e4m3fn: (3, -6), torch.float8_e5m2: (2, -14)}
"""Bits after the point, and the least exponent of a normal number."""


def stochastic_rounding(value: Tensor, dtype: torch.dtype, seed: int = 0) -> Tensor:
    """Values in a dtype of 8 bits, rounded up or down in proportion to their distance.

    The mean of many roundings is the value (Gupta et al. 2015, "Deep Learning with Limited
    Numerical Precision"). Other dtypes round to the nearest.

    Args:
        value: of any shape.
        dtype: of the result.
        seed: of the draw.
    """
    if dtype not in _MANTISSA:
        return value.to(dtype)
    bits, least = _MANTISSA[dtype]
    exact = value.to(torch.float32)
    largest = torch.finfo(dtype).max
    exponent = torch.frexp(exact)[1] - 1
    step = torch.exp2((exponent.clamp(min=least) - bits).to(torch.float32))
    generator = torch.Generator(device=value.device).manual_seed(seed)
    draw = torch.rand(exact.shape, generator=generator, device=value.device)
    rounded = (exact / step + draw).floor() * step
    return rounded.clamp(-largest, largest).to(dtype)
