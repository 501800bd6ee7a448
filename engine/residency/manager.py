"""Manages which weights are on the compute device, within a budget.

`current()` is the only process-wide state of the engine, because a worker serves one device:
installed once, and replaced in a `with` by tests. One thread computes, so nothing here is locked.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch

from engine.residency.budget import choose_budget, memory_of
from engine.residency.carriers import Carrier, HostCarrier, Wants
from engine.residency.cuda import CudaCarrier
from engine.residency.device import supported_dtypes
from engine.residency.handles import Weights
from engine.residency.loaded import BLOCK_LIMIT, Checkpoint, LoadedWeights
from engine.residency.memory import return_freed_pages
from engine.residency.plan import plan
from engine.residency.sources import Patches


class Residency(Protocol):
    """One device and its memory budget.

    Attributes:
        dtype: the dtype to compute in, unless the weights require another.
        budget: bytes for weights and activations.
    """

    device: torch.device
    dtype: torch.dtype
    budget: int

    def use(
        self,
        *weights: Weights,
        room_for: int = 0,
        checkpoint: Checkpoint = lambda: None,
        calls: int = 1,
    ) -> AbstractContextManager[None]:
        """Have these weights on the device inside the `with`, with `room_for` bytes free.

        Handles that differ only in their patches share their memory: the innermost `use` decides
        which patches apply, and those of the outer one are restored after it. `checkpoint` is
        called between two tensors during loading, and may raise `Stopped`. `calls`: how often the
        modules will be called, for what pays only after several calls.
        """
        ...

    def is_used(self, weights: Weights) -> bool:
        """Whether a `use` of these weights, or of others of the same base, has not ended."""
        ...

    def dtype_of(self, weights: Weights) -> torch.dtype:
        """The dtype that a module of these weights is computed in."""
        ...

    def reserve(self, nbytes: int) -> AbstractContextManager[None]:
        """Keep bytes of the budget free for memory not managed here, such as a plugin's module."""
        ...

    def release(self, wanted: int) -> int:
        """Evict unused weights until `wanted` bytes are freed; returns the number freed."""
        ...

    @property
    def free(self) -> int:
        """Bytes of the budget that nothing takes now; negative if it is exceeded."""
        ...


class DeviceResidency:
    """The residency of one device: a CPU (converted copies count) or a CUDA device (all counts).

    What does not fit is streamed block by block; the least recently used is evicted first. When the
    last reference to a handle is gone, its weights are freed.
    """

    def __init__(
        self,
        device: torch.device,
        dtype: torch.dtype,
        *,
        budget: int | None = None,
        reserved: int = 0,
        resident: int | None = None,
        block_limit: int = BLOCK_LIMIT,
        carriers: Callable[[Wants], Carrier] | None = None,
    ) -> None:
        """Make a residency.

        Args:
            device: the compute device.
            dtype: the dtype to compute in.
            budget: bytes for weights and activations; on a CUDA device a hard limit of the process.
                None: most of what is free now.
            reserved: bytes of main memory that the default budget leaves to other uses.
            resident: bytes of weights that may stay on the device, unless streaming them one block
                at a time takes more; None: all that fit.
            block_limit: bytes up to which a part of a network is transferred in one piece.
            carriers: make the carrier of the device; tests pass a simulated one.
        """
        self.device = device
        self.dtype = dtype
        self.budget = _budget(device, budget, reserved)
        self._resident = resident
        self._supported = supported_dtypes(device)
        self._block_limit = block_limit
        self._carriers = carriers or self._carrier
        self._loaded: weakref.WeakKeyDictionary[Weights, LoadedWeights] = (
            weakref.WeakKeyDictionary()
        )
        self._in_use: dict[int, int] = {}
        self._rooms: list[int] = []
        self._reserved = 0

    @contextmanager
    def use(
        self,
        *weights: Weights,
        room_for: int = 0,
        checkpoint: Checkpoint = lambda: None,
        calls: int = 1,
    ) -> Iterator[None]:
        """See `Residency.use`. Raises `OutOfMemoryError` where no single block fits."""
        bases = [handle.base for handle in weights]
        outer = {
            base: loaded.patches
            for base in bases
            if id(base) in self._in_use and (loaded := self._loaded.get(base))
        }
        for base in bases:
            self._in_use[id(base)] = self._in_use.get(id(base), 0) + 1
        self._rooms.append(room_for)
        try:
            wanted = {handle.base: handle.patches for handle in weights}
            self._settle(wanted, checkpoint)
            self._pack(wanted, calls, checkpoint)
            yield
        finally:
            self._rooms.remove(room_for)
            for base in bases:
                self._in_use[id(base)] -= 1
                if not self._in_use[id(base)]:
                    del self._in_use[id(base)]
            changed = {base: was for base, was in outer.items() if self._patches_of(base) != was}
            if changed:
                self._settle(changed, lambda: None)

    def is_used(self, weights: Weights) -> bool:
        """See `Residency.is_used`."""
        return id(weights.base) in self._in_use

    def dtype_of(self, weights: Weights) -> torch.dtype:
        """See `Residency.dtype_of`."""
        return self._dtype_for(weights.wants)

    @contextmanager
    def reserve(self, nbytes: int) -> Iterator[None]:
        """See `Residency.reserve`. Unused weights are evicted at once, the rest may be streamed.

        Raises `OutOfMemoryError` if the weights in use cannot run beside them.
        """
        self._reserved += nbytes
        try:
            self.release(self._missing)
            if self._missing > 0:
                using = {b: one.patches for b, one in self._loaded.items() if id(b) in self._in_use}
                self._settle(using, lambda: None)
            yield
        finally:
            self._reserved -= nbytes

    @property
    def free(self) -> int:
        """Bytes of the budget that nothing takes now; negative if it is exceeded."""
        return -self._missing

    @property
    def _missing(self) -> int:
        """The number of bytes by which the weights exceed the budget."""
        return self.held + sum(self._rooms) + self._reserved - self.budget

    def release(self, wanted: int) -> int:
        """See `Residency.release`."""
        freed = 0
        for base, loaded in list(self._loaded.items()):
            if freed >= wanted:
                break
            if id(base) not in self._in_use:
                freed += loaded.clear()
                del self._loaded[base]
        self._return_memory()
        return freed

    @property
    def held(self) -> int:
        """Bytes of weights on the device now."""
        return sum(loaded.held for loaded in self._loaded.values())

    def _patches_of(self, base: Weights) -> Patches | None:
        loaded = self._loaded.get(base)
        return loaded.patches if loaded else None

    def _settle(self, wanted: Mapping[Weights, Patches], checkpoint: Checkpoint) -> None:
        for base in wanted:
            loaded = self._loaded.pop(base, None) or self._load(base)
            self._loaded[base] = loaded  # most recently used last
        names = {str(id(base)): base for base in wanted}
        others_in_use = {name for name in map(str, self._in_use) if name not in names}
        by_name = {str(id(base)): (base, one) for base, one in self._loaded.items()}
        taken = sum(by_name[name][1].held for name in others_in_use & by_name.keys())
        rooms = sum(self._rooms)
        sizes = {
            name: one.size_with(wanted[base], beside=rooms) if base in wanted else one.size
            for name, (base, one) in by_name.items()
            if name not in others_in_use
        }
        least = {
            name: by_name[name][1].least_with(wanted[base], beside=rooms)
            for name, base in names.items()
        }
        placement = plan(
            sizes,
            self.budget - self._reserved - rooms - taken,
            sorted(names),
            least=least,
            kept=self._resident,
        )
        evicted = False
        for name in placement.evicted:
            base, loaded = by_name[name]
            evicted |= loaded.clear() > 0
            del self._loaded[base]
        planned = sum(placement.resident.values())
        evicted |= self._unpack(
            self.budget - self._reserved - rooms - taken - planned, others_in_use
        )
        if evicted:
            self._return_memory()
        # Shrink first, so that there is memory for what grows.
        grows = {name: placement.resident[name] - by_name[name][1].held for name in names}
        for name in sorted(names, key=lambda name: (grows[name], sizes[name])):
            by_name[name][1].place(
                placement.resident[name], checkpoint, wanted[names[name]], beside=rooms
            )

    def _unpack(self, spare: int, kept: Collection[str]) -> bool:
        """Drop packed copies, those used longest ago first, until the others fit into `spare`.

        Returns whether any was; `kept` are not touched.
        """
        all_packed = [one for base, one in self._loaded.items() if str(id(base)) not in kept]
        over = sum(one.packing.nbytes for one in all_packed) - spare
        dropped = False
        for one in all_packed:
            if over > 0 and one.packing.nbytes:
                over -= one.packing.nbytes
                one.packing.unpack()
                dropped = True
        return dropped

    def _pack(self, wanted: Iterable[Weights], calls: int, checkpoint: Checkpoint) -> None:
        """Pack projections in memory that is left by the budget, and by the machine now."""
        for base in wanted:
            if base.wants.packed and self.device.type == "cpu":
                spare = min(self.free, memory_of(self.device).free - sum(self._rooms))
                if self._resident is not None:
                    spare = min(spare, self._resident - self.held)
                self._loaded[base].pack(spare, calls, checkpoint)

    def _load(self, base: Weights) -> LoadedWeights:
        carrier = self._carriers(base.wants)
        return LoadedWeights(base, carrier, block_limit=self._block_limit)

    def _dtype_for(self, wants: Wants) -> torch.dtype:
        if wants.dtype is not None:
            return wants.dtype
        if not wants.dtypes or self.dtype in wants.dtypes:
            return self.dtype
        return next((each for each in wants.dtypes if each in self._supported), wants.dtypes[-1])

    def _carrier(self, wants: Wants) -> Carrier:
        dtype = self._dtype_for(wants)
        if self.device.type == "cuda":
            return CudaCarrier(self.device, dtype)
        channels_last = wants.channels_last and dtype == torch.bfloat16
        return HostCarrier(dtype, channels_last=channels_last, packed=wants.packed)

    def _return_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        else:
            return_freed_pages()


def _budget(device: torch.device, wanted: int | None, reserved: int) -> int:
    if wanted is None:
        return choose_budget(memory_of(device, cache=reserved)).nbytes
    if device.type != "cuda":
        return wanted
    memory = memory_of(device)
    budget = min(wanted, memory.free)
    torch.cuda.set_per_process_memory_fraction(min(budget / memory.total, 1.0), device)
    return budget


_installed: list[Residency] = []
"""The engine's only module-level state; the last item is the current residency."""


def current() -> Residency:
    """The residency of this process."""
    if not _installed:
        raise RuntimeError(
            "no residency is installed: call install(), or use installed() in a with"
        )
    return _installed[-1]


def install(residency: Residency) -> None:
    """Set this process's residency; a worker does so once at its start."""
    _installed[:] = [residency]


@contextmanager
def installed(residency: Residency) -> Iterator[Residency]:
    """Use another residency inside the `with`."""
    before = list(_installed)
    _installed.append(residency)
    try:
        yield residency
    finally:
        _installed[:] = before
