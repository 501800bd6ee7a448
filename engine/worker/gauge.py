"""How high the worker's memory rose since it was last asked.

On a CUDA device what its allocator held, else the process's own memory: on Linux at its highest,
elsewhere as it is now. Knows no nodes.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil
import torch

WORTH_MEASURING = 0.02
"""Seconds: what took less is not asked about, since asking costs too."""
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): "reset the peak resident set size"


class Gauge:
    """Watches one device from now on."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._reset()

    def highest(self) -> int:
        """Bytes at the highest since the last call; the next one begins now."""
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
