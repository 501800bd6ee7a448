"""Which weights are on the compute device, within a budget.

Knows modules and sizes, no family and no file. `current()` is the one process-wide thing of the
engine, because a worker is one device: installed once, and replaced in a `with` by tests. One
thread computes; nothing here is locked.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from engine.machine import available_memory
from engine.residency.carriers import Carrier, CudaCarrier, HostCarrier, Wants
from engine.residency.memory import return_freed_pages
from engine.residency.plan import plan
from engine.residency.stream import BLOCK_LIMIT, Checkpoint, Lodging

SHARE_OF_FREE_MEMORY = 0.85
"""What the budget takes of the memory that is free at the start, unless one is given."""


@runtime_checkable
class Weights(Protocol):
    """A handle on one module's weights. Cheap to hold: nothing is read before first use."""

    name: str
    size: int

    @property
    def module(self) -> nn.Module:
        """The module; only inside `Residency.use` is it on the compute device."""
        ...


class LazyWeights:
    """Weights that are loaded when they are first used.

    Attributes:
        name: for messages.
        size: bytes as stored, known without loading.
        wants: the form in which they are to be computed with.
    """

    def __init__(
        self,
        name: str,
        size: int,
        load: Callable[[], nn.Module],
        *,
        wants: Wants = Wants(),  # noqa: B008 - frozen
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.size = size
        self.wants = wants
        self.forget = forget
        self._load = load
        self._module: nn.Module | None = None

    @property
    def module(self) -> nn.Module:
        """The module, loaded now if it was not before."""
        if self._module is None:
            self._module = self._load()
        return self._module

    @property
    def is_loaded(self) -> bool:
        """Whether the module was needed before."""
        return self._module is not None


class Residency(Protocol):
    """One device and its memory budget.

    Attributes:
        dtype: what is computed in, unless the weights want another.
        budget: bytes for weights and what is computed beside them.
    """

    device: torch.device
    dtype: torch.dtype
    budget: int

    def use(
        self, *weights: Weights, room_for: int = 0, checkpoint: Checkpoint = lambda: None
    ) -> AbstractContextManager[None]:
        """Have these weights on the device inside the `with`, `room_for` bytes beside them free.

        `checkpoint` is called between two tensors on their way there, and may raise `Stopped`.
        """
        ...

    def release(self, wanted: int) -> int:
        """Take what is not in use off the device until `wanted` bytes came free; how many did."""
        ...


class DeviceResidency:
    """The residency of one device: a CPU (converted copies count) or a CUDA device (all counts).

    What does not fit is streamed block by block; what was not used for longest leaves first.
    Handles that nobody holds any longer take their weights with them.
    """

    def __init__(
        self,
        device: torch.device,
        dtype: torch.dtype,
        *,
        budget: int | None = None,
        reserved: int = 0,
        block_limit: int = BLOCK_LIMIT,
        carriers: Callable[[Wants], Carrier] | None = None,
    ) -> None:
        """Make a residency.

        Args:
            device: where computing happens.
            dtype: what is computed in.
            budget: bytes for weights and what is computed beside them; on a CUDA device the process
                gets no more. None: most of what is free now.
            reserved: bytes of main memory that the default budget leaves to others.
            block_limit: bytes up to which a part of a network is carried in one piece.
            carriers: how tensors get there; tests give a simulated device.
        """
        self.device = device
        self.dtype = dtype
        self.budget = _budget(device, budget, reserved)
        self._block_limit = block_limit
        self._carriers = carriers or self._carrier
        self._lodgings: weakref.WeakKeyDictionary[Weights, Lodging] = weakref.WeakKeyDictionary()
        self._in_use: dict[int, int] = {}

    @contextmanager
    def use(
        self, *weights: Weights, room_for: int = 0, checkpoint: Checkpoint = lambda: None
    ) -> Iterator[None]:
        """See `Residency.use`. Raises `OutOfMemoryError` where no single block fits."""
        for handle in weights:
            self._in_use[id(handle)] = self._in_use.get(id(handle), 0) + 1
        try:
            self._settle(weights, room_for, checkpoint)
            yield
        finally:
            for handle in weights:
                self._in_use[id(handle)] -= 1
                if not self._in_use[id(handle)]:
                    del self._in_use[id(handle)]

    def release(self, wanted: int) -> int:
        """See `Residency.release`."""
        freed = 0
        for handle, lodging in list(self._lodgings.items()):
            if freed >= wanted:
                break
            if id(handle) not in self._in_use:
                freed += lodging.clear()
                del self._lodgings[handle]
        self._give_back()
        return freed

    @property
    def held(self) -> int:
        """Bytes that weights take on the device now."""
        return sum(lodging.held for lodging in self._lodgings.values())

    def _settle(self, weights: tuple[Weights, ...], room_for: int, checkpoint: Checkpoint) -> None:
        for handle in weights:
            lodging = self._lodgings.pop(handle, None) or self._lodge(handle)
            self._lodgings[handle] = lodging  # the latest used stands last
        wanted = {str(id(handle)) for handle in weights}
        others_in_use = {name for name in map(str, self._in_use) if name not in wanted}
        by_name = {str(id(handle)): (handle, one) for handle, one in self._lodgings.items()}
        taken = sum(by_name[name][1].held for name in others_in_use & by_name.keys())
        sizes = {n: one.size for n, (_, one) in by_name.items() if n not in others_in_use}
        placement = plan(sizes, self.budget - room_for - taken, sorted(wanted))
        evicted = False
        for name in placement.evicted:
            handle, lodging = by_name[name]
            evicted |= lodging.clear() > 0
            del self._lodgings[handle]
        if evicted:
            self._give_back()
        for name in sorted(wanted, key=lambda name: by_name[name][1].size):
            by_name[name][1].place(placement.resident[name], checkpoint)

    def _lodge(self, handle: Weights) -> Lodging:
        lazy = handle if isinstance(handle, LazyWeights) else None
        return Lodging(
            handle.module,
            self._carriers(lazy.wants if lazy else Wants()),
            block_limit=self._block_limit,
            forget=lazy.forget if lazy else lambda: None,
        )

    def _carrier(self, wants: Wants) -> Carrier:
        dtype = wants.dtype or self.dtype
        if self.device.type == "cuda":
            return CudaCarrier(self.device, dtype)
        channels_last = wants.channels_last and dtype == torch.bfloat16
        return HostCarrier(dtype, channels_last=channels_last, packed=wants.packed)

    def _give_back(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        else:
            return_freed_pages()


def _budget(device: torch.device, wanted: int | None, reserved: int) -> int:
    if device.type != "cuda":
        if wanted is not None:
            return wanted
        available = available_memory()
        return int(max(available - reserved, available // 4) * SHARE_OF_FREE_MEMORY)
    free, total = torch.cuda.mem_get_info(device)
    budget = int(free * SHARE_OF_FREE_MEMORY) if wanted is None else min(wanted, free)
    if wanted is not None:
        torch.cuda.set_per_process_memory_fraction(min(budget / total, 1.0), device)
    return budget


_installed: list[Residency] = []
"""The one piece of module-level state of the engine; the last one counts."""


def current() -> Residency:
    """The residency of this process."""
    if not _installed:
        raise RuntimeError(
            "no residency is installed: call install(), or use installed() in a with"
        )
    return _installed[-1]


def install(residency: Residency) -> None:
    """Set this process's residency, as a worker does once at its start."""
    _installed[:] = [residency]


@contextmanager
def installed(residency: Residency) -> Iterator[Residency]:
    """Have another residency inside the `with`."""
    before = list(_installed)
    _installed.append(residency)
    try:
        yield residency
    finally:
        _installed[:] = before
