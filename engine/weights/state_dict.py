"""Tensors by name, with their origin, read on access.

Readers of file formats fill a `StateDict`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.forms import Form, Padded


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor that may still be on disk.

    Attributes:
        shape, dtype: of its values. Those of a packed tensor differ from those of its parts.
        read: the values; of a plain tensor a view of the file where that is possible.
        form: how a packed tensor is unpacked; None for a plain one.
        stored: the parts of a packed tensor.
        is_made: whether `read` allocates a new tensor instead of returning a view of the file.
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
        """An entry of that shape and dtype, stored in that form as these parts."""
        parts = tuple(stored)

        def read() -> Tensor:
            return form.unpack([part.read() for part in parts], dtype)

        return cls(tuple(shape), dtype, read, form, parts)

    def fitted(self, shape: Sequence[int]) -> Entry:
        """The tensor without padding, if padding explains its difference from that shape."""
        form = self.form
        if self.shape == tuple(shape) or len(shape) != 2 or not isinstance(form, Padded):
            return self
        multiple = form.padding
        if any(
            found not in (side, -(-side // multiple) * multiple)
            for found, side in zip(self.shape, shape, strict=True)
        ):
            return self
        return Entry.packed(form.cut(*shape), self.stored, shape, self.dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor's stored form."""
        if self.form:
            return sum(part.nbytes for part in self.stored)
        return prod(self.shape) * self.dtype.itemsize

    @property
    def parts(self) -> tuple[tuple[tuple[int, ...], torch.dtype], ...]:
        """Shape and dtype of every stored part."""
        return tuple((part.shape, part.dtype) for part in self.stored or (self,))

    @property
    def is_compact(self) -> bool:
        """Whether its stored form takes fewer bytes than its values to compute with."""
        if self.form is not None:
            return self.nbytes < prod(self.shape) * self.dtype.itemsize
        return self.dtype.is_floating_point and self.dtype.itemsize == 1

    def read_parts(self) -> tuple[Tensor, ...]:
        """The stored parts, on the CPU."""
        return tuple(part.read() for part in self.stored) if self.form else (self.read(),)

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """The values, in `dtype` if they are floating-point; on the parts' device."""
        if self.form:
            return self.form.unpack(parts, dtype)
        return parts[0].to(dtype) if parts[0].is_floating_point() else parts[0]


def nothing_to_forget() -> None:
    """The `forget` of tensors in ordinary memory."""


@dataclass(frozen=True)
class StateDict(Mapping[str, Tensor]):
    """The tensors of one file, or a part of it, by name; indexing reads one.

    Attributes:
        entries: shape, dtype and a way to read, by name.
        path: the file, for messages.
        metadata: the strings in the file's metadata.
        forget: advises the system to drop the file's pages from memory. Views stay valid; accessing
            one reads it from the file again.
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
        """A state dict of tensors already in memory."""
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
        """Bytes of all tensors in stored form."""
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
        """This state dict, after checking that every tensor has values.

        Raises:
            WeightsError: a tensor is empty. It could claim any size, and a network of that size
                would be built.
        """
        for name, entry in self.entries.items():
            if 0 in entry.shape:
                raise WeightsError(
                    f"its tensor {name} has the shape {list(entry.shape)}, which is empty"
                )
        return self

    def rename(self, new_name: Callable[[str], str | None]) -> StateDict:
        """The same tensors under other names; tensors renamed to None are left out."""
        entries: dict[str, Entry] = {}
        for name, entry in self.entries.items():
            renamed = new_name(name)
            if renamed is not None:
                entries[renamed] = entry
        return replace(self, entries=entries)
