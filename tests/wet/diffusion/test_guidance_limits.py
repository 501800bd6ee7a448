"""Further variants of guidance against small computations of their own."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.diffusion.guidance import Guidance, Predictions, classifier_free
from engine.diffusion.guidance_variants import (
    direction_led,
    frequency_scaled,
    normed,
    perp_neg,
    perpendicular,
    renormed,
    score_rescaled,
)


def predictions(scale: float = 7.0) -> Predictions:
    x, positive, negative = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    return Predictions(x, torch.tensor([3.0, 0.5]), positive, negative, scale)


def rows(*tensors: torch.Tensor) -> list[tuple[np.ndarray, ...]]:
    """Each row of several tensors as vectors of doubles."""
    return [
        tuple(each.double().numpy().ravel() for each in row) for row in zip(*tensors, strict=True)
    ]


def test_perp_neg_removes_from_the_negative_what_lies_along_the_positive() -> None:
    given = predictions()
    empty = torch.randn(given.x.shape, generator=torch.Generator().manual_seed(2))
    found = perpendicular(given, empty, 1.5)
    for p, n, e, row in rows(given.positive, given.negative, empty, found):
        main, away = p - e, n - e
        along = (away @ main) / (main @ main)
        expected = e + 7.0 * (main - 1.5 * (away - along * main))
        assert np.allclose(row, expected, atol=1e-4)
    # A negative along the positive does not count, whatever its length.
    same = replace(given, negative=empty - 3.0 * (given.positive - empty))
    plain = classifier_free(replace(given, negative=empty))
    assert torch.allclose(perpendicular(same, empty, 1.5), plain, atol=1e-4)


def test_perp_neg_without_a_positive_direction_is_finite() -> None:
    given = predictions()
    assert perpendicular(given, given.positive, 1.0).isfinite().all()


def test_the_patch_evaluates_the_empty_conditioning() -> None:
    given = predictions()
    empty = torch.full_like(given.x, 2.0)
    asked = []

    def evaluate(*names: str, **_: object) -> tuple[torch.Tensor, ...]:
        asked.append(names)
        return (empty,)

    found = Guidance(combine=perp_neg(0.5)).started().guide(replace(given, evaluate=evaluate))
    assert asked == [("empty",)]
    assert torch.equal(found, perpendicular(given, empty, 0.5))


def test_guidance_is_no_longer_than_the_positive_at_each_cell() -> None:
    given = predictions()
    plain = classifier_free(given)
    found = normed(0.8)(given, plain)
    for b, y, x in ((0, 1, 2), (1, 7, 0)):
        length = min(float(given.positive[b, :, y, x].norm()), float(plain[b, :, y, x].norm()))
        assert float(found[b, :, y, x].norm()) == pytest.approx(0.8 * length, rel=1e-4)
    short = given.positive * 0.5
    assert torch.allclose(normed(1.0)(given, short), short)


@pytest.mark.parametrize("most", [0.0, 0.5, 1.0, 100.0])
def test_guidance_has_a_largest_length(most: float) -> None:
    given = predictions()
    found = renormed(most, 100.0)(given)
    for p, plain, row in rows(given.positive, classifier_free(given), found):
        longest = most * math.sqrt(p @ p) if most else math.inf
        length = math.sqrt(plain @ plain)
        assert np.allclose(row, plain * min(1.0, longest / length), atol=1e-5)


def test_above_a_noise_level_only_the_positive_counts() -> None:
    given = predictions()
    assert torch.equal(renormed(1.0, 3.0)(given), given.positive)
    assert not torch.allclose(renormed(1.0, 3.1)(given), given.positive)


def test_mahiro_follows_the_positive_where_the_negative_leads_another_way() -> None:
    given = predictions()
    found = direction_led(given, classifier_free(given))
    expected = []
    p, n = given.positive.double().numpy() * 7, given.negative.double().numpy() * 7
    plain = classifier_free(given).double().numpy()
    ahead = (p + plain) / 2
    root = [np.sign(each) * np.sqrt(np.abs(each)) for each in (n, ahead)]
    cosine = (root[0] * root[1]).sum(1) / np.sqrt((root[0] ** 2).sum(1) * (root[1] ** 2).sum(1))
    share = (1 + cosine.mean()) / 2
    expected = share * plain + (1 - share) * p
    assert np.allclose(found.numpy(), expected, atol=1e-4)
    opposite = replace(given, negative=-given.positive)
    leap = 7.0 * given.positive
    assert torch.allclose(direction_led(opposite, 13.0 * given.positive), leap, atol=1e-3)


def wave(rows_: int, columns: int, size: int = 16) -> torch.Tensor:
    angle = 2 * math.pi * torch.arange(size) / size
    return torch.cos(rows_ * angle[:, None] + columns * angle[None]).expand(1, 4, size, size)


def test_frequencies_of_guidance_have_factors_of_their_own() -> None:
    negative = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    step = 2.0 + wave(2, 1) + wave(6, 1)
    given = Predictions(negative, torch.ones(1), negative + step, negative, 7.0)
    found = frequency_scaled(0.5, 3.0, 4)(given)
    assert found.negative is negative
    expected = 0.5 * (2.0 + wave(2, 1)) + 3.0 * wave(6, 1)
    assert torch.allclose(found.positive - negative, expected, atol=1e-4)
    # A cutoff beyond the map makes all of it low.
    wide = frequency_scaled(0.5, 3.0, 400)(given)
    assert torch.allclose(wide.positive - negative, 0.5 * step, atol=1e-4)


def test_the_score_is_rescaled_by_the_noise_level() -> None:
    given = predictions()
    found = score_rescaled(0.9, 2.0)(given, given.positive)
    for sigma, row, denoised, x in zip((3.0, 0.5), found, given.positive, given.x, strict=True):
        ratio = 4.0 / sigma**2
        factor = (ratio + 1) / (ratio / 0.9 + 1)
        # The score of a Gaussian mixture's component of variance k: the noise over sigma.
        assert torch.allclose(x - row, (x - denoised) * factor, atol=1e-5)
    assert torch.allclose(
        score_rescaled(1.0, 2.0)(given, given.positive), given.positive, atol=1e-6
    )
