"""Writes `.safetensors` files tensor by tensor, so that one at a time is in memory.

Format: https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.safetensors import DTYPES

_NAMES: Mapping[torch.dtype, str] = {dtype: name for name, dtype in DTYPES.items()}
_ALIGNED = 8


@dataclass(frozen=True, slots=True, eq=False)
class ToWrite:
    """One tensor to write; `values` is called when it is written.

    Attributes:
        shape, dtype: of the result of `values`.
        values: the tensor, on any device.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    values: Callable[[], Tensor]

    @classmethod
    def of(cls, tensor: Tensor) -> ToWrite:
        """A tensor that is in memory."""
        return cls(tuple(tensor.shape), tensor.dtype, lambda: tensor)

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return prod(self.shape) * self.dtype.itemsize


def write(
    stream: BinaryIO,
    tensors: Mapping[str, ToWrite],
    metadata: Mapping[str, str],
    *,
    on_tensor: Callable[[int, int], None] = lambda _done, _all: None,
) -> None:
    """Write a whole file.

    Args:
        stream: at its beginning.
        tensors: by name.
        metadata: the strings of the file's metadata.
        on_tensor: called with (written, all) after each tensor; may raise to end the writing.

    Raises:
        WeightsError: the format cannot store a tensor's dtype, or a tensor differs from its
            declaration.
        OSError: writing failed.
    """
    # Wide dtypes first, so that every tensor is aligned to its element size.
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    stream.write(_header([(name, tensors[name]) for name in order], metadata))
    for done, name in enumerate(order, 1):
        announced = tensors[name]
        values = announced.values().detach()
        if tuple(values.shape) != announced.shape or values.dtype != announced.dtype:
            raise WeightsError(
                f"{name} is {list(values.shape)} of {values.dtype}, announced were "
                f"{list(announced.shape)} of {announced.dtype}"
            )
        raw = values.cpu().contiguous().reshape(-1).view(torch.uint8)
        stream.write(raw.numpy().data)
        on_tensor(done, len(order))


def _header(tensors: Iterable[tuple[str, ToWrite]], metadata: Mapping[str, str]) -> bytes:
    document: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    for name, each in tensors:
        if each.dtype not in _NAMES:
            raise WeightsError(f"{name}: the format has no {each.dtype}")
        end = position + each.nbytes
        document[name] = {
            "dtype": _NAMES[each.dtype],
            "shape": list(each.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return len(text).to_bytes(8, "little") + text
