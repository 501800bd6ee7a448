"""Tiles cover everything, overlap as planned, and blend without a seam."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.inference import tiles


@given(st.integers(1, 300), st.integers(1, 100), st.integers(0, 40))
def test_a_grid_covers_its_axis_with_few_equal_tiles(length, largest, overlap):
    found = tiles.grid(length, largest, overlap)
    assert found.size <= max(min(largest, length), 1)
    assert found.starts[0] == 0
    assert found.starts[-1] + found.size == length
    wanted = min(overlap, largest - 1)
    for before, after in zip(found.starts, found.starts[1:], strict=False):
        assert wanted - 1 <= before + found.size - after < found.size


@given(st.integers(1, 300), st.integers(1, 100), st.integers(0, 40), st.sampled_from([1, 8]))
def test_shares_add_up_to_one(length, largest, overlap, scale):
    axis = tiles.grid(length, largest, overlap)
    total = torch.zeros(length * scale)
    for start, share in zip(axis.starts, tiles.shares(axis, overlap, scale), strict=True):
        total[start * scale : (start + axis.size) * scale] += share
    assert (total - 1).abs().max() < 1e-5


def test_as_few_tiles_as_will_do():
    assert len(tiles.grid(64, 64, 8).starts) == 1
    assert tiles.grid(65, 64, 8) == tiles.Grid(65, 37, (0, 28))
    assert len(tiles.grid(128, 64, 0).starts) == 2


@pytest.mark.parametrize(("inward", "outward"), [(1, 1), (1, 8), (8, 1)])
def test_a_local_function_gives_the_same_in_tiles(inward, outward):
    x = torch.randn(1, 3, 40 * inward, 50 * inward)

    def run(part):
        if inward > 1:
            return torch.nn.functional.avg_pool2d(part, inward)
        return torch.nn.functional.interpolate(part, scale_factor=float(outward))

    tiling = tiles.plan((40, 50), 17, 5)
    assert tiling.count == 12
    blended = tiles.run_tiled(x, tiling, run, inward=inward, outward=outward)
    assert (blended - run(x)).abs().max() < 1e-5


def test_a_difference_between_tiles_is_spread_over_what_they_share():
    x = torch.zeros(1, 1, 4, 28)
    tiling = tiles.plan((4, 28), 16, 4)
    levels = iter([0.0, 1.0])
    blended = tiles.run_tiled(x, tiling, lambda part: part + next(levels))
    steps = blended[0, 0, 0].diff()
    assert (steps >= -1e-6).all()
    assert steps.max() < 0.3
