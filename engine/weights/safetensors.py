"""Reads `.safetensors` files without copying: every tensor is a view of the memory-mapped file.

We do not use the library's reader because a view costs nothing to make, the system can reclaim its
pages, and the error for a damaged header states what was found and what was expected. Every value
of the header is checked before use; we accept no file that the library would refuse.

Format: https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

import mmap
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, NoReturn

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.tensor_header import LENGTH_BYTES, HeaderError, decode, read_text
from engine.weights.state_dict import Entry, StateDict, nothing_to_forget

DIMENSION_LIMIT = 16
SIZE_LIMIT = 2**63 - 1
FIELDS = frozenset({"dtype", "shape", "data_offsets"})

DTYPES: Mapping[str, torch.dtype] = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "U16": torch.uint16,
    "I16": torch.int16,
    "U32": torch.uint32,
    "I32": torch.int32,
    "U64": torch.uint64,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
}


@dataclass(frozen=True, slots=True)
class Span:
    """One tensor in the header: bytes `begin` to `end` of the data section."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """A checked header: `data` is where the data section starts in the file."""

    spans: Mapping[str, Span]
    metadata: Mapping[str, str]
    data: int


def read(path: Path) -> StateDict:
    """Open a file. Reads its header, no tensor. Raises `WeightsError` for an invalid header."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            header = parse_header(path, _header_text(path, file, size), size)
            if header.data == size:
                return _without_data(path, header)
            mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    except OSError as error:
        raise WeightsError(f"{path.name}: cannot be read: {error}") from error
    return _views(path, header, mapping)


def parse_header(path: Path, text: bytes, size: int) -> Header:
    """Check the header's JSON `text` against a file of `size` bytes."""
    data = LENGTH_BYTES + len(text)
    try:
        found = decode(text)
    except HeaderError as error:
        _refuse(path, str(error))
    spans = {name: _span(path, name, described) for name, described in found.tensors.items()}
    _check_layout(path, spans, size - data)
    return Header(spans, found.metadata, data)


def _refuse(path: Path, finding: str) -> NoReturn:
    raise WeightsError(
        f"{path.name}: not a sound safetensors file: {finding}. "
        "Download or export it again; nothing was loaded."
    )


def _header_text(path: Path, file: BinaryIO, size: int) -> bytes:
    try:
        return read_text(file, size)
    except HeaderError as error:
        _refuse(path, str(error))


def _whole(value: object) -> bool:
    return type(value) is int and 0 <= value <= SIZE_LIMIT


def _span(path: Path, name: str, described: object) -> Span:
    shown = f"tensor {name[:200]!r}"
    if not isinstance(described, dict) or not described.keys() >= FIELDS:
        _refuse(path, f"{shown} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = described["dtype"], described["shape"], described["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _refuse(path, f"{shown} has the dtype {dtype!r}, expected one of {', '.join(DTYPES)}")
    if not isinstance(shape, list) or not all(_whole(n) for n in shape):
        _refuse(path, f"{shown} has the shape {str(shape)[:100]}, expected whole numbers")
    if len(shape) > DIMENSION_LIMIT or prod(max(n, 1) for n in shape) > SIZE_LIMIT:
        _refuse(path, f"{shown} has the shape {str(shape)[:100]}, beyond what a tensor can have")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_whole(n) for n in offsets):
        _refuse(path, f"{shown} has the data_offsets {str(offsets)[:100]}, expected [begin, end]")
    begin, end = offsets
    expected = prod(shape) * DTYPES[dtype].itemsize
    if end - begin != expected:
        _refuse(
            path,
            f"{shown} of shape {shape} and dtype {dtype} takes {expected:,} bytes, "
            f"but its data_offsets {offsets} hold {end - begin:,}",
        )
    return Span(tuple(shape), DTYPES[dtype], begin, end)


def _check_layout(path: Path, spans: Mapping[str, Span], available: int) -> None:
    """The spans must cover the data section exactly: no overlap, no gap, no remainder."""
    position = 0
    for name, span in sorted(spans.items(), key=lambda item: (item[1].begin, item[1].end)):
        if span.begin != position:
            kind = "overlaps the tensor before it" if span.begin < position else "follows a hole"
            _refuse(
                path, f"tensor {name[:200]!r} {kind}: begins at {span.begin:,}, not {position:,}"
            )
        position = span.end
    if position > available:
        _refuse(
            path,
            f"it is truncated: its header promises {position:,} bytes of data, "
            f"the file holds {available:,}",
        )
    if position < available:
        _refuse(
            path,
            f"its header describes {position:,} bytes of data, the file holds {available:,}",
        )


def _without_data(path: Path, header: Header) -> StateDict:
    """A file without data, which cannot be mapped and need not be."""
    entries = {
        name: Entry(span.shape, span.dtype, lambda span=span: _empty(span))
        for name, span in header.spans.items()
    }
    return StateDict(entries, path, header.metadata)


def _views(path: Path, header: Header, mapping: mmap.mmap) -> StateDict:
    with warnings.catch_warnings():
        # The map is read-only on purpose: nothing in the engine writes to weights in place.
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        data = torch.frombuffer(mapping, dtype=torch.uint8, offset=header.data)
    entries = {
        name: Entry(span.shape, span.dtype, lambda span=span: _view(data, span))
        for name, span in header.spans.items()
    }
    forget = nothing_to_forget
    if hasattr(mmap, "MADV_DONTNEED"):

        def forget() -> None:
            mapping.madvise(mmap.MADV_DONTNEED)

    return StateDict(entries, path, header.metadata, forget)


def _empty(span: Span) -> Tensor:
    return torch.empty(span.shape, dtype=span.dtype)


def _view(data: Tensor, span: Span) -> Tensor:
    if span.begin == span.end:
        return _empty(span)
    raw = data[span.begin : span.end]
    if raw.data_ptr() % span.dtype.itemsize:
        raw = raw.clone()  # old writers did not align their headers
    return raw.view(span.dtype).view(span.shape)
