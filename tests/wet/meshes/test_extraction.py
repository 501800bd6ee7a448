"""Surfaces of grids, against shapes whose volume and area are known."""

import math

import numpy as np
import pytest

from engine.meshes.extraction import blocks, surface_net
from tests.wet.meshes.shapes import area, ball, faces_at_edges, grid_of, ring, volume


def test_a_ball_has_its_volume_and_area_and_is_closed():
    found = surface_net(ball(0.7), 0.0)
    assert volume(found) == pytest.approx(4 / 3 * math.pi * 0.7**3, rel=0.005)
    assert area(found) == pytest.approx(4 * math.pi * 0.7**2, rel=0.005)
    assert set(faces_at_edges(found)) == {2}
    assert np.abs(np.linalg.norm(found.vertices, axis=1) - 0.7).max() < 0.002


def test_a_torus_has_its_volume_area_and_hole():
    found = surface_net(ring(0.6, 0.25, 96), 0.0)
    assert volume(found) == pytest.approx(2 * math.pi**2 * 0.6 * 0.25**2, rel=0.01)
    assert area(found) == pytest.approx(4 * math.pi**2 * 0.6 * 0.25, rel=0.01)
    edges = len(faces_at_edges(found))
    assert len(found.vertices) - edges + len(found.faces) == 0  # Euler's number of one hole


def test_blocks_have_the_volume_of_their_cells():
    grid = ball(0.7, 32)
    found = blocks(grid, 0.0)
    assert volume(found) == pytest.approx((grid > 0).sum() * (2 / 32) ** 3)
    assert set(np.unique(found.vertices * 16 % 1)) == {0}  # corners of cells


def test_axes_keep_their_order_and_the_longest_spans_two():
    grid = np.zeros((2, 3, 4), np.float32)
    grid[0, 0, 3] = 1
    found = blocks(grid, 0.5)
    # The last cell along x, the first along y and z.
    assert found.vertices.min(0) == pytest.approx([0.5, -0.75, -0.5])
    assert found.vertices.max(0) == pytest.approx([1.0, -0.25, 0.0])
    assert volume(found) == pytest.approx(0.5**3)


@pytest.mark.parametrize("extract", [surface_net, blocks])
def test_what_touches_the_border_is_closed_there(extract):
    found = extract(np.ones((3, 4, 5), np.float32), 0.5)
    assert set(faces_at_edges(found)) == {2}
    assert volume(found) > 0
    assert found.vertices.max(0) == pytest.approx([1, 0.8, 0.6])
    assert found.vertices.min(0) == pytest.approx([-1, -0.8, -0.6])


def test_the_threshold_moves_the_surface():
    grid = grid_of(lambda x, y, z: 1 - np.sqrt(x * x + y * y + z * z))
    for threshold in (0.3, 0.6):
        found = surface_net(grid, threshold)
        assert np.linalg.norm(found.vertices, axis=1).mean() == pytest.approx(
            1 - threshold, abs=0.002
        )


def test_an_empty_grid_and_values_that_are_no_numbers():
    assert surface_net(np.zeros((4, 4, 4), np.float32), 0.5).is_empty
    assert blocks(np.zeros((4, 4, 4), np.float32), 0.5).is_empty
    grid = ball(0.5, 16)
    grid[0, 0, :3] = np.nan, np.inf, -np.inf
    assert np.isfinite(surface_net(grid, 0.0).vertices).all()
