"""The forms in which files pack tensors, each with its way back to values: one place unpacks.

A form knows its parts by position. Which tensors of a file belong together is said in `packed.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Form(Protocol):
    """How one kind of file packs a tensor."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """The values in `dtype`, on the device of the parts."""
        ...


@dataclass(frozen=True, slots=True)
class ScaledFloat8:
    """8-bit floats and one scale for all of them: values = parts[0] * parts[1].

    parts[1] is a scalar, or broadcasts against the values (a scale per output channel).
    """

    name: str = "scaled fp8"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`. The product is made in float32."""
        values, scale = parts
        scale = scale.float()
        if scale.ndim == 1 and scale.numel() > 1:
            scale = scale.reshape(-1, *(1 for _ in values.shape[1:]))
        return values.to(torch.float32).mul_(scale).to(dtype)
