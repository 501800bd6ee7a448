"""What a tensor of a module is made from: where it is read, how it is stored, what changes it.

Knows no file format and no adapter: `engine.weights` and plugins bring those.
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
    """One tensor as its file stores it, apart from what it means.

    Attributes:
        shape, dtype: of its values. A packed tensor's parts have others.
        parts: shape and dtype of everything stored for it, known without reading.
        is_compact: it stays in its stored form on a device, and is unpacked for each call.
        is_made: its parts are made when they are read; those of others are views of the file.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its values."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of its values; for a compact tensor, what it is unpacked to unless asked otherwise."""
        ...

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is stored; a plain tensor has one part, of its own shape and dtype."""
        ...

    @property
    def is_compact(self) -> bool:
        """Whether it takes fewer bytes as it is stored than as it is computed with."""
        ...

    @property
    def is_made(self) -> bool:
        """Whether reading takes memory of its own."""
        ...

    def read_parts(self) -> tuple[Tensor, ...]:
        """The parts on the CPU; views of the file where that is possible."""
        ...

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """The values of floating point in `dtype`, others in their own; on the parts' device.

        May return a part itself: nobody writes to the result.
        """
        ...


class Patch(Protocol):
    """A change of one tensor, such as one module of a LoRA. Equal patches make equal changes."""

    def apply(self, weight: Tensor) -> Tensor:
        """The changed weight. Gets float32 on the compute device, and does not write to it."""
        ...


Patches = Mapping[str, tuple[Patch, ...]]
"""The changes of a module's tensors by name, in the order in which they apply."""


@dataclass(frozen=True, slots=True, eq=False)
class TensorSource:
    """A tensor that is in memory already, such as one of a plugin's module."""

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
