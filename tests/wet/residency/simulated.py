"""A simulated device that counts every byte: weights, slots, unpacked tensors, activations.

It is torch's meta device under a dispatch mode that follows every storage, so true sizes cost
nothing. Attention counts as a fused kernel's, which stores no attention matrix.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from engine.residency.carriers import BlockLoader, Item, Wants
from engine.residency.cuda import CudaCarrier, Layout
from engine.residency.manager import DeviceResidency

DEVICE = torch.device("meta")


class FusedAttention(TorchFunctionMode):
    """Attention as on devices; tensors copied to the host are zeros."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is Tensor.cpu and args[0].device == DEVICE:
            return torch.zeros(args[0].shape, dtype=args[0].dtype)
        if func is nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0], memory_format=torch.contiguous_format)
        return func(*args, **(kwargs or {}))


class Meter(TorchDispatchMode):
    """Bytes of the device in use, and their peak.

    Attributes:
        limit: the most bytes that can be allocated; None: only counted.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit, self.used, self.peak = limit, 0, 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        before = {id(t.untyped_storage()) for t in tree_iter(args) if isinstance(t, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, Tensor) and tensor.device == DEVICE:
                storage = tensor.untyped_storage()
                if id(storage) not in before and storage not in self._known:
                    self._add(storage)
        return result

    def _add(self, storage: Any) -> None:
        nbytes = -(-storage.nbytes() // 512) * 512
        self._known.add(storage)
        self.used += nbytes
        self.peak = max(self.peak, self.used)
        weakref.finalize(storage, self._freed, nbytes)
        if self.limit is not None and self.used > self.limit:
            raise torch.OutOfMemoryError(
                f"simulated: {self.used:,} bytes in use, {self.limit:,} allowed"
            )

    def _freed(self, nbytes: int) -> None:
        self.used -= nbytes


class SimulatedCarrier(CudaCarrier):
    """Copies to the simulated device as to a CUDA device, without streams."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__(DEVICE, dtype)
        self.copied = 0

    def bring_stored(self, source):
        self.copied += source_bytes(source)
        return super().bring_stored(source)

    def open_loader(
        self, blocks: Sequence[Sequence[Item]], slots: int, slot_bytes: int
    ) -> BlockLoader:
        return _Loader(self, blocks, slots, slot_bytes)


def source_bytes(source: Any) -> int:
    return sum(torch.Size(shape).numel() * dtype.itemsize for shape, dtype in source.parts)


class _Loader:
    def __init__(self, carrier, blocks, slots: int, slot_bytes: int) -> None:
        self.carrier, self.blocks = carrier, blocks
        self.layouts = [
            Layout.of([carrier.transported(item.source) for item in block]) for block in blocks
        ]
        self.free = deque(
            torch.empty(slot_bytes, dtype=torch.uint8, device=DEVICE) for _ in range(slots)
        )

    def request(self, index: int):
        if not self.free:
            return None
        self.carrier.copied += self.layouts[index].nbytes
        return _Transfer(self, self.free.popleft(), index)


class _Transfer:
    def __init__(self, loader: _Loader, slot: Tensor, index: int) -> None:
        self.loader, self.slot, self.index = loader, slot, index

    def wait(self) -> list[Tensor]:
        views = self.loader.layouts[self.index].views(self.slot)
        return [
            self.loader.carrier.ready(item.source, parts, item.patches())
            for item, parts in zip(self.loader.blocks[self.index], views, strict=True)
        ]

    def release(self) -> None:
        self.loader.free.append(self.slot)


def simulated(budget: int, dtype: torch.dtype = torch.float16, **more: Any) -> DeviceResidency:
    """The residency of a simulated device."""

    def carrier(wants: Wants) -> SimulatedCarrier:
        return SimulatedCarrier(wants.dtype or dtype)

    return DeviceResidency(DEVICE, dtype, budget=budget, carriers=carrier, **more)
