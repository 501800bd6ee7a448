"""Guidance against its formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.diffusion.guidance import (
    Guidance,
    Predictions,
    classifier_free,
    doubly_guided,
    guided,
    projected,
    rescaled,
    unguided,
)


def predictions(scale: float = 7.0) -> Predictions:
    x, positive, negative = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    return Predictions(x, torch.tensor([3.0, 0.5]), positive, negative, scale)


class Asked:
    """Returns one number for each conditioning, and records its calls."""

    def __init__(self, **values: float) -> None:
        self.values = values
        self.names: list[tuple[str, ...]] = []

    def __call__(self, *names: str) -> tuple[torch.Tensor, ...]:
        self.names.append(names)
        return tuple(torch.full((1, 1, 2, 2), self.values[name]) for name in names)


X, SIGMA = torch.zeros(1, 1, 2, 2), torch.ones(1)


def test_scale_one_asks_for_the_positive_only() -> None:
    asked = Asked(positive=2.0, negative=1.0)
    denoised, _ = guided(asked, X, SIGMA, 1.0, Guidance().started())
    assert asked.names == [("positive",)]
    assert (denoised == 2).all()


def test_both_are_asked_in_one_evaluation() -> None:
    asked = Asked(positive=2.0, negative=1.0)
    denoised, negative = guided(asked, X, SIGMA, 3.0, Guidance().started())
    assert asked.names == [("positive", "negative")]
    assert (denoised == 4).all()
    assert (negative == 1).all()


@pytest.mark.parametrize("both", [True, False])
def test_a_hook_or_the_caller_may_need_the_negative_at_scale_one(both: bool) -> None:
    asked = Asked(positive=2.0, negative=1.0)
    hooks = Guidance(always_negative=not both).started()
    denoised, negative = guided(asked, X, SIGMA, 1.0, hooks, both=both)
    assert asked.names == [("positive", "negative")]
    assert (denoised == 2).all()
    assert (negative == 1).all()


def test_hooks_run_in_order_and_combine_is_replaced() -> None:
    guidance = Guidance(
        before=(lambda: lambda told: replace(told, positive=told.positive + 1),),
        combine=lambda told: told.positive * 10,
        after=(lambda _told, denoised: denoised + 1, lambda _told, denoised: denoised * 2),
    )
    denoised, _ = guided(Asked(positive=2.0, negative=0.0), X, SIGMA, 3.0, guidance.started())
    assert (denoised == 62).all()
    denoised, _ = unguided(Asked(positive=2.0), X, SIGMA, guidance.started())
    assert (denoised == 6).all()


def test_two_texts() -> None:
    asked = Asked(positive=5.0, middle=3.0, negative=1.0)
    hooks = Guidance().started()
    options = {"scale": 7.0, "middle_scale": 1.5, "hooks": hooks}
    regular, _ = doubly_guided(asked, X, SIGMA, nested=False, **options)  # type: ignore[arg-type]
    assert torch.allclose(regular, torch.tensor(1 + 1.5 * (3 - 1) + 7.0 * (5 - 3)))
    nested, _ = doubly_guided(asked, X, SIGMA, nested=True, **options)  # type: ignore[arg-type]
    assert torch.allclose(nested, torch.tensor(1 + 1.5 * ((3 + 7.0 * (5 - 3)) - 1)))


@pytest.mark.parametrize(
    ("scale", "names", "expected"),
    [(7.0, ("positive", "middle"), 3 + 7.0 * (5 - 3)), (1.0, ("positive",), 5.0)],
)
def test_what_a_scale_of_one_cancels_is_not_asked(
    scale: float, names: tuple[str, ...], expected: float
) -> None:
    asked = Asked(positive=5.0, middle=3.0, negative=1.0)
    options = {"scale": scale, "middle_scale": 1.0, "nested": False, "hooks": Guidance().started()}
    denoised, _ = doubly_guided(asked, X, SIGMA, **options)  # type: ignore[arg-type]
    assert asked.names == [names]
    assert torch.allclose(denoised, torch.tensor(expected))
    _, negative = doubly_guided(asked, X, SIGMA, both=True, **options)  # type: ignore[arg-type]
    assert (negative == 1).all()


def test_rescaled_has_the_contrast_of_the_positive_in_v() -> None:
    told = predictions()
    sigma = told.sigma.reshape(-1, 1, 1, 1)

    def to_v(denoised: torch.Tensor) -> torch.Tensor:
        """v = alpha eps - sigma' x0 (Salimans & Ho 2022), alpha = 1 / sqrt(1 + sigma^2)."""
        alpha = (1 + sigma**2) ** -0.5
        return alpha * (told.x - denoised) / sigma - alpha * sigma * denoised

    found = to_v(rescaled(1.0)(told)).std(dim=(1, 2, 3))
    assert torch.allclose(found, to_v(told.positive).std(dim=(1, 2, 3)), rtol=1e-4)
    assert torch.allclose(rescaled(0.0)(told), classifier_free(told), atol=1e-4)


def test_projected_without_limits_is_positive_plus_scaled_step() -> None:
    told = predictions()
    found = classifier_free(projected(1.0, 0.0, 0.0)()(told))
    expected = told.positive + told.scale * (told.positive - told.negative)
    assert torch.allclose(found, expected, atol=1e-4)


def test_projected_leaves_out_the_part_along_the_positive() -> None:
    told = predictions()
    step = classifier_free(projected(0.0, 0.0, 0.0)()(told)) - told.positive
    along = (step * told.positive).sum(dim=(1, 2, 3))
    assert torch.allclose(along, torch.zeros(2), atol=1e-2)


def test_projected_limits_the_step() -> None:
    told = predictions()
    step = (classifier_free(projected(1.0, 2.0, 0.0)()(told)) - told.positive) / told.scale
    assert torch.allclose(step.flatten(1).norm(dim=1), torch.full((2,), 2.0), rtol=1e-3)


def test_projected_remembers_within_a_run_only() -> None:
    told = predictions()
    make = projected(1.0, 0.0, 0.5)
    hook = make()
    first, second = hook(told).positive, hook(told).positive
    step = told.positive - told.negative
    assert torch.allclose(second - first, 0.5 * step, atol=1e-4)
    assert torch.equal(make()(told).positive, first)
