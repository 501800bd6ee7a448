"""Values between two processes: numbers, texts and containers as trees, tensors as bytes beside.

Other objects stay where they are; the other process gets a handle. Nothing is pickled.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from engine.compat.isolation.stand_ins import Handles, StandIn
from engine.errors import NodeError
from engine.nodekit.node import Blocked
from engine.wire.block_pool import MOST_REUSED
from engine.wire.isolated_messages import (
    BigInteger,
    BlockedBy,
    Bytes,
    Complex,
    DictOf,
    HandleOf,
    ListOf,
    SetOf,
    TensorAt,
    Tree,
    TupleOf,
)
from engine.wire.shared_memory import ALIGNMENT

_DEEPEST = 64
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1
_TENSORS = (Tensor, torch.nn.Parameter)
_COPIED = MOST_REUSED
"""Bytes up to which a tensor is copied out of its block: blocks of that size are used again.
Larger ones stay in the block."""
_ARRAY_KINDS = "biufc"
"""Of numpy's dtypes: booleans, integers, floats and complex numbers."""


class Writer:
    """Makes trees of values, and collects the bytes that go beside them.

    Attributes:
        parts: bytes, each with its offset.
        size: of all of them.
    """

    def __init__(self, handles: Handles) -> None:
        """Begin a message.

        Args:
            handles: lends what stays here.
        """
        self.parts: list[tuple[int, memoryview]] = []
        self.size = 0
        self._handles = handles
        self._seen: dict[int, TensorAt] = {}
        self._kept: list[Any] = []

    def tree(self, value: Any, depth: int = 0) -> Tree:
        """The tree of one value.

        Raises:
            NodeError: it is nested too deeply, or holds itself, or was lost with its process.
        """
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            number = int(value)
            return number if _SMALLEST <= number <= _LARGEST else BigInteger(f"{number:x}")
        if isinstance(value, float):
            return float(value)
        if type(value) in _TENSORS:
            return self._tensor(value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value)
        if isinstance(value, dict | list | tuple | set | frozenset):
            return self._container(value, depth + 1)
        if isinstance(value, bytes | bytearray):
            return Bytes(bytes(value), isinstance(value, bytearray))
        if isinstance(value, complex):
            return Complex(value.real, value.imag)
        if isinstance(value, Blocked):
            return BlockedBy(value.message)
        return self._handle(value)

    def _container(self, value: Any, depth: int) -> Tree:
        if depth > _DEEPEST:
            raise NodeError(
                f"a value is nested deeper than {_DEEPEST} levels, or holds itself: it cannot go "
                "to another process"
            )
        if isinstance(value, dict):
            given = cast("Mapping[Any, Any]", value)
            keys = [self.tree(each, depth) for each in given]
            return DictOf(keys, [self.tree(each, depth) for each in given.values()])
        items = [self.tree(each, depth) for each in cast("Iterable[Any]", value)]
        if isinstance(value, tuple):
            return TupleOf(items)
        if isinstance(value, set | frozenset):
            return SetOf(items, isinstance(value, frozenset))
        return ListOf(items)

    def _tensor(self, value: Tensor) -> Tree:
        found = self._seen.get(id(value))
        if found is not None:
            return found
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            return self._handle(value)
        plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
        content = plain.reshape(-1).view(torch.uint8).numpy()
        name = str(value.dtype).removeprefix("torch.")
        return self._placed(value, TensorAt(0, 0, name, list(value.shape)), content)

    def _array(self, value: Any) -> Tree:
        found = self._seen.get(id(value))
        if found is not None:
            return found
        array = np.asarray(value)
        if array.dtype.kind not in _ARRAY_KINDS:
            return self._handle(value)
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return self._placed(
            value, TensorAt(0, 0, array.dtype.str, list(array.shape), True), content
        )

    def _placed(self, value: Any, at: TensorAt, content: np.ndarray[Any, Any]) -> TensorAt:
        offset = self.size
        if content.nbytes:
            self.parts.append((offset, content.data))
            self.size = -(-(offset + content.nbytes) // ALIGNMENT) * ALIGNMENT
        placed = TensorAt(len(self._seen), offset, at.dtype, at.shape, at.is_array)
        self._seen[id(value)] = placed
        self._kept.append(value)  # so that its id stays its own
        return placed

    def _handle(self, value: Any) -> HandleOf:
        if isinstance(value, StandIn):
            number = self._handles.number_of(value)
            if number is not None:
                return HandleOf(True, number)
        return HandleOf(False, self._handles.lend(value), type(value).__name__)


class Reader:
    """Makes values of the trees of one message."""

    def __init__(self, handles: Handles, memory: mmap.mmap | None) -> None:
        """Begin a message.

        Args:
            handles: finds what was lent.
            memory: of the message; nobody writes to a large one, so large tensors stay views of it.
        """
        self._handles = handles
        self._memory = memory
        self._made: dict[int, Any] = {}

    def value(self, tree: Tree) -> Any:
        """The value of a tree.

        Raises:
            NodeError: it refers to what is not there.
        """
        match tree:
            case ListOf(items=items):
                return [self.value(each) for each in items]
            case TupleOf(items=items):
                return tuple(self.value(each) for each in items)
            case DictOf(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return {self.value(key): self.value(each) for key, each in pairs}
            case TensorAt():
                return self._tensor(tree)
            case HandleOf(is_yours=True, number=number):
                return self._handles.lent(number)
            case HandleOf(number=number, kind=kind):
                return self._handles.stand_in(number, kind)
            case _:
                return self._rare(tree)

    def _rare(self, tree: Tree) -> Any:
        match tree:
            case SetOf(items=items, is_frozen=is_frozen):
                found = [self.value(each) for each in items]
                return frozenset(found) if is_frozen else set(found)
            case Bytes(content=content, is_array=is_array):
                return bytearray(content) if is_array else content
            case BigInteger(digits=digits):
                return int(digits, 16)
            case Complex(real=real, imaginary=imaginary):
                return complex(real, imaginary)
            case BlockedBy(message=message):
                return Blocked(message)
            case _:
                return tree

    def _tensor(self, at: TensorAt) -> Any:
        found = self._made.get(at.number)
        if found is None:
            try:
                found = self._array(at) if at.is_array else self._torch(at)
            except (ValueError, TypeError, AttributeError, RuntimeError) as error:
                raise NodeError(f"a tensor of another process cannot be read: {error}") from error
            self._made[at.number] = found
        return found

    def _torch(self, at: TensorAt) -> Tensor:
        dtype = getattr(torch, at.dtype)
        count = _count(at.shape)
        if not count:
            return torch.empty(at.shape, dtype=dtype)
        assert self._memory is not None  # noqa: S101 - a message with tensors has a block
        nbytes = count * dtype.itemsize
        found = torch.frombuffer(self._memory, dtype=torch.uint8, count=nbytes, offset=at.offset)
        return (found.clone() if nbytes <= _COPIED else found).view(dtype).reshape(at.shape)

    def _array(self, at: TensorAt) -> Any:
        dtype, count = np.dtype(at.dtype), _count(at.shape)
        if not count:
            return np.empty(at.shape, dtype)
        assert self._memory is not None  # noqa: S101 - as above
        flat = np.frombuffer(self._memory, dtype, count, at.offset)
        flat = flat.copy() if flat.nbytes <= _COPIED else flat
        return flat.reshape(at.shape) if at.shape else flat[0]


def _count(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
