"""Guidance with a scale for each frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from engine.diffusion.frame_guidance import peaking_over_frames, rising_over_frames
from engine.diffusion.guidance import Combine, Predictions


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        (rising_over_frames, [1.5, 2.0, 2.5, 3.0, 3.5]),
        (peaking_over_frames, [1.5, 2.5, 3.5, 2.5, 1.5]),
    ],
)
def test_each_frame_has_its_scale(
    combine: Callable[[float], Combine], expected: list[float]
) -> None:
    ones = torch.ones(5, 1, 1, 1)
    found = combine(1.5)(Predictions(ones, torch.ones(5), 3 * ones, ones, 3.5))
    assert found.flatten().tolist() == pytest.approx([1 + 2 * scale for scale in expected])
    alone = combine(1.5)(Predictions(ones[:1], torch.ones(1), 3 * ones[:1], ones[:1], 3.5))
    assert alone.item() == pytest.approx(1 + 2 * 1.5)
