"""What a worker does when memory runs out: free, try once more, then say what was missing.

Also weighs values for the cache. Knows tensors and errors, no graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from engine.execute.cache import Cache, size_of
from engine.residency.manager import Residency
from engine.residency.memory import available_bytes, is_out_of_memory

_ASKED = re.compile(r"allocate (?P<number>[\d.]+) ?(?P<unit>bytes|[KMGT]iB)", re.IGNORECASE)
_UNITS: Mapping[str, int] = {
    "bytes": 1,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}


def measure(value: Any) -> int:
    """Bytes that a result keeps; a model handle counts little, residency counts its weights."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    return size_of(value)


class Rescue:
    """Asked by the executor when a node raised; frees what it can and says whether to try again.

    Attributes:
        shortage: what the last error that could not be helped asked for, in words.
    """

    def __init__(
        self, residency: Residency, cache: Cache, *, free: Callable[[], int] = available_bytes
    ) -> None:
        self._residency = residency
        self._cache = cache
        self._free = free
        self.shortage: str | None = None

    def __call__(self, error: Exception) -> bool:
        """Whether the error was a lack of memory, and memory was freed."""
        if not is_out_of_memory(error):
            return False
        wanted = asked_for(error)
        freed = self._residency.release(wanted or (1 << 62))
        freed += self._cache.release(wanted or (1 << 62))
        need = f"{in_words(wanted)} more" if wanted else "more memory"
        self.shortage = (
            f"out of memory: this node asked for {need}, {in_words(self._free())} are free and "
            f"{in_words(freed)} could be released. Choose a smaller picture or batch, "
            "a tiled VAE node, or close other programs"
        )
        return True


def in_words(count: int) -> str:
    """A number of bytes as people read it: `2.1 GB`."""
    for size, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def asked_for(error: BaseException) -> int | None:
    """How many bytes an out-of-memory error says it wanted, or None."""
    match = _ASKED.search(str(error))
    if match is None:
        return None
    return int(float(match["number"]) * _UNITS[match["unit"].lower()])
