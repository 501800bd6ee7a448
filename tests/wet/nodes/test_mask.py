"""Masks made, cut, combined and converted, against scipy and by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from engine.errors import NodeError
from nodes.mask import (
    batch_masks_node,
    crop_mask,
    feather_mask,
    grow_mask,
    image_color_to_mask,
    image_to_mask,
    invert_mask,
    mask_composite,
    mask_to_image,
    solid_mask,
    threshold_mask,
)


def noise(height: int = 9, width: int = 7, count: int = 2) -> torch.Tensor:
    return torch.rand(count, height, width, generator=torch.Generator().manual_seed(4))


def test_a_solid_mask():
    assert torch.equal(solid_mask(0.25, 3, 2), torch.full((1, 2, 3), 0.25))


def test_an_inverted_mask():
    assert torch.equal(invert_mask(torch.full((1, 2, 2), 0.25)), torch.full((1, 2, 2), 0.75))


def test_a_batch_takes_the_first_size():
    batch = batch_masks_node({"mask0": torch.zeros(4, 4), "mask1": torch.ones(2, 2, 8)})
    assert batch.shape == (3, 4, 4)
    assert batch[:, 0, 0].tolist() == [0, 1, 1]
    with pytest.raises(NodeError, match="connect at least one"):
        batch_masks_node({})


def test_a_crop_ends_where_the_mask_ends():
    mask = torch.arange(12.0).reshape(1, 3, 4)
    assert crop_mask(mask, 1, 1, 2, 9).tolist() == [[[5, 6], [9, 10]]]
    assert crop_mask(mask[0], 3, 0, 1, 1).tolist() == [[[3]]]
    with pytest.raises(NodeError, match="cannot crop at 4, 0: the mask is 4x3"):
        crop_mask(mask, 4, 0, 1, 1)


def test_feathering_rises_evenly_from_each_side():
    """From the right and the bottom it begins with the second step; the first is at the start."""
    mask = torch.ones(1, 4, 6)
    assert feather_mask(mask, left=2)[0, 0].tolist() == [0.5, 1, 1, 1, 1, 1]
    assert feather_mask(mask, right=4)[0, 0].tolist() == [0.25, 1, 1, 1, 0.75, 0.5]
    assert feather_mask(mask, left=2, right=4)[0, 0].tolist() == [0.125, 1, 1, 1, 0.75, 0.5]
    assert feather_mask(mask, top=2)[0, :, 0].tolist() == [0.5, 1, 1, 1]
    assert feather_mask(mask, bottom=2)[0, :, 0].tolist() == [0.5, 1, 1, 1]
    assert feather_mask(mask, bottom=4)[0, :, 0].tolist() == [0.25, 1, 0.75, 0.5]


def test_feathering_wider_than_the_mask_is_cut_to_it():
    assert feather_mask(torch.ones(1, 1, 2), left=99)[0, 0].tolist() == [0.5, 1]


@pytest.mark.parametrize("tapered", [True, False])
@pytest.mark.parametrize("expand", [1, 2, 3, 5, 6, 7, 11, 40, -1, -3, -40, 0])
def test_growing_is_so_many_steps_of_scipy_s(tapered: bool, expand: int):
    corner = 0 if tapered else 1
    footprint = np.array([[corner, 1, corner], [1, 1, 1], [corner, 1, corner]])
    step = ndimage.grey_erosion if expand < 0 else ndimage.grey_dilation
    expected = noise()[1].numpy()
    for _ in range(abs(expand)):
        expected = step(expected, footprint=footprint)
    assert np.array_equal(grow_mask(noise(), expand, tapered)[1].numpy(), expected)


def test_growing_leaves_the_given_mask_alone():
    mask = noise()
    grow_mask(mask, 3)
    assert torch.equal(mask, noise())


def test_a_threshold_is_itself_black():
    mask = torch.tensor([[[0.49, 0.5, 0.51]]])
    assert threshold_mask(mask, 0.5).tolist() == [[[0, 0, 1]]]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("multiply", [0.15, 0.2, 0.0, 0.8]),
        ("add", [0.8, 1.0, 0.4, 1.0]),
        ("subtract", [0.0, 0.0, 0.4, 0.0]),
        ("and", [0, 0, 0, 1]),
        ("or", [1, 1, 0, 1]),
        ("xor", [1, 1, 0, 0]),
    ],
)
def test_each_operation(operation: str, expected: list[float]):
    below = torch.tensor([[[0.3, 0.25, 0.4, 0.8]]])
    above = torch.tensor([[[0.5 + 1e-6, 0.8, 0.0, 1.0]]])
    combined = mask_composite(below, above, operation=operation)
    assert combined.flatten().tolist() == pytest.approx(expected, abs=1e-5)


def test_a_composite_covers_only_what_it_lies_on():
    below = torch.zeros(2, 3, 3)
    combined = mask_composite(below, torch.ones(2, 5), x=2, y=1, operation="add")
    expected = torch.zeros(2, 3, 3)
    expected[:, 1:, 2] = 1
    assert torch.equal(combined, expected)
    assert below.sum() == 0
    assert torch.equal(mask_composite(below, torch.ones(1, 1), x=9, operation="add"), below)


def test_masks_and_images():
    image = mask_to_image(torch.tensor([[0.25, 1.0]]))
    assert image.tolist() == [[[[0.25] * 3, [1.0] * 3]]]
    image[..., 1] = 0.5
    assert image_to_mask(image, "green").tolist() == [[[0.5, 0.5]]]
    with pytest.raises(NodeError, match=r"'alpha' was asked for, the image has 3 channels"):
        image_to_mask(image, "alpha")


def test_an_exact_colour():
    image = torch.tensor([[[0x12, 0x34, 0x56], [0x12, 0x34, 0x57]]])[None] / 255
    assert image_color_to_mask(image, 0x123456).tolist() == [[[1, 0]]]
    assert image_color_to_mask(image + 0.4 / 255, 0x123457).tolist() == [[[0, 1]]]
