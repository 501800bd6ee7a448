"""ImageCropToMask against Pillow and by hand."""

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import NodeError
from nodes.mask_cropping import image_crop_to_mask


def square(rows, columns, top, left, bottom, right):
    mask = torch.zeros(1, rows, columns)
    mask[:, top:bottom, left:right] = 1.0
    return mask


def test_the_box_is_cropped_and_scaled_as_pillow_does():
    images = torch.rand(1, 200, 300, 3, generator=torch.Generator().manual_seed(1))
    mask = square(200, 300, 40, 100, 140, 200)
    found = image_crop_to_mask(images, mask, 64, 64)
    pixels = (images[0, 40:140, 100:200] * 255).clamp(0, 255).numpy().astype(np.uint8)
    expected = Image.fromarray(pixels).resize((64, 64), Image.Resampling.LANCZOS)
    assert np.abs(found[0].numpy() * 255 - np.asarray(expected)).max() <= 1.0


def test_proportions_margin_and_colour():
    images = torch.ones(2, 64, 64, 3)
    mask = square(64, 64, 24, 24, 40, 40)  # 16 x 16 around 32, 32
    found = image_crop_to_mask(images, mask, 128, 64, 1.5, 0, "#ff0000")
    assert found.shape == (2, 64, 128, 3)
    # 24 rows and 48 columns are shown: the subject is 16 of them, 2/3 and 1/3 of the result
    red = torch.tensor([1.0, 0.0, 0.0])
    assert torch.allclose(found[:, 32, 64], torch.ones(2, 3), atol=0.01)
    assert torch.allclose(found[0, 3, 64], red, atol=0.01)
    white = found[0, 32, :, 1] > 0.5
    assert abs(int(white.sum()) - 43) <= 2
    assert abs(int((found[0, :, 64, 1] > 0.5).sum()) - 43) <= 2


def test_a_crop_beyond_the_border_is_filled_and_masks_grow():
    images = torch.ones(1, 64, 64, 3)
    corner = square(64, 64, 0, 0, 16, 16)
    found = image_crop_to_mask(images, corner, 64, 64, 2.0, 0, "#0000ff")
    assert torch.allclose(found[0, 4, 4], torch.tensor([0.0, 0.0, 1.0]), atol=0.01)
    middle = square(64, 64, 24, 24, 40, 40)
    larger = image_crop_to_mask(images, middle, 64, 64, 1.0, 8, "#000000")
    assert torch.allclose(larger, torch.ones_like(larger), atol=0.01)
    assert image_crop_to_mask(images, middle, 64, 64, 2.0, -4)[0, ..., 0].mean() == pytest.approx(
        0.25, abs=0.03
    )


def test_inverted_and_empty_masks():
    images = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(2))
    mask = square(64, 64, 24, 24, 40, 40)
    assert torch.equal(
        image_crop_to_mask(images, 1.0 - mask, 64, 64), image_crop_to_mask(images, mask, 64, 64)
    )
    whole = image_crop_to_mask(images, torch.zeros(1, 64, 64), 64, 64)
    assert torch.allclose(whole, images, atol=1 / 255)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (37, 3)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_odd_sizes_and_channels(size, channels):
    images, masks = torch.rand(2, *size, channels), torch.rand(2, 5, 7)
    assert image_crop_to_mask(images, masks, 64, 72).shape == (2, 72, 64, 3)


def test_counts_that_do_not_match():
    with pytest.raises(NodeError, match="2 masks and 3 images"):
        image_crop_to_mask(torch.rand(3, 8, 8, 3), torch.rand(2, 8, 8))
