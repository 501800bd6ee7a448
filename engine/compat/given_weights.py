"""Tensors that packs hand over as a state dict, plain or packed, as the engine's weights.

Packs that read GGUF files hand over tensors which hold the blocks as bytes and say the format as
`tensor_type` (ggml's number) and `tensor_shape` (the values' shape). They stay packed here, and are
unpacked block by block like those of a file that the engine reads itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.gguf_forms import KINDS, PLAIN, GgmlBlocks
from engine.weights.layers import VALUES
from engine.weights.state_dict import Entry, StateDict


def given_weights(
    tensors: Mapping[str, Any], *, metadata: Mapping[str, str] | None = None
) -> StateDict:
    """The tensors of a pack's state dict; what is no tensor is left out.

    Raises:
        WeightsError: a tensor is packed in a format that is not read, or has not the bytes that its
            shape needs.
    """
    if isinstance(tensors, StateDict):
        return tensors
    entries = {
        name: given_entry(name, tensor)
        for name, tensor in tensors.items()
        if isinstance(tensor, Tensor)
    }
    return StateDict(entries, metadata=metadata or {})


def given_entry(name: str, tensor: Tensor) -> Entry:
    """One tensor. Raises `WeightsError` like `given_weights`."""
    raw = torch.Tensor.as_subclass(tensor, Tensor)
    kind, shape = getattr(tensor, "tensor_type", None), getattr(tensor, "tensor_shape", None)
    if kind is None or shape is None:
        return Entry(tuple(raw.shape), raw.dtype, lambda: raw)
    number, sides = int(kind), tuple(int(side) for side in shape)
    if number in PLAIN:
        dtype = PLAIN[number]
        values = raw if raw.dtype == dtype else raw.contiguous().view(torch.uint8).view(dtype)
        _check(name, values.numel(), prod(sides), "values")
        return Entry(sides, dtype, lambda: values.reshape(sides))
    packed = KINDS.get(number)
    if packed is None or packed.unpack is None:
        shown = packed.name if packed else f"ggml's format {number}"
        raise WeightsError(f"its tensor {name} is packed as {shown}, which Calotype does not read")
    _check(name, raw.nbytes, prod(sides) // packed.values * packed.nbytes, "bytes")
    data = raw.contiguous().view(torch.uint8)
    rows = (-1, data.shape[-1]) if data.dim() > 1 else (1, -1)
    blocks = data.reshape(rows)
    stored = Entry(tuple(blocks.shape), torch.uint8, lambda: blocks)
    return Entry.packed(GgmlBlocks(number, sides), (stored,), sides, VALUES)


def _check(name: str, found: int, expected: int, what: str) -> None:
    if found != expected:
        raise WeightsError(f"its tensor {name} has {found:,} {what}; its shape needs {expected:,}")
