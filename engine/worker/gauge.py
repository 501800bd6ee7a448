"""Peak memory of the worker between two calls.

On a CUDA device the allocator's peak, else the process's own memory: on Linux its peak, elsewhere
its current size.
"""

from __future__ import annotations

from contextlib import suppress

import psutil
import torch

from engine.worker.process_files import ProcessFile

SHORTEST_MEASURED = 0.02
"""Seconds: nodes that ran for less are not measured, since measuring has a cost."""
_PEAK = b"VmHWM:"
_RESET_PEAK = b"5"  # proc(5): "reset the peak resident set size"


class MemoryGauge:
    """Watches one device. Made once; `begin` for each run."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._status = ProcessFile("status")
        self._clear = ProcessFile("clear_refs", writable=True)

    def begin(self) -> None:
        """Reset the peak."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            with suppress(OSError):
                self._clear.write(_RESET_PEAK)

    def peak(self) -> int:
        """Peak bytes since `begin` or the last call; resets the peak."""
        found = self._read()
        self.begin()
        return found

    def _read(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_reserved(self._device)
        with suppress(OSError, ValueError, IndexError):
            for line in self._status.read().splitlines():
                if line.startswith(_PEAK):
                    return int(line.split()[1]) * 1024
        return psutil.Process().memory_info().rss
