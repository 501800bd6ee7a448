"""FreeU against sums of sines, whose frequencies are known."""

from __future__ import annotations

import math

import torch

from engine.nets.free_u import FreeU, low_frequencies_scaled


def wave(rows: int, columns: int, size: int = 8) -> torch.Tensor:
    angle = 2 * math.pi * torch.arange(size) / size
    return torch.cos(rows * angle[:, None] + columns * angle[None])[None, None]


def test_only_low_frequencies_are_scaled() -> None:
    low, high = 3.0 * wave(0, 0), wave(2, 3)
    found = low_frequencies_scaled(low + high, 0.2)
    assert torch.allclose(found, 0.2 * low + high, atol=1e-5)
    # A real wave of one cycle has the frequencies 1 and -1; the latter alone is low.
    found = low_frequencies_scaled(wave(1, 0), 0.2)
    assert torch.allclose(found, 0.6 * wave(1, 0), atol=1e-5)


def test_the_backbone_is_strengthened_at_the_named_widths_alone() -> None:
    hidden, skip = torch.randn(2, 2, 8, 4, 4, generator=torch.Generator().manual_seed(1))
    patch = FreeU(((8, 1.5, 1.0), (4, 9.0, 9.0)), adaptive=False)
    found, same = patch(hidden, skip, {})
    assert torch.allclose(found[:, :4], hidden[:, :4] * 1.5)
    assert torch.equal(found[:, 4:], hidden[:, 4:])
    assert torch.allclose(same, skip, atol=1e-5)
    other = hidden[:, :6]
    assert patch(other, skip, {}) == (other, skip)


def test_the_second_version_follows_the_mean_of_the_channels() -> None:
    hidden = torch.ones(1, 4, 1, 3) * torch.tensor([1.0, 2.0, 5.0])
    found, _ = FreeU(((4, 3.0, 1.0),), adaptive=True)(hidden, hidden, {})
    assert torch.allclose(found[0, 0, 0], torch.tensor([1.0, 2.0 * 1.5, 5.0 * 3.0]))
    assert torch.equal(found[:, 2:], hidden[:, 2:])


def test_an_even_map_stays_finite() -> None:
    found, _ = FreeU(((4, 3.0, 1.0),), adaptive=True)(*torch.ones(2, 1, 4, 2, 2), {})
    assert torch.equal(found, torch.ones(1, 4, 2, 2))
