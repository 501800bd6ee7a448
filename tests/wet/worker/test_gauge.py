"""The gauge reads the peak of memory, and resets."""

import torch

from engine.worker.gauge import MemoryGauge

MIB = 1 << 20


def test_memory_that_was_freed_again_is_seen_once():
    gauge = MemoryGauge(torch.device("cpu"))
    gauge.begin()  # the peak so far is that of the tests before
    before = gauge.peak()
    held = torch.ones(64 * MIB)
    size = held.nbytes
    del held
    with_tensor = gauge.peak()
    assert with_tensor >= before + 0.8 * size
    assert gauge.peak() <= with_tensor
