"""Reads `.gguf` files without copying: every tensor is a view of the memory-mapped file.

Files come from strangers, so every count, length, offset and size is checked before it is used.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import json
import mmap
import struct
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.described import INSTEAD
from engine.weights.gguf_forms import KINDS, PLAIN, GgmlBlocks
from engine.weights.layers import VALUES
from engine.weights.state_dict import Entry, StateDict, nothing_to_forget

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ORIGINAL_SHAPE = "comfy.gguf.orig_shape."
"""The prefix of the true shapes of tensors that ggml cannot describe."""
_ALIGNMENT = "general.alignment"
_NUMBERS: Mapping[int, str] = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
_DEEPEST, _MOST_AXES = 4, 8
_LONGEST_NAME, _LONGEST_SIDE = 1 << 16, 2**40
_LEAST_ENTRY = 12
"""Bytes of the shortest name with its type and value."""


@dataclass(frozen=True, slots=True)
class _Value:
    """Where a value of the header begins, and its type."""

    kind: int
    at: int


@dataclass(frozen=True, slots=True)
class _Span:
    """A tensor in the header: `begin` counts from the data section."""

    shape: tuple[int, ...]
    kind: int
    begin: int

    @property
    def row(self) -> int:
        return self.shape[-1] if self.shape else 1

    @property
    def nbytes(self) -> int:
        if self.kind in PLAIN:
            return prod(self.shape) * PLAIN[self.kind].itemsize
        kind = KINDS[self.kind]
        return prod(self.shape) // kind.values * kind.nbytes


def read(path: Path) -> StateDict:
    """Open a file. Reads its header, no tensor. Raises `WeightsError` for an invalid header."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path.name}: cannot be read: {error}") from error
    header = _Header(path, mapping)
    with warnings.catch_warnings():
        # The map is read-only on purpose: nothing in the engine writes to weights in place.
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        whole = torch.frombuffer(mapping, dtype=torch.uint8)
    entries = {name: header.entry(name, span, whole) for name, span in header.spans.items()}
    forget = nothing_to_forget
    if hasattr(mmap, "MADV_DONTNEED"):

        def forget() -> None:
            mapping.madvise(mmap.MADV_DONTNEED)

    return StateDict(entries, path, Metadata(header), forget)


class Metadata(Mapping[str, str]):
    """The values of a header as text: numbers as written, arrays as JSON, made when asked for."""

    def __init__(self, header: _Header) -> None:
        self._header = header

    def __getitem__(self, name: str) -> str:
        found = self._header.value(name)
        return found if isinstance(found, str) else json.dumps(found)

    def __contains__(self, name: object) -> bool:
        return name in self._header.values

    def __iter__(self) -> Iterator[str]:
        return iter(self._header.values)

    def __len__(self) -> int:
        return len(self._header.values)


class _Header:
    """A checked header.

    Attributes:
        values: where the values of the metadata are, by name.
        spans: the tensors by name.
        data: where the data section begins in the file.
    """

    def __init__(self, path: Path, mapping: mmap.mmap) -> None:
        self._path = path
        self._bytes = mapping
        self._at = len(MAGIC)
        version = self._number("I")
        if version not in VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS
            what = "for big-endian machines" if swapped else f"of version {version}"
            self._refuse(f"it is {what}, expected version 2 or 3")
        tensors, values = self._count("tensors"), self._count("values")
        self.values: dict[str, _Value] = {}
        for _ in range(values):
            name = self._name()
            found = _Value(self._number("I"), self._at)
            self._skip(found.kind, 0, name)
            self.values[name] = found
        self.spans = self._spans(tensors)
        alignment = self.value(_ALIGNMENT) if _ALIGNMENT in self.values else 32
        if type(alignment) is not int or not 0 < alignment <= 1 << 20:
            self._refuse(f"its {_ALIGNMENT} is {str(alignment)[:60]}")
        self.data = -(-self._at // alignment) * alignment
        self._check_spans()

    def value(self, name: str) -> object:
        """A value of the metadata. Raises `KeyError`."""
        where, place = self.values[name], self._at
        self._at = where.at
        found = self._read(where.kind)
        self._at = place
        return found

    def entry(self, name: str, span: _Span, whole: Tensor) -> Entry:
        """One tensor, as a view of the file's bytes."""
        begin = self.data + span.begin
        raw = whole[begin : begin + span.nbytes]
        shape = self._original_shape(name, span)
        if span.kind in PLAIN:
            dtype = PLAIN[span.kind]
            return Entry(shape, dtype, lambda: _view(raw, dtype, shape))
        kind = KINDS[span.kind]
        across = span.row // kind.values * kind.nbytes
        rows = (span.nbytes // across, across)
        stored = Entry(rows, torch.uint8, lambda: raw.view(rows))
        return Entry.packed(GgmlBlocks(span.kind, shape), (stored,), shape, VALUES)

    def _original_shape(self, name: str, span: _Span) -> tuple[int, ...]:
        key = f"{ORIGINAL_SHAPE}{name}"
        if key not in self.values:
            return span.shape
        found = self.value(key)
        sides = found if isinstance(found, list) else []
        fits = len(sides) <= _MOST_AXES and all(type(side) is int and side > 0 for side in sides)
        if not fits or prod(sides) != prod(span.shape):
            self._refuse(
                f"tensor {name[:200]!r} of shape {list(span.shape)} is said to be "
                f"{str(found)[:60]} originally"
            )
        return tuple(sides)

    def _spans(self, count: int) -> dict[str, _Span]:
        spans: dict[str, _Span] = {}
        for _ in range(count):
            name = self._name()
            axes = self._number("I")
            if axes > _MOST_AXES:
                self._refuse(f"tensor {name[:200]!r} has {axes:,} dimensions")
            sides = [self._number("Q") for _ in range(axes)]
            kind, begin = self._number("I"), self._number("Q")
            if name in spans:
                self._refuse(f"it has two tensors {name[:200]!r}")
            spans[name] = self._span(name, tuple(reversed(sides)), kind, begin)
        return spans

    def _span(self, name: str, shape: tuple[int, ...], kind: int, begin: int) -> _Span:
        shown = f"tensor {name[:200]!r}"
        if any(not 0 < side <= _LONGEST_SIDE for side in shape) or prod(shape) >= 2**62:
            self._refuse(f"{shown} has the shape {list(shape)}, beyond what a tensor can have")
        if kind not in PLAIN and kind not in KINDS:
            self._refuse(f"{shown} is of the unknown type {kind}")
        packed = KINDS.get(kind)
        if packed is not None and packed.unpack is None:
            known = ", ".join(each.name for each in KINDS.values() if each.unpack)
            raise WeightsError(
                f"{self._path.name}: its {shown} is packed as {packed.name}, which Calotype does "
                f"not read. Get the model in another quantisation ({known}), or {INSTEAD}."
            )
        span = _Span(shape, kind, begin)
        if packed is not None and span.row % packed.values:
            self._refuse(
                f"{shown} has rows of {span.row:,} values, which are no blocks of {packed.values} "
                f"({packed.name})"
            )
        return span

    def _check_spans(self) -> None:
        available = len(self._bytes) - self.data
        for name, span in self.spans.items():
            end = span.begin + span.nbytes
            if end > available:
                self._refuse(
                    f"it is truncated: its tensor {name[:200]!r} ends at byte "
                    f"{self.data + end:,}, the file holds {len(self._bytes):,}"
                )

    def _read(self, kind: int) -> object:
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        if kind == _STRING:
            return self._text(self._number("Q")).decode("utf-8", "replace")
        inner, count = self._number("I"), self._number("Q")
        if inner in _NUMBERS:
            code = f"<{count}{_NUMBERS[inner]}"
            found = struct.unpack_from(code, self._bytes, self._at)
            self._at += struct.calcsize(code)
            return list(found)
        return [self._read(inner) for _ in range(count)]

    def _skip(self, kind: int, depth: int, name: str) -> None:
        """Go past a value, checking every length in it."""
        if kind in _NUMBERS:
            self._move(struct.calcsize(_NUMBERS[kind]))
        elif kind == _STRING:
            self._move(self._number("Q"))
        elif kind == _ARRAY and depth < _DEEPEST:
            inner, count = self._number("I"), self._number("Q")
            if inner in _NUMBERS:
                self._move(count * struct.calcsize(_NUMBERS[inner]))
                return
            if count * 8 > len(self._bytes) - self._at:
                self._refuse(f"its {name[:200]!r} promises {count:,} values")
            for _ in range(count):
                self._skip(inner, depth + 1, name)
        else:
            self._refuse(f"its {name[:200]!r} has the unknown type {kind}")

    def _count(self, what: str) -> int:
        found = self._number("Q")
        if found * _LEAST_ENTRY > len(self._bytes):
            self._refuse(f"it promises {found:,} {what}, more than its {len(self._bytes):,} bytes")
        return found

    def _name(self) -> str:
        length = self._number("Q")
        if length > _LONGEST_NAME:
            self._refuse(f"it has a name of {length:,} bytes")
        try:
            return self._text(length).decode("utf-8")
        except UnicodeDecodeError:
            self._refuse("it has a name that is no text")

    def _text(self, length: int) -> bytes:
        begin = self._at
        self._move(length)
        return self._bytes[begin : self._at]

    def _number(self, code: str) -> int:
        begin = self._at
        self._move(struct.calcsize(code))
        return struct.unpack_from(f"<{code}", self._bytes, begin)[0]

    def _move(self, nbytes: int) -> None:
        if nbytes > len(self._bytes) - self._at:
            self._refuse(
                f"it is truncated: its header needs {nbytes:,} bytes from byte {self._at:,} on, "
                f"the file holds {len(self._bytes):,}"
            )
        self._at += nbytes

    def _refuse(self, finding: str) -> NoReturn:
        raise WeightsError(
            f"{self._path.name}: not a sound GGUF file: {finding}. Download it again; nothing was "
            "loaded."
        )


def _view(raw: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    aligned = raw if raw.data_ptr() % dtype.itemsize == 0 else raw.clone()
    return aligned.view(dtype).view(shape)
