"""Canny's edges, against scipy's filters and a loop over pixels, and by hand."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from engine.errors import NodeError
from nodes.image_edges import canny_edges

WEIGHTS = (0.299, 0.587, 0.114)
EIGHT = np.ones((3, 3), bool)


def noise(height: int, width: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height + width)
    return torch.rand(2, height, width, channels, generator=generator)


def expected(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """By scipy's filters, a loop over pixels, and propagation from strong pixels."""
    grey = image[..., :3].astype(np.float64) @ WEIGHTS if image.shape[-1] >= 3 else image[..., 0]
    soft = ndimage.gaussian_filter(grey, 1.0, mode="mirror", radius=2)
    down, across = (ndimage.sobel(soft, axis, mode="nearest") for axis in (0, 1))
    strength = np.sqrt(down**2 + across**2 + 1e-6)
    around = np.pad(strength, 1)
    ridge = np.zeros(strength.shape, bool)
    for (row, column), value in np.ndenumerate(strength):
        angle = round(math.atan2(down[row, column], across[row, column]) / (math.pi / 4))
        step = round(math.sin(angle * math.pi / 4)), round(math.cos(angle * math.pi / 4))
        sides = [around[row + 1 + s * step[0], column + 1 + s * step[1]] for s in (1, -1)]
        ridge[row, column] = value > max(sides)
    strong, weak = ridge & (strength > high), ridge & (strength > low)
    return ndimage.binary_propagation(strong, EIGHT, mask=weak)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.1), (0.4, 0.8), (0.1, 0.9)])
@pytest.mark.parametrize("size", [(31, 42), (4, 3), (9, 9)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_edges_of_noise(size: tuple[int, int], channels: int, low: float, high: float):
    images = noise(*size, channels)
    found = canny_edges(images, low, high)
    assert found.shape == (2, *size, 3)
    wanted = np.stack([expected(image, low, high) for image in images.numpy()])
    assert np.array_equal(found.numpy(), wanted[..., None].repeat(3, -1))
    assert 0 < wanted.mean() < 0.6 or high > 0.5 or size != (31, 42)


def test_a_step_is_one_line_and_only_that():
    """A step of 0.5 has a strength of about 1.2, and two columns of it are equally strong."""
    image = torch.zeros(1, 16, 16, 3)
    image[:, :, 8:] = 0.5
    image[:, :, 8] = 0.3
    lines = canny_edges(image, 0.4, 0.8)[0, :, :, 0]
    assert lines.sum(1).tolist() == [1.0] * 16
    assert lines[:, 7:9].sum() == 16
    assert canny_edges(image * 0.5, 0.4, 0.8).sum() == 0, "half as strong: below the threshold"


def test_weak_lines_that_join_a_strong_one_are_drawn():
    image = torch.zeros(1, 24, 24, 3)
    image[:, :12, 10:] = 0.6
    image[:, 12:, 10:] = 0.3
    image[:, :, 10] *= 0.6
    whole, strong = canny_edges(image, 0.3, 0.9), canny_edges(image, 0.9, 0.9)
    assert whole[0, 18:, 8:12].sum() > 0
    assert strong[0, 18:, 8:12].sum() == 0
    assert canny_edges(image * 0.5, 0.3, 0.9).sum() == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 7)])
def test_pictures_without_room_for_edges(size: tuple[int, int]):
    assert canny_edges(torch.full((1, *size, 3), 0.5), 0.1, 0.2).sum() == 0


def test_thresholds_the_wrong_way_round():
    with pytest.raises(NodeError, match=r"low threshold is 0\.8, the high one 0\.4.*swap"):
        canny_edges(noise(8, 8), 0.8, 0.4)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.1, 0.9), (0.3, 0.7), (1.0, 0.2)])
def test_a_hard_edge_is_one_closed_line_on_every_side(low: float, high: float):
    """Both its sides are equally strong: that neither counts would depend on rounding."""
    image = torch.full((1, 40, 40, 3), low)
    image[:, 10:30, 6:24] = high
    for turned in (torch.rot90(image, quarters, (1, 2)) for quarters in range(4)):
        lines = canny_edges(turned, 0.2, 0.4)[0, :, :, 0]
        _, inside = ndimage.label(1 - lines.numpy())
        assert inside == 2, "the line separates the rectangle from the rest"
        assert 70 <= lines.sum() <= 80, "and is one pixel wide"
