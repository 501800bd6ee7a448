"""Published noise levels: whole, falling, and where they were measured."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from engine.diffusion import published
from engine.diffusion.parameterization import discrete


def falls(sigmas: torch.Tensor) -> bool:
    return bool((sigmas.diff() < 0).all()) and float(sigmas[-1]) == 0.0


@pytest.mark.parametrize("kind", published.ALIGN_YOUR_STEPS)
def test_align_your_steps(kind: str) -> None:
    sigmas = published.align_your_steps(kind, 10)
    assert sigmas[:-1].tolist() == pytest.approx(published.ALIGN_YOUR_STEPS[kind][:-1])
    assert len(published.align_your_steps(kind, 25)) == 26
    assert falls(published.align_your_steps(kind, 25))


def test_align_your_steps_are_sd1_timesteps() -> None:
    """The paper's list for SD1 is of timesteps: each level lies on the trained table."""
    found = torch.tensor(published.ALIGN_YOUR_STEPS["SD1"])
    timesteps = [999, 850, 736, 645, 545, 455, 343, 233, 124, 24, 0]
    assert torch.allclose(discrete().sigmas[timesteps], found, rtol=1e-3)


@pytest.mark.parametrize("kind", published.OPTIMAL_STEPS)
def test_optimal_steps(kind: str) -> None:
    native = len(published.OPTIMAL_STEPS[kind]) - 1
    for steps in (3, native, 60):
        sigmas = published.optimal_steps(kind, steps)
        assert len(sigmas) == steps + 1
        assert falls(sigmas)


def test_every_row_of_gits() -> None:
    for hundredths in range(80, 151, 5):
        for steps in range(2, published.GITS_STEPS + 6):
            sigmas = published.gits(hundredths / 100, steps)
            assert len(sigmas) == steps + 1
            assert falls(sigmas)
            assert float(sigmas[0]) == pytest.approx(14.61464119)


def test_a_larger_coefficient_spends_more_steps_on_small_levels() -> None:
    middles = [float(published.gits(hundredths / 100, 2)[1]) for hundredths in range(80, 151, 5)]
    assert all(a >= b for a, b in pairwise(middles))
    assert middles[0] > 7
    assert middles[-1] < 1


def test_denoise_keeps_the_end() -> None:
    whole, half = published.gits(1.2, 10), published.gits(1.2, 10, denoise=0.5)
    assert torch.equal(half, whole[-6:])
    assert len(published.gits(1.2, 10, denoise=0.0)) == 0
