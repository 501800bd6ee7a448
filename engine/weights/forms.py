"""The forms in which files pack tensors, each with its unpacking.

The parts of a form are identified by position. `packed.py` determines which tensors of a file
belong together.
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

    parts[1] is one number, or one for each row of the values: [N], or [N, 1, ...].
    """

    name: str = "scaled fp8"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`. The product is computed in float32."""
        values, scale = parts
        rows = (-1, *(1 for _ in values.shape[1:])) if scale.numel() > 1 else ()
        scale = scale.float().reshape(rows)
        return values.to(torch.float32).mul_(scale).to(dtype)
