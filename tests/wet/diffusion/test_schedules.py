"""Schedules against their definitions; `test_levels.py` has the incumbent's tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.diffusion import schedules
from engine.diffusion.parameterization import Parameterization, discrete
from engine.errors import NodeError


def test_one_step_of_kl_optimal_starts_at_the_top() -> None:
    assert schedules.kl_optimal(discrete(), 1).tolist() == pytest.approx([14.614641, 0.0], rel=1e-5)


def test_no_denoising_is_no_step() -> None:
    assert len(schedules.tail(schedules.normal, discrete(), 20, 0.0)) == 0


def test_polyexponential_of_degree_one_is_exponential() -> None:
    expected = schedules.exponential(9, 0.03, 14.6)
    assert torch.allclose(schedules.polyexponential(9, 0.03, 14.6), expected, rtol=1e-5)


def test_variance_preserving_against_its_integral() -> None:
    """sigma^2 + 1 = exp of the integral of beta over time (Karras et al. 2022, eq. 16)."""
    sigmas = schedules.variance_preserving(11, 19.9, 0.1, 0.001)
    times = np.linspace(1, 0.001, 11)
    integral = [np.trapezoid(0.1 + 19.9 * np.linspace(0, t, 20001), dx=t / 20000) for t in times]
    assert torch.allclose(sigmas[:-1].double() ** 2 + 1, torch.tensor(integral).exp(), rtol=1e-4)


def test_laplace_has_its_median_at_mu() -> None:
    sigmas = schedules.laplace(21, 0.03, 14.6, mu=0.3, beta=0.5)
    assert float(sigmas[10]) == pytest.approx(math.exp(0.3), rel=1e-4)
    assert (sigmas.diff() <= 0).all()


def test_turbo_starts_at_the_last_timestep() -> None:
    sigmas, table = schedules.turbo(discrete(), 4), discrete().sigmas
    assert torch.allclose(sigmas[:-1], table[[999, 899, 799, 699]], rtol=1e-6)
    later = schedules.turbo(discrete(), 2, denoise=0.5)
    assert torch.allclose(later[:-1], table[[499, 399]], rtol=1e-6)


SIGMAS = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0])


def test_sections_share_their_border() -> None:
    first = schedules.section(SIGMAS, 0, 2, to_the_end=False)
    assert first.tolist() == [8, 4, 2]
    assert schedules.section(SIGMAS, 2, 10_000, to_the_end=True).tolist() == [2, 1, 0]
    assert schedules.section(SIGMAS, 1, 3, to_the_end=True).tolist() == [4, 2, 0]
    assert len(schedules.section(SIGMAS, 4, 10_000, to_the_end=True)) == 0
    assert SIGMAS[-1] == 0
    assert SIGMAS[3] == 1  # the caller's tensor is unchanged


def test_split_flip_and_extend() -> None:
    high, low = schedules.split(SIGMAS, 1)
    assert (high.tolist(), low.tolist()) == ([8, 4], [4, 2, 1, 0])
    assert schedules.flipped(SIGMAS).tolist() == pytest.approx([0.0001, 1, 2, 4, 8])
    cut = schedules.extended(SIGMAS, 2, start=4.0, end=2.0)
    assert cut.tolist() == [8, 4, 3, 2, 1.5, 1, 0]
    whole = schedules.extended(SIGMAS, 3, start=-1.0, end=0.0, spacing="cosine")
    assert len(whole) == 4 * 3 + 1
    assert float(whole[1]) == pytest.approx(8 - 4 * math.sin(math.pi / 6))


def test_loglinear_keeps_the_ends_and_the_given_levels() -> None:
    doubled = schedules.loglinear([8.0, 2.0, 1.0], 5)
    assert doubled.tolist() == pytest.approx([8, 4, 2, math.sqrt(2), 1])
    assert schedules.loglinear([8.0, 2.0, 1.0], 3).tolist() == [8, 2, 1]


def test_last_steps_end_clean() -> None:
    levels = torch.tensor([8.0, 4.0, 2.0, 1.0])
    assert schedules.last_steps(levels, 3, 1.0).tolist() == [8, 4, 2, 0]
    assert schedules.last_steps(levels, 3, 0.67).tolist() == [4, 2, 0]
    assert len(schedules.last_steps(levels, 3, 0.0)) == 0


@pytest.mark.parametrize("denoise", [1e-7, 1e-9, 1e-300, 5e-324])
def test_a_tiny_denoise_is_refused_and_not_made(denoise: float) -> None:
    made: list[int] = []

    def schedule(model: Parameterization, steps: int) -> torch.Tensor:
        made.append(steps)
        return schedules.simple(model, steps)

    with pytest.raises(NodeError, match="choose at least 2e-06, or 0"):
        schedules.tail(schedule, discrete(), 2, denoise)
    assert made == []


def test_what_fields_offer_is_never_too_much() -> None:
    assert len(schedules.tail(schedules.normal, discrete(), 10_000, 0.01)) == 10_001


def test_cutting_cuts_again_and_again_within_bounds() -> None:
    sigmas = torch.linspace(10, 0, 101)
    for _ in range(2):
        sigmas = schedules.extended(sigmas, 10, start=-1.0, end=0.0)
    with pytest.raises(NodeError, match="more than 1,000,000; cut into fewer"):
        schedules.extended(sigmas, 100, start=-1.0, end=0.0)
