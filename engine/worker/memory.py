"""The worker's memory: sizes of results, return of freed pages, out-of-memory errors."""

from __future__ import annotations

import gc
import math
import mmap
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import psutil
from torch import Tensor

from engine.execute.cache import Cache
from engine.execute.sizes import Parts, buffer_leaf, parts_of
from engine.machine import available_memory
from engine.residency.handles import LazyWeights, MissingWeights
from engine.residency.manager import Residency
from engine.residency.memory import is_out_of_memory, limit_growth, return_freed_pages
from engine.worker.process_files import ProcessFile

_ASKED = re.compile(r"allocate (?P<number>[\d.]+) ?(?P<unit>bytes|[KMGT]iB)", re.IGNORECASE)
_UNITS: Mapping[str, int] = {
    "bytes": 1,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
RENEWED_EVERY = 1.0
"""Seconds."""
LEFT_FREE = 128 << 20
"""Bytes that a run leaves to the rest of the machine."""
KEPT_SHARE = 0.05
KEPT_LEAST = 64 << 20
KEPT_MOST = 512 << 20


def measure(values: Iterable[Any]) -> Parts:
    """The bytes that results hold. A tensor holds its whole storage, which its views share.

    A handle on weights counts nothing: the residency accounts for those.
    """
    return parts_of(values, _leaf)


def _leaf(value: Any) -> tuple[int, int] | None:
    if isinstance(value, Tensor):
        try:
            storage = value.untyped_storage()
        except NotImplementedError:  # sparse, or packed for oneDNN
            return id(value), value.nbytes
        return (storage.data_ptr() or id(value)), storage.nbytes()
    if isinstance(value, LazyWeights | MissingWeights):
        return id(value), 0
    return buffer_leaf(value)


class ResidentMemory:
    """Resident memory of this process; on Linux without mapped files."""

    def __init__(self) -> None:
        self._sizes = ProcessFile("statm")

    def __call__(self) -> int:
        """Bytes now."""
        with suppress(OSError, ValueError, IndexError):
            fields = self._sizes.read().split(None, 3)
            return (int(fields[1]) - int(fields[2])) * mmap.PAGESIZE
        return psutil.Process().memory_info().rss


def kept_pages(budget: int) -> int:
    """Bytes of freed pages that a worker with such a cache may retain for its next run."""
    return min(max(int(budget * KEPT_SHARE), KEPT_LEAST), KEPT_MOST)


class FreedPages:
    """Returns freed pages to the system, once they exceed an allowance.

    The C library retains what tensors free, which makes steps faster but leaves holes after evicted
    results. Unaccounted memory is compared with what could not be returned the last time, so that
    this part is not tried again and again.

    Args:
        accounted: bytes of results and weights in use now.
        allowance: bytes of freed pages that may stay.
    """

    def __init__(
        self,
        accounted: Callable[[], int],
        allowance: int,
        *,
        resident: Callable[[], int] | None = None,
        give_back: Callable[[], None] = return_freed_pages,
    ) -> None:
        self._accounted = accounted
        self._allowance = allowance
        self._resident = resident or ResidentMemory()
        self._release = give_back
        self._unreturnable = self._unaccounted()

    def trim(self) -> None:
        """Return pages if more than the allowance is held beyond what is accounted for."""
        if self._unaccounted() - self._unreturnable > self._allowance:
            self.release()

    def release(self) -> None:
        """Return all that can be returned."""
        self._release()
        if self._unaccounted() - self._unreturnable > self._allowance:
            gc.collect()  # tensors in reference cycles
            self._release()
        self._unreturnable = self._unaccounted()

    def _unaccounted(self) -> int:
        return self._resident() - self._accounted()


class GrowthLimit:
    """Bounds what the nodes of a run may allocate to the memory that is free.

    A number in a workflow can request any size. Linux would grant it, and kill the process when
    memory runs out; with a bound, only that node fails, and reports what it requested.
    """

    def __init__(self, *, limited: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._limited = limited
        self._clock = clock
        self._renewed = -math.inf

    def renew(self) -> None:
        """Update the bound, unless that was done a moment ago."""
        if self._clock() - self._renewed >= RENEWED_EVERY:
            self.reset()

    def reset(self) -> None:
        """Set the bound from the memory that is free now."""
        if self._limited:
            self._renewed = self._clock()
            limit_growth(available_memory() - LEFT_FREE)


class MemoryRetry:
    """Called when a node raised; frees what it can and says whether to try again."""

    def __init__(
        self,
        residency: Residency,
        cache: Cache,
        *,
        free: Callable[[], int] = available_memory,
        growth: GrowthLimit | None = None,
    ) -> None:
        self._residency = residency
        self._cache = cache
        self._free = free
        self._growth = growth or GrowthLimit(limited=False)
        self._freed = 0

    def __call__(self, error: Exception) -> bool:
        """Whether the error was a lack of memory, and memory was freed."""
        if not is_out_of_memory(error):
            return False
        wanted = requested_bytes(error) or (1 << 62)
        self._freed = self._residency.release(wanted)
        self._freed += self._cache.release(wanted)
        return_freed_pages()
        self._growth.reset()
        return True

    def explain(self, error: Exception) -> str | None:
        """What was missing, in words, where the error is a lack of memory."""
        if not is_out_of_memory(error):
            return None
        wanted = requested_bytes(error)
        need = f"{format_bytes(wanted)} more" if wanted else "more memory"
        return (
            f"out of memory: this node asked for {need}, {format_bytes(self._free())} are free and "
            f"{format_bytes(self._freed)} could be released. Choose a smaller picture or batch, "
            "a tiled VAE node, or close other programs"
        )


def format_bytes(count: int) -> str:
    """A number of bytes in readable form: `2.1 GB`."""
    for size, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def requested_bytes(error: BaseException) -> int | None:
    """The bytes that an out-of-memory error says were requested, or None."""
    match = _ASKED.search(str(error))
    if match is None:
        return None
    return int(float(match["number"]) * _UNITS[match["unit"].lower()])
