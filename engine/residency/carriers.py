"""Takes tensors from their files to where computing happens.

On a CPU by converting, on a CUDA device by copying. Knows tensors and bytes; no module, no budget.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

ALIGNMENT = 512
"""Bytes; what CUDA's allocator rounds to, and more than any kernel asks for."""
FEWEST_CHANNELS_PACKED = 32
"""Convolutions from or to fewer channels are not worth packing."""


@dataclass(frozen=True, slots=True)
class Wants:
    """What one module asks of its weights' form.

    Attributes:
        dtype: of its floating-point tensors; None for the residency's.
        channels_last: convolutions gain from that layout on a CPU.
        packed: convolutions take weights packed for oneDNN, see `engine.nets.layers.Convolution`;
            they gain from it on a CPU where pictures are small and channels many.
    """

    dtype: torch.dtype | None = None
    channels_last: bool = False
    packed: bool = False


class Cargo(Protocol):
    """One block on its way to the device, or there."""

    def arrive(self) -> list[Tensor]:
        """The tensors, usable by whatever is computed from now on."""
        ...

    def leave(self) -> None:
        """What was computed so far was the last use."""
        ...


class Lane(Protocol):
    """A way that blocks pass through, a few at a time."""

    def send(self, index: int) -> Cargo | None:
        """Start to bring a block; None while every slot is taken."""
        ...


class Carrier(Protocol):
    """How tensors get to one device in one form.

    Attributes:
        slots: how many blocks a lane likes to hold at a time.
    """

    slots: int

    def bytes_of(self, tensor: Tensor) -> int:
        """Bytes that the tensor takes there; 0 if it can serve where it lies."""
        ...

    def bring(self, tensor: Tensor) -> Tensor:
        """The tensor there, to stay."""
        ...

    def open_lane(self, blocks: Sequence[Sequence[Tensor]], slots: int, slot_bytes: int) -> Lane:
        """A lane for these blocks; one slot holds the largest of them."""
        ...


class HostCarrier:
    """On a CPU: views of the file serve as they are, other dtypes are converted."""

    slots = 1

    def __init__(
        self, dtype: torch.dtype, *, channels_last: bool = False, packed: bool = False
    ) -> None:
        self._dtype = dtype
        self._channels_last = channels_last
        self._packs = packed and _can_pack(dtype)

    def bytes_of(self, tensor: Tensor) -> int:
        """Bytes of the converted copy, 0 without one."""
        if not self._differs(tensor):
            return 0
        width = self._dtype.itemsize if tensor.is_floating_point() else tensor.itemsize
        return tensor.numel() * width

    def bring(self, tensor: Tensor) -> Tensor:
        """The tensor in the carrier's dtype and layout."""
        if not self._differs(tensor):
            return tensor
        dtype = self._dtype if tensor.is_floating_point() else tensor.dtype
        if self._wants_packed(tensor):
            return pack_convolution(tensor.to(dtype))
        if self._wants_channels_last(tensor):
            return tensor.to(dtype, memory_format=torch.channels_last)
        return tensor.to(dtype)

    def open_lane(self, blocks: Sequence[Sequence[Tensor]], slots: int, slot_bytes: int) -> Lane:
        """Converts a block when it is asked for; there is nothing to overlap on a CPU."""
        del slot_bytes
        return _HostLane(self, blocks, slots)

    def _differs(self, tensor: Tensor) -> bool:
        other_dtype = tensor.is_floating_point() and tensor.dtype != self._dtype
        return other_dtype or self._wants_packed(tensor) or self._wants_channels_last(tensor)

    def _wants_packed(self, tensor: Tensor) -> bool:
        return (
            self._packs
            and tensor.dim() == 4
            and tensor.is_floating_point()
            and tensor.shape[-1] == tensor.shape[-2] > 1
            and min(tensor.shape[:2]) >= FEWEST_CHANNELS_PACKED
        )

    def _wants_channels_last(self, tensor: Tensor) -> bool:
        return (
            self._channels_last
            and tensor.dim() == 4
            and not tensor.is_contiguous(memory_format=torch.channels_last)
        )


def _can_pack(dtype: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available():
        return False
    # oneDNN computes bf16 only where the processor does.
    in_bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported  # noqa: SLF001 - what torch.compile calls
    return dtype == torch.float32 or (dtype == torch.bfloat16 and in_bf16())


def pack_convolution(weight: Tensor) -> Tensor:
    """A convolution's weight in the blocks that oneDNN reads. 1 x 1 kernels only lose by it."""
    padding = [side // 2 for side in weight.shape[2:]]
    return torch.ops.aten.mkldnn_reorder_conv2d_weight(
        weight.contiguous().to_mkldnn(), padding, (1, 1), (1, 1), 1
    )


class _HostLane:
    def __init__(
        self, carrier: HostCarrier, blocks: Sequence[Sequence[Tensor]], slots: int
    ) -> None:
        self._carrier = carrier
        self._blocks = blocks
        self.free = slots

    def send(self, index: int) -> Cargo | None:
        if not self.free:
            return None
        self.free -= 1
        return _HostCargo(self, [self._carrier.bring(tensor) for tensor in self._blocks[index]])


class _HostCargo:
    def __init__(self, lane: _HostLane, tensors: list[Tensor]) -> None:
        self._lane = lane
        self._tensors = tensors

    def arrive(self) -> list[Tensor]:
        return self._tensors

    def leave(self) -> None:
        self._tensors = []
        self._lane.free += 1


class CudaCarrier:
    """On a CUDA device: copies; streamed blocks come from page-locked memory, one copy each."""

    slots = 2

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device = device
        self._dtype = dtype

    def bytes_of(self, tensor: Tensor) -> int:
        """Bytes on the device, as its allocator rounds them."""
        return _aligned(tensor.numel() * self._target(tensor).itemsize)

    def bring(self, tensor: Tensor) -> Tensor:
        """A copy on the device."""
        return tensor.to(self._device, self._target(tensor))

    def open_lane(self, blocks: Sequence[Sequence[Tensor]], slots: int, slot_bytes: int) -> Lane:
        """Copies on a stream of its own, into slots that are allocated once."""
        layouts = [
            _Layout.of([(tuple(tensor.shape), self._target(tensor)) for tensor in block])
            for block in blocks
        ]
        return _CudaLane(self._device, blocks, layouts, slots, slot_bytes)

    def _target(self, tensor: Tensor) -> torch.dtype:
        return self._dtype if tensor.is_floating_point() else tensor.dtype


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the tensors of one block lie in one flat buffer."""

    parts: tuple[tuple[int, tuple[int, ...], torch.dtype], ...]
    nbytes: int

    @classmethod
    def of(cls, tensors: Sequence[tuple[tuple[int, ...], torch.dtype]]) -> _Layout:
        parts: list[tuple[int, tuple[int, ...], torch.dtype]] = []
        offset = 0
        for shape, dtype in tensors:
            parts.append((offset, shape, dtype))
            offset += _aligned(torch.Size(shape).numel() * dtype.itemsize)
        return cls(tuple(parts), offset)

    def views(self, flat: Tensor) -> list[Tensor]:
        return [
            flat[offset : offset + torch.Size(shape).numel() * dtype.itemsize]
            .view(dtype)
            .view(shape)
            for offset, shape, dtype in self.parts
        ]


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


class _CudaLane:
    """Slots on the device and a copy stream; events keep copying and computing in order."""

    def __init__(
        self,
        device: torch.device,
        blocks: Sequence[Sequence[Tensor]],
        layouts: Sequence[_Layout],
        slots: int,
        slot_bytes: int,
    ) -> None:
        self._device = device
        self._layouts = layouts
        self._sources = [_packed(*pair) for pair in zip(blocks, layouts, strict=True)]
        locked = [source for source in self._sources if _page_lock(source)]
        weakref.finalize(self, _unlock_pages, device, locked)
        self._stream = torch.cuda.Stream(device)
        self._free: deque[tuple[Tensor, torch.cuda.Event | None]] = deque(
            (torch.empty(slot_bytes, dtype=torch.uint8, device=device), None) for _ in range(slots)
        )
        # The slots come from the computing stream's pool: what it still does with them comes first.
        self._stream.wait_stream(torch.cuda.current_stream(device))

    def send(self, index: int) -> Cargo | None:
        if not self._free:
            return None
        slot, last_use = self._free.popleft()
        layout = self._layouts[index]
        if last_use is not None:
            self._stream.wait_event(last_use)
        with torch.cuda.stream(self._stream):
            slot[: layout.nbytes].copy_(self._sources[index], non_blocking=True)
            copied = torch.cuda.Event()
            copied.record(self._stream)
        return _CudaCargo(self, slot, layout.views(slot), copied)

    def take_back(self, slot: Tensor) -> None:
        """Computing that was queued so far is the last that reads the slot."""
        last_use = torch.cuda.Event()
        last_use.record(torch.cuda.current_stream(self._device))
        self._free.append((slot, last_use))

    def wait_for(self, copied: torch.cuda.Event) -> None:
        torch.cuda.current_stream(self._device).wait_event(copied)


class _CudaCargo:
    def __init__(
        self, lane: _CudaLane, slot: Tensor, tensors: list[Tensor], copied: torch.cuda.Event
    ) -> None:
        self._lane = lane
        self._slot = slot
        self._tensors = tensors
        self._copied = copied

    def arrive(self) -> list[Tensor]:
        self._lane.wait_for(self._copied)
        return self._tensors

    def leave(self) -> None:
        self._tensors = []
        self._lane.take_back(self._slot)


def _packed(tensors: Sequence[Tensor], layout: _Layout) -> Tensor:
    """One block in one host buffer, already in the dtype that the device computes in."""
    flat = torch.empty(layout.nbytes, dtype=torch.uint8)
    for view, tensor in zip(layout.views(flat), tensors, strict=True):
        view.copy_(tensor)
    return flat


def _page_lock(flat: Tensor) -> bool:
    """Let the device copy from host memory without a detour; False if the system refuses.

    Locked in place: torch's own pinned allocator rounds up to powers of two. Memory that stays
    unlocked serves as well, only slower.
    """
    runtime = torch.cuda.cudart()
    if runtime is None or not flat.numel():
        return False
    return int(runtime.cudaHostRegister(flat.data_ptr(), flat.numel(), 0)) == 0


def _unlock_pages(device: torch.device, sources: Sequence[Tensor]) -> None:
    runtime = torch.cuda.cudart()
    if runtime is None or not sources:
        return
    torch.cuda.synchronize(device)  # a copy may still read from them
    for source in sources:
        runtime.cudaHostUnregister(source.data_ptr())
