"""Transfers tensors from storage to the compute device, in the form to compute with.

This file defines the carrier interface and implements it for the CPU; `cuda.py` implements it for
CUDA devices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from engine.residency.sources import Patch, Source

FEWEST_CHANNELS_PACKED = 32
"""Convolutions with fewer input or output channels gain nothing from packing."""


@dataclass(frozen=True, slots=True)
class Wants:
    """The form in which one module needs its weights.

    Attributes:
        dtype: of its floating-point tensors, on any device; None: the residency decides.
        dtypes: the dtypes it supports, best first; empty: any.
        channels_last: convolutions are faster in that layout on a CPU.
        packed: convolutions and projections take weights packed for oneDNN, see
            `engine.nets.layers`: convolutions are faster on a CPU for small pictures with many
            channels; projections in bf16, and those are packed when memory is left, see
            `engine.residency.packing`.
    """

    dtype: torch.dtype | None = None
    dtypes: tuple[torch.dtype, ...] = ()
    channels_last: bool = False
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One tensor of a block, and the patches to apply when it is transferred.

    Attributes:
        source: how it is stored.
        patches: called when the tensor is prepared, so that later patches take effect.
    """

    source: Source
    patches: Callable[[], Sequence[Patch]] = tuple


class Transfer(Protocol):
    """One block in transfer to the device, or already there."""

    def wait(self) -> list[Tensor]:
        """Wait for the transfer and return the tensors, ready for computing."""
        ...

    def release(self) -> None:
        """Release the block: what was queued so far is its last use."""
        ...


class BlockLoader(Protocol):
    """Transfers blocks, a few at a time."""

    def request(self, index: int) -> Transfer | None:
        """Start to transfer a block; None while every slot is in use."""
        ...


class Carrier(Protocol):
    """Transfers tensors to one device and prepares the form they are computed with.

    Attributes:
        slots: the number of blocks a loader prefers to hold at a time.
    """

    slots: int

    def ready_bytes(self, source: Source, *, patched: bool) -> int:
        """Bytes of the ready tensor on the device; 0 if the file's view is used."""
        ...

    def stored_bytes(self, source: Source) -> int:
        """Bytes of the stored form on the device; 0 if the file's view is used."""
        ...

    def bring(self, source: Source, patches: Sequence[Patch] = ()) -> Tensor:
        """Transfer the tensor, ready to compute with, to stay on the device."""
        ...

    def bring_stored(self, source: Source) -> tuple[Tensor, ...]:
        """Transfer the stored parts, to stay on the device; `ready` makes a tensor of them."""
        ...

    def ready(
        self, source: Source, parts: Sequence[Tensor], patches: Sequence[Patch] = ()
    ) -> Tensor:
        """The tensor unpacked, patched in float32, in the dtype and layout to compute with."""
        ...

    def open_loader(
        self, blocks: Sequence[Sequence[Item]], slots: int, slot_bytes: int
    ) -> BlockLoader:
        """A loader for these blocks; one slot holds the largest of them."""
        ...

    def slot_bytes(self, block: Sequence[Source]) -> int:
        """Bytes of a slot that this block needs during transfer."""
        ...

    def workspace_bytes(self, source: Source, *, patched: bool) -> int:
        """Bytes allocated for the tensor at each call, if its block is transferred per call."""
        ...

    def transient_bytes(self, source: Source, *, patched: bool) -> int:
        """Temporary bytes needed to prepare it, beside the result; free afterwards."""
        ...

    def packs_projection(self, dtype: torch.dtype) -> bool:
        """Whether a projection with such a weight is faster after `pack_projection`."""
        ...


def value_bytes(source: Source, dtype: torch.dtype) -> int:
    """Bytes of the tensor's values where floating-point ones are of `dtype`."""
    width = dtype.itemsize if source.dtype.is_floating_point else source.dtype.itemsize
    return prod(source.shape) * width


def transient_bytes(source: Source, *, patched: bool) -> int:
    """Temporary bytes of preparing a tensor in float32.

    Unpacking needs one copy; a patch needs the weight, its change and their sum.
    """
    is_packed = source.is_compact and source.parts != ((source.shape, source.dtype),)
    copies = 3 if patched else int(is_packed)
    return copies * prod(source.shape) * torch.float32.itemsize


def part_bytes(source: Source) -> int:
    """Bytes of all stored parts of the tensor."""
    return sum(prod(shape) * dtype.itemsize for shape, dtype in source.parts)


def patched(weight: Tensor, patches: Sequence[Patch]) -> Tensor:
    """A float32 weight with its patches applied in order."""
    for patch in patches:
        weight = patch.apply(weight)
    return weight


class HostCarrier:
    """The CPU carrier: uses views of the file where possible; else converts, unpacks, patches."""

    slots = 1

    def __init__(
        self, dtype: torch.dtype, *, channels_last: bool = False, packed: bool = False
    ) -> None:
        self._dtype = dtype
        self._channels_last = channels_last
        self._packs = packed and _can_pack(dtype)
        self._packs_projections = self._packs and dtype == torch.bfloat16

    def ready_bytes(self, source: Source, *, patched: bool) -> int:
        """Bytes of the converted copy; 0 without one."""
        return value_bytes(source, self._dtype) if patched or self._differs(source) else 0

    def stored_bytes(self, source: Source) -> int:
        """0 for views of the file, whose pages belong to the system's cache."""
        return part_bytes(source) if source.is_made else 0

    def bring(self, source: Source, patches: Sequence[Patch] = ()) -> Tensor:
        """The tensor in the carrier's dtype and layout."""
        return self.ready(source, source.read_parts(), patches)

    def bring_stored(self, source: Source) -> tuple[Tensor, ...]:
        """The file's own tensors."""
        return source.read_parts()

    def ready(
        self, source: Source, parts: Sequence[Tensor], patches: Sequence[Patch] = ()
    ) -> Tensor:
        """See `Carrier.ready`."""
        if patches:
            tensor = patched(source.unpack(parts, torch.float32), patches)
            tensor = tensor.to(self._dtype) if tensor.is_floating_point() else tensor
        else:
            tensor = source.unpack(parts, self._dtype)
        shape = tuple(tensor.shape)
        if self._wants_packed(shape, tensor.dtype):
            return pack_convolution(tensor)
        if self._wants_channels_last(shape):
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def open_loader(
        self, blocks: Sequence[Sequence[Item]], slots: int, slot_bytes: int
    ) -> BlockLoader:
        """A loader that prepares a block on request; there is nothing to overlap on a CPU."""
        del slot_bytes
        return _HostLoader(self, blocks, slots)

    def slot_bytes(self, block: Sequence[Source]) -> int:
        """Bytes of the prepared block."""
        return sum(self.ready_bytes(source, patched=True) for source in block)

    def workspace_bytes(self, source: Source, *, patched: bool) -> int:
        """Bytes of unpacked tensors; everything else is made in the slot."""
        del patched
        return value_bytes(source, self._dtype) if source.is_compact else 0

    def transient_bytes(self, source: Source, *, patched: bool) -> int:
        """See `Carrier.transient_bytes`."""
        return transient_bytes(source, patched=patched)

    def packs_projection(self, dtype: torch.dtype) -> bool:
        """See `Carrier.packs_projection`. In fp32 nothing is gained that was worth a copy."""
        return self._packs_projections and dtype == torch.bfloat16

    def _differs(self, source: Source) -> bool:
        other_dtype = source.dtype.is_floating_point and source.dtype != self._dtype
        return (
            other_dtype
            or source.is_compact
            or len(source.parts) > 1
            or self._wants_packed(source.shape, source.dtype)
            or self._wants_channels_last(source.shape)
        )

    def _wants_packed(self, shape: Sequence[int], dtype: torch.dtype) -> bool:
        return (
            self._packs
            and len(shape) == 4
            and dtype.is_floating_point
            and shape[-1] == shape[-2] > 1
            and min(shape[:2]) >= FEWEST_CHANNELS_PACKED
        )

    def _wants_channels_last(self, shape: Sequence[int]) -> bool:
        # If both layouts have the same strides, nothing is copied.
        return self._channels_last and len(shape) == 4 and prod(shape[1:]) != shape[1]


def _can_pack(dtype: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available():
        return False
    # oneDNN computes bf16 only where the processor does.
    in_bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported  # noqa: SLF001 - what torch.compile calls
    return dtype == torch.float32 or (dtype == torch.bfloat16 and in_bf16())


def pack_convolution(weight: Tensor) -> Tensor:
    """A convolution's weight in the blocks that oneDNN reads. 1 x 1 kernels get slower."""
    padding = [side // 2 for side in weight.shape[2:]]
    return torch.ops.aten.mkldnn_reorder_conv2d_weight(
        weight.contiguous().to_mkldnn(), padding, (1, 1), (1, 1), 1
    )


class _HostLoader:
    def __init__(self, carrier: HostCarrier, blocks: Sequence[Sequence[Item]], slots: int) -> None:
        self._carrier = carrier
        self._blocks = blocks
        self.free = slots

    def request(self, index: int) -> Transfer | None:
        if not self.free:
            return None
        self.free -= 1
        block = self._blocks[index]
        return _HostTransfer(
            self, [self._carrier.bring(item.source, item.patches()) for item in block]
        )


class _HostTransfer:
    def __init__(self, loader: _HostLoader, tensors: list[Tensor]) -> None:
        self._loader = loader
        self._tensors = tensors

    def wait(self) -> list[Tensor]:
        return self._tensors

    def release(self) -> None:
        self._tensors = []
        self._loader.free += 1
