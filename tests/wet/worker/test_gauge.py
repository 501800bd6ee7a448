"""The gauge reads the peak of memory, and resets."""

import torch

from engine.worker.gauge import MemoryGauge

MIB = 1 << 20


def test_memory_that_was_freed_again_is_seen_once():
    gauge = MemoryGauge(torch.device("cpu"))
    before = gauge.peak()
    held = torch.ones(64 * MIB)
    with_tensor = gauge.peak()
    assert with_tensor >= before
    assert with_tensor >= held.nbytes
