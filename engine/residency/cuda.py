"""Transfers tensors to a CUDA device: whole, or block by block through preallocated slots.

A block is copied through a small ring of page-locked buffers, in one copy on a separate stream;
events order copying and computing.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.residency.carriers import (
    BlockLoader,
    Item,
    Transfer,
    patched,
    transient_bytes,
    value_bytes,
)
from engine.residency.sources import Part, Patch, Source

ALIGNMENT = 512
"""Bytes; what CUDA's allocator rounds to, and more than any kernel requires."""


class CudaCarrier:
    """The CUDA carrier. Compact tensors stay in stored form there, see `Source.is_compact`."""

    slots = 2

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device = device
        self._dtype = dtype

    def ready_bytes(self, source: Source, *, patched: bool) -> int:
        """Bytes on the device, as its allocator rounds them."""
        del patched
        return _aligned(value_bytes(source, self._dtype))

    def stored_bytes(self, source: Source) -> int:
        """Bytes of all stored parts, as its allocator rounds them."""
        return _part_bytes(source.parts)

    def bring(self, source: Source, patches: Sequence[Patch] = ()) -> Tensor:
        """A ready copy on the device."""
        return self.ready(source, self.bring_stored(source), patches)

    def bring_stored(self, source: Source) -> tuple[Tensor, ...]:
        """Copies of the parts on the device; a plain tensor's in the smaller of the two dtypes."""
        parts = self.transported(source)
        return tuple(
            tensor.to(self._device, dtype)
            for tensor, (_, dtype) in zip(source.read_parts(), parts, strict=True)
        )

    def ready(
        self, source: Source, parts: Sequence[Tensor], patches: Sequence[Patch] = ()
    ) -> Tensor:
        """See `Carrier.ready`."""
        if not patches:
            return source.unpack(parts, self._dtype)
        tensor = patched(source.unpack(parts, torch.float32), patches)
        return tensor.to(self._dtype) if tensor.is_floating_point() else tensor

    def open_loader(
        self, blocks: Sequence[Sequence[Item]], slots: int, slot_bytes: int
    ) -> BlockLoader:
        """A loader that copies on a separate stream, into preallocated slots."""
        return _CudaLoader(self, self._device, blocks, slots, slot_bytes)

    def slot_bytes(self, block: Sequence[Source]) -> int:
        """Bytes copied for the block."""
        return sum(_part_bytes(self.transported(source)) for source in block)

    def workspace_bytes(self, source: Source, *, patched: bool) -> int:
        """Bytes of the ready tensor, if it is not the copy itself."""
        copied = self.transported(source)
        target = self._dtype if source.dtype.is_floating_point else source.dtype
        as_copied = len(copied) == 1 and copied[0][1] == target
        return 0 if as_copied and not patched else _aligned(value_bytes(source, self._dtype))

    def transient_bytes(self, source: Source, *, patched: bool) -> int:
        """See `Carrier.transient_bytes`."""
        return _aligned(transient_bytes(source, patched=patched))

    def packs_projection(self, dtype: torch.dtype) -> bool:
        """Never: packing is for oneDNN."""
        del dtype
        return False

    def transported(self, source: Source) -> tuple[Part, ...]:
        """The parts that are copied; wider plain tensors are converted first, to copy less."""
        parts = source.parts
        if len(parts) > 1 or source.is_compact or not source.dtype.is_floating_point:
            return parts
        wide = source.dtype.itemsize > self._dtype.itemsize
        return ((source.shape, self._dtype if wide else source.dtype),)


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def _part_bytes(parts: Sequence[Part]) -> int:
    return sum(_aligned(prod(shape) * dtype.itemsize) for shape, dtype in parts)


@dataclass(frozen=True, slots=True)
class Layout:
    """The offsets of the parts of one block's tensors in one flat buffer."""

    tensors: tuple[tuple[tuple[int, Part], ...], ...]
    nbytes: int

    @classmethod
    def of(cls, tensors: Sequence[Sequence[Part]]) -> Layout:
        """A layout of tensors in sequence, each part aligned."""
        placed: list[tuple[tuple[int, Part], ...]] = []
        offset = 0
        for parts in tensors:
            spans: list[tuple[int, Part]] = []
            for part in parts:
                spans.append((offset, part))
                offset += _part_bytes((part,))
            placed.append(tuple(spans))
        return cls(tuple(placed), offset)

    def views(self, flat: Tensor) -> list[list[Tensor]]:
        """For each tensor its parts, as views of the buffer."""
        return [
            [
                flat[offset : offset + prod(shape) * dtype.itemsize].view(dtype).view(shape)
                for offset, (shape, dtype) in spans
            ]
            for spans in self.tensors
        ]


class _Ring:
    """Page-locked host buffers for gathering blocks; each is reused only after its last copy."""

    def __init__(self, device: torch.device, count: int, nbytes: int) -> None:
        self._buffers: deque[tuple[Tensor, torch.cuda.Event | None]] = deque(
            (torch.empty(nbytes, dtype=torch.uint8), None) for _ in range(count)
        )
        locked = [buffer for buffer, _ in self._buffers if _page_lock(buffer)]
        weakref.finalize(self, _unlock_pages, device, locked)

    def take(self) -> Tensor:
        buffer, last_copy = self._buffers.popleft()
        if last_copy is not None:
            last_copy.synchronize()
        return buffer

    def put_back(self, buffer: Tensor, copied: torch.cuda.Event) -> None:
        self._buffers.append((buffer, copied))


class _CudaLoader:
    """Slots on the device and a copy stream."""

    def __init__(
        self,
        carrier: CudaCarrier,
        device: torch.device,
        blocks: Sequence[Sequence[Item]],
        slots: int,
        slot_bytes: int,
    ) -> None:
        self._carrier = carrier
        self._device = device
        self._blocks = blocks
        self._layouts = [
            Layout.of([carrier.transported(item.source) for item in block]) for block in blocks
        ]
        self._ring = _Ring(device, slots, slot_bytes)
        self._stream = torch.cuda.Stream(device)
        self._free: deque[tuple[Tensor, torch.cuda.Event | None]] = deque(
            (torch.empty(slot_bytes, dtype=torch.uint8, device=device), None) for _ in range(slots)
        )
        # The slots come from the computing stream's pool, which may still use them.
        self._stream.wait_stream(torch.cuda.current_stream(device))

    def request(self, index: int) -> Transfer | None:
        if not self._free:
            return None
        slot, last_use = self._free.popleft()
        layout = self._layouts[index]
        buffer = self._ring.take()
        for item, views in zip(self._blocks[index], layout.views(buffer), strict=True):
            for view, part in zip(views, item.source.read_parts(), strict=True):
                view.copy_(part)
        if last_use is not None:
            self._stream.wait_event(last_use)
        with torch.cuda.stream(self._stream):
            slot[: layout.nbytes].copy_(buffer[: layout.nbytes], non_blocking=True)
            copied = torch.cuda.Event()
            copied.record(self._stream)
        self._ring.put_back(buffer, copied)
        return _CudaTransfer(self, slot, index, copied)

    def ready(self, index: int, slot: Tensor, copied: torch.cuda.Event) -> list[Tensor]:
        """The block's tensors, after its copy is complete."""
        torch.cuda.current_stream(self._device).wait_event(copied)
        views = self._layouts[index].views(slot)
        return [
            self._carrier.ready(item.source, parts, item.patches())
            for item, parts in zip(self._blocks[index], views, strict=True)
        ]

    def take_back(self, slot: Tensor) -> None:
        """Free the slot: the computing queued so far is the last that reads it."""
        last_use = torch.cuda.Event()
        last_use.record(torch.cuda.current_stream(self._device))
        self._free.append((slot, last_use))


class _CudaTransfer:
    def __init__(
        self, loader: _CudaLoader, slot: Tensor, index: int, copied: torch.cuda.Event
    ) -> None:
        self._loader = loader
        self._slot = slot
        self._index = index
        self._copied = copied

    def wait(self) -> list[Tensor]:
        return self._loader.ready(self._index, self._slot, self._copied)

    def release(self) -> None:
        self._loader.take_back(self._slot)


def _page_lock(flat: Tensor) -> bool:
    """Page-lock host memory for direct copies to the device; False if the system refuses.

    Locked in place: torch's own pinned allocator rounds up to powers of two. Memory that is not
    locked also works, only slower.
    """
    runtime = torch.cuda.cudart()
    if runtime is None or not flat.numel():
        return False
    return int(runtime.cudaHostRegister(flat.data_ptr(), flat.numel(), 0)) == 0


def _unlock_pages(device: torch.device, buffers: Sequence[Tensor]) -> None:
    runtime = torch.cuda.cudart()
    if runtime is None or not buffers:
        return
    torch.cuda.synchronize(device)  # a copy may still read from them
    for buffer in buffers:
        runtime.cudaHostUnregister(buffer.data_ptr())
