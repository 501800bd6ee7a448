"""Which weights are on the compute device. Knows modules and sizes, no family and no file.

A sketch of the seam; see the module's final form.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import nn


class Weights(Protocol):
    """A handle on one module's weights. Cheap to hold: nothing is read before first use."""

    name: str
    size: int

    @property
    def module(self) -> nn.Module:
        """The module; only inside `Residency.use` is it on the compute device."""
        ...


class Residency(Protocol):
    """One device and its memory budget."""

    device: torch.device
    dtype: torch.dtype

    def use(self, *weights: Weights, room_for: int = 0) -> AbstractContextManager[None]: ...

    def release(self, wanted: int) -> int: ...
