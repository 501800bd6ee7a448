"""The mean of three tilings: shapes, starts, seams, and sizes that fit badly."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.inference.tile_average import (
    Scale,
    Shape,
    run_averaged,
    three_shapes,
    tile_count,
)

TO_PIXELS, TO_LATENT = Scale(1, 8), Scale(8, 1)


def network(scale, calls=None):
    """A stand-in whose result depends on its tile's cells only."""

    def run(part):
        if calls is not None:
            calls.append(tuple(part.shape[-2:]))
        if scale is TO_LATENT:
            rows, columns = (side // 8 * 8 for side in part.shape[-2:])
            return torch.nn.functional.avg_pool2d(part[..., :rows, :columns], 8)
        return torch.nn.functional.interpolate(part, scale_factor=8.0)

    return run


def test_tall_wide_and_square_tiles_of_one_area():
    assert three_shapes(64, 8, TO_PIXELS) == (
        Shape(128, 32, 8),
        Shape(32, 128, 8),
        Shape(64, 64, 8),
    )
    assert three_shapes(512, 64, TO_LATENT)[0] == Shape(1024, 256, 64)


def test_tiles_go_on_by_what_they_do_not_share_and_the_last_is_cut_off():
    assert Shape(8, 16, 2).starts((15, 14)) == [(0, 0), (6, 0), (12, 0)]
    assert Shape(8, 8, 0).starts((16, 8)) == [(0, 0), (8, 0)]


def test_seams_are_ramps_and_three_tilings_count_alike():
    """Two tiles of width 4 share 2 cells: weights 1/2, 1 against 1, 1/2."""
    levels = iter([0.0, 0.0, 6.0, 0.0, 0.0, 0.0])
    x = torch.zeros(1, 1, 2, 6)
    shapes = (Shape(9, 9, 2), Shape(9, 4, 2), Shape(9, 9, 2))
    found = run_averaged(x, shapes, lambda part: part + next(levels), Scale())
    third = torch.tensor([0.0, 0.0, 6 * 0.5 / 1.5, 6 * 1 / 1.5, 6.0, 6.0]) / 3
    torch.testing.assert_close(found[0, 0, 0], third)


def test_what_fits_into_one_tile_of_each_shape_is_run_once():
    calls = []
    x = torch.rand(1, 3, 16, 16)
    found = run_averaged(
        x, three_shapes(32, 8, Scale()), lambda part: calls.append(1) or part, Scale()
    )
    assert calls == [1]
    assert torch.equal(found, x)


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(64, 200),
    st.integers(0, 256),
    st.sampled_from([TO_PIXELS, TO_LATENT]),
)
def test_every_cell_is_covered_and_a_local_network_gives_the_same(size, tile, overlap, scale):
    if scale is TO_PIXELS:
        tile, overlap = tile // 8, overlap // 8
    x = torch.rand(1, 2, size[0] * scale.inward, size[1] * scale.inward)
    shapes = three_shapes(tile, overlap, scale)
    calls = []
    found = run_averaged(x, shapes, network(scale, calls), scale)
    assert len(calls) == tile_count((x.shape[-2], x.shape[-1]), shapes)
    expected = network(scale)(x)
    assert found.shape == expected.shape
    assert found.isfinite().all()
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("overlap", [0, 16, 31, 32, 64, 4096])
def test_any_overlap_ends(overlap):
    shapes = three_shapes(64, overlap, TO_LATENT)
    assert tile_count((256, 256), shapes) <= 3 * 64 * 64
