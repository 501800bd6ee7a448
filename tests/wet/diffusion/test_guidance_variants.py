"""Variants of guidance against small computations of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.diffusion.guidance import Predictions, classifier_free
from engine.diffusion.guidance_variants import noise_divided, tangentially_damped, zero_star


def predictions(scale: float = 7.0) -> Predictions:
    x, positive, negative = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    return Predictions(x, torch.tensor([3.0, 0.5]), positive, negative, scale)


def test_zero_star_weighs_each_row_s_negative() -> None:
    given = predictions()
    found = zero_star(given, classifier_free(given))
    for x, positive, negative, row in zip(
        given.x, given.positive, given.negative, found, strict=True
    ):
        p, n = (x - positive).numpy().ravel(), (x - negative).numpy().ravel()
        share = float(p @ n) / float(n @ n)
        expected = share * negative + 7.0 * (positive - share * negative)
        assert abs(share - 1.0) > 0.1
        assert torch.allclose(row, expected, atol=1e-4)


def test_zero_star_changes_nothing_without_guidance() -> None:
    given = predictions(1.0)
    assert torch.equal(zero_star(given, given.positive), given.positive)


def test_tangential_damping_projects_to_the_main_direction_of_each_row() -> None:
    given = predictions()
    found = tangentially_damped(given)
    assert found.positive is given.positive
    for x, positive, negative, row in zip(
        given.x, given.positive, given.negative, found.negative, strict=True
    ):
        pair = np.stack([(x - each).double().numpy().ravel() for each in (positive, negative)])
        # The main direction, from the larger eigenvector of the 2 x 2 Gram matrix.
        main = np.linalg.eigh(pair @ pair.T)[1][:, 1] @ pair
        main /= math.sqrt(main @ main)
        expected = x.double().numpy().ravel() - (pair[1] @ main) * main
        assert np.allclose(row.numpy().ravel(), expected, atol=1e-4)


def test_tangential_damping_leaves_a_positive_without_negative() -> None:
    given = predictions()
    alone = Predictions(given.x, given.sigma, given.positive, given.positive, 1.0)
    assert tangentially_damped(alone) is alone


@pytest.mark.parametrize("factor", [1.0, 1.05])
def test_noise_is_divided(factor: float) -> None:
    given = predictions()
    found = noise_divided(factor)(given, given.positive)
    assert torch.allclose((given.x - found) * factor, given.x - given.positive, atol=1e-5)
