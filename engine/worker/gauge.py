"""Peak memory of the worker between two calls.

On a CUDA device the allocator's peak, else the process's own memory: on Linux its peak, elsewhere
its current size.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil
import torch

SHORTEST_MEASURED = 0.02
"""Seconds: nodes that ran for less are not measured, since measuring has a cost."""
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): "reset the peak resident set size"


class MemoryGauge:
    """Watches one device from now on."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._reset()

    def peak(self) -> int:
        """Peak bytes since the last call; resets the peak."""
        found = self._read()
        self._reset()
        return found

    def _read(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_reserved(self._device)
        with suppress(OSError, ValueError, IndexError):
            for line in _STATUS.read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return psutil.Process().memory_info().rss

    def _reset(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            with suppress(OSError):
                _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
