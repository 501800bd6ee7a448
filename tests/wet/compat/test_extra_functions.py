"""Functions beside the nodes in `comfy_extras`, against the nodes and against plain sums."""

import math

import pytest
import torch
from scipy.ndimage import gaussian_filter

from engine.compat.core_nodes.extra_functions import (
    camera_embeddings,
    composite,
    create_blur_map,
    gaussian_blur_2d,
    get_noise_mask,
)
from engine.errors import NodeError
from nodes.image import image_composite_masked


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 2), (9, 0)])
def test_pasting_is_what_the_node_does(x, y):
    torch.manual_seed(1)
    below, above, mask = torch.rand(2, 8, 10, 3), torch.rand(1, 5, 4, 3), torch.rand(1, 5, 4)
    expected = image_composite_masked(below, above, x, y, False, mask)
    pasted = composite(below.movedim(-1, 1).clone(), above.movedim(-1, 1), x, y, mask, 1)
    assert torch.allclose(pasted.movedim(1, -1), expected, atol=1e-6)


def test_pasting_in_place_in_units_of_latents_and_outside():
    below = torch.zeros(1, 1, 4, 4)
    assert composite(below, torch.ones(1, 1, 2, 2), -8, 16) is below
    assert below[0, 0].tolist() == [[0] * 4, [0] * 4, [1, 0, 0, 0], [1, 0, 0, 0]]
    assert composite(below, torch.full((1, 1, 2, 2), 5.0), 99 * 8, 0).max() == 1
    assert composite(below, torch.full((1, 1, 2, 2), 3.0), 0, 0, resize_source=True).min() == 3


def test_the_blur_is_a_gaussian_mirrored_at_the_borders():
    image = torch.rand(1, 2, 12, 12, dtype=torch.float64)
    blurred = gaussian_blur_2d(image, 9, 1.5)
    expected = gaussian_filter(image[0, 0].numpy(), 1.5, radius=4, mode="mirror")
    assert torch.allclose(blurred[0, 0], torch.from_numpy(expected), atol=1e-5)


def test_the_blur_map_changes_what_is_attended_to():
    predicted = torch.rand(1, 4, 8, 8)
    attention = torch.zeros(1, 2, 16, 16)
    attention[:, :, :, 0] = 1.0
    changed = (create_blur_map(predicted, attention) - predicted).abs().amax(1)[0] > 0
    assert changed[:2, :2].all()
    assert changed.sum() == 4
    with pytest.raises(NodeError, match="15 tokens do not fit a latent of 8 x 8"):
        create_blur_map(predicted, torch.zeros(1, 2, 15, 15))


def test_camera_and_noise_mask():
    assert camera_embeddings(0, 90)[0, 0, 1:].tolist() == pytest.approx(
        [1, 0, math.pi / 2], abs=1e-6
    )
    samples = torch.zeros(2, 4, 3, 8, 8)
    assert get_noise_mask({"samples": samples}).shape == (2, 1, 3, 1, 1)
