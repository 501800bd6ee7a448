"""The interfaces behind a module's tensors: their source, stored form and patches.

`engine.weights`, `engine.adapters` and plugins implement them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Part = tuple[tuple[int, ...], torch.dtype]
"""Shape and dtype of one stored tensor."""


class Source(Protocol):
    """One tensor as its file stores it.

    Attributes:
        shape, dtype: of its values. The parts of a packed tensor have different ones.
        parts: shape and dtype of every stored part, known without reading.
        is_compact: whether it stays in its stored form on a device, and is unpacked for each call.
        is_made: whether reading its parts allocates memory; otherwise they are views of the file.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its values."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of its values; for a compact tensor, what it is unpacked to by default."""
        ...

    @property
    def parts(self) -> tuple[Part, ...]:
        """The stored parts; a plain tensor has one, of its own shape and dtype."""
        ...

    @property
    def is_compact(self) -> bool:
        """Whether its stored form takes fewer bytes than its values to compute with."""
        ...

    @property
    def is_made(self) -> bool:
        """Whether reading allocates memory."""
        ...

    def read_parts(self) -> tuple[Tensor, ...]:
        """The parts on the CPU; views of the file where that is possible."""
        ...

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """The values on the parts' device: floating-point ones in `dtype`, others in their own.

        May return a part itself, because callers do not write to the result.
        """
        ...


class Patch(Protocol):
    """A change of one tensor, such as one module of a LoRA. Equal patches make equal changes."""

    def apply(self, weight: Tensor) -> Tensor:
        """The changed weight. `weight` is float32 on the compute device and must not be changed."""
        ...


Patches = Mapping[str, tuple[Patch, ...]]
"""The patches of a module's tensors by name, in the order in which they apply."""


@dataclass(frozen=True, slots=True, eq=False)
class TensorSource:
    """A tensor already in memory, such as one of a plugin's module."""

    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """See `Source`."""
        return tuple(self.tensor.shape)

    @property
    def dtype(self) -> torch.dtype:
        """See `Source`."""
        return self.tensor.dtype

    @property
    def parts(self) -> tuple[Part, ...]:
        """See `Source`."""
        return ((self.shape, self.dtype),)

    @property
    def is_compact(self) -> bool:
        """See `Source`."""
        return self.tensor.is_floating_point() and self.tensor.itemsize == 1

    @property
    def is_made(self) -> bool:
        """See `Source`."""
        return False

    def read_parts(self) -> tuple[Tensor, ...]:
        """See `Source`."""
        return (self.tensor.detach(),)

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Source`."""
        return parts[0].to(dtype) if parts[0].is_floating_point() else parts[0]
