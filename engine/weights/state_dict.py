"""Tensors by name, with where they came from; nothing is read before it is asked for.

Knows no file format (readers fill a `StateDict`) and no architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.forms import Form


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor that may still be on disk.

    Attributes:
        shape, dtype: of its values. Those of a packed tensor differ from those of its parts.
        read: the values; of a plain tensor a view of the file where that is possible.
        form: how a packed tensor is unpacked; None for a plain one.
        stored: the parts of a packed tensor.
        is_made: `read` makes a tensor of its own, which takes memory; it is no view of the file.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]
    form: Form | None = None
    stored: tuple[Entry, ...] = ()
    is_made: bool = False

    @classmethod
    def packed(
        cls, form: Form, stored: Sequence[Entry], shape: Sequence[int], dtype: torch.dtype
    ) -> Entry:
        """A tensor of that shape and dtype, in the form and parts of its file."""
        parts = tuple(stored)

        def read() -> Tensor:
            return form.unpack([part.read() for part in parts], dtype)

        return cls(tuple(shape), dtype, read, form, parts)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor as it is stored."""
        if self.form:
            return sum(part.nbytes for part in self.stored)
        return prod(self.shape) * self.dtype.itemsize

    @property
    def parts(self) -> tuple[tuple[tuple[int, ...], torch.dtype], ...]:
        """Shape and dtype of everything stored for it."""
        return tuple((part.shape, part.dtype) for part in self.stored or (self,))

    @property
    def is_compact(self) -> bool:
        """Whether it takes fewer bytes as it is stored than as it is computed with."""
        if self.form is not None:
            return self.nbytes < prod(self.shape) * self.dtype.itemsize
        return self.dtype.is_floating_point and self.dtype.itemsize == 1

    def read_parts(self) -> tuple[Tensor, ...]:
        """Everything stored for it, on the CPU."""
        return tuple(part.read() for part in self.stored) if self.form else (self.read(),)

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """The values in `dtype`, where they are of floating point; on the parts' device."""
        if self.form:
            return self.form.unpack(parts, dtype)
        return parts[0].to(dtype) if parts[0].is_floating_point() else parts[0]


def nothing_to_forget() -> None:
    """The `forget` of tensors that are in plain memory."""


@dataclass(frozen=True)
class StateDict(Mapping[str, Tensor]):
    """The tensors of one file, or a part of it, by name; indexing reads one.

    Attributes:
        entries: shape, dtype and a way to read, by name.
        path: the file, for messages.
        metadata: the strings that the file says about itself.
        forget: advises the system that the file's pages are not needed in memory at present. Views
            stay valid; touching one reads it from the file again.
    """

    entries: Mapping[str, Entry]
    path: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    forget: Callable[[], None] = nothing_to_forget

    @classmethod
    def of(
        cls,
        tensors: Mapping[str, Tensor],
        *,
        path: Path | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateDict:
        """A state dict of tensors that are in memory already."""
        entries = {
            name: Entry(tuple(tensor.shape), tensor.dtype, lambda tensor=tensor: tensor)
            for name, tensor in tensors.items()
        }
        return cls(entries, path, metadata or {})

    def __getitem__(self, name: str) -> Tensor:
        return self.entries[name].read()

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    @property
    def origin(self) -> str:
        """The file's name, as messages show it."""
        return self.path.name if self.path else "weights in memory"

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors as they are stored."""
        return sum(entry.nbytes for entry in self.entries.values())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by name; reads no tensor."""
        return {name: entry.shape for name, entry in self.entries.items()}

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of one tensor, or None if there is none of that name."""
        entry = self.entries.get(name)
        return entry.shape if entry else None

    def part(self, prefix: str) -> StateDict:
        """The tensors whose names begin with `prefix`, named without it."""
        return self.rename(
            lambda name: name.removeprefix(prefix) if name.startswith(prefix) else None
        )

    def refuse_empty(self) -> StateDict:
        """Itself, where every tensor has values.

        Raises:
            WeightsError: one has none. It could claim any size, and a network would be built to
                match it.
        """
        for name, entry in self.entries.items():
            if 0 in entry.shape:
                raise WeightsError(
                    f"its tensor {name} has the shape {list(entry.shape)}, which is empty"
                )
        return self

    def rename(self, new_name: Callable[[str], str | None]) -> StateDict:
        """The same tensors under other names; those renamed to None are left out."""
        entries: dict[str, Entry] = {}
        for name, entry in self.entries.items():
            renamed = new_name(name)
            if renamed is not None:
                entries[renamed] = entry
        return replace(self, entries=entries)
