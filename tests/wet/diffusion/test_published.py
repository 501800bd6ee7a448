"""Published noise levels: complete, falling, and equal to their sources."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from diffusers.schedulers.scheduling_utils import AysSchedules

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


AUTHORS_TIMESTEPS = {
    "SD1": [999, 850, 736, 645, 545, 455, 343, 233, 124, 24, 0],
    "SDXL": [999, 845, 730, 587, 443, 310, 193, 116, 53, 13, 0],
}
"""As the authors published them on the project page of the paper; diffusers has them too."""


@pytest.mark.parametrize("kind", AUTHORS_TIMESTEPS)
def test_align_your_steps_are_the_authors_timesteps(kind: str) -> None:
    """Each level is the trained table's at a published timestep, to a float's last digits."""
    found = torch.tensor(published.ALIGN_YOUR_STEPS[kind])
    assert torch.allclose(discrete().sigmas[AUTHORS_TIMESTEPS[kind]], found, rtol=2e-6)


def test_align_your_steps_agree_with_diffusers() -> None:
    """Its levels are those before timesteps were rounded, to 1.5 %, and end in 0."""
    theirs = {"SD1": "StableDiffusion", "SDXL": "StableDiffusionXL", "SVD": "StableDiffusionVideo"}
    for kind, name in theirs.items():
        rounded = AysSchedules[f"{name}Sigmas"][:-1]
        assert published.ALIGN_YOUR_STEPS[kind][:-1] == pytest.approx(rounded, rel=1.5e-2)


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
