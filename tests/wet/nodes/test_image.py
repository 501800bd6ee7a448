"""Images made, measured, batched and composed."""

import pytest
import torch

from engine.errors import NodeError
from nodes.image import (
    batch_images_node,
    empty_image,
    get_image_size,
    image_add_noise,
    image_batch,
    image_composite_masked,
    image_invert,
    image_pad_for_outpaint,
)


def flat(value: float, *, count: int = 1, height: int = 4, width: int = 4, channels: int = 3):
    return torch.full((count, height, width, channels), value)


def test_an_empty_image_has_the_colour():
    image = empty_image(width=3, height=2, batch_size=2, color=0x3366FF)
    assert image.shape == (2, 2, 3, 3)
    assert torch.equal(image.reshape(-1, 3), (torch.tensor([51, 102, 255]) / 255).expand(12, 3))


def test_the_size_of_images():
    assert tuple(get_image_size(torch.zeros(5, 7, 9, 3))) == (9, 7, 5)


def test_noise_repeats_with_its_seed_and_stays_in_range():
    image = flat(0.5, height=64, width=64)
    noisy = image_add_noise(image, seed=2**64 - 1, strength=0.1)
    assert torch.equal(noisy, image_add_noise(image, seed=2**64 - 1, strength=0.1))
    assert not torch.equal(noisy, image_add_noise(image, seed=1, strength=0.1))
    # 12,288 draws: their standard deviation is off by more than 5 % once in 10^14.
    assert noisy.std().item() == pytest.approx(0.1, rel=0.05)
    assert image_add_noise(image, strength=1.0).aminmax() == (0.0, 1.0)
    assert torch.equal(image_add_noise(image, strength=0.0), image)


def test_noise_is_the_generator_s_own():
    """Seeds are compatible: the noise is torch's CPU stream in the image's layout."""
    expected = 0.5 + 0.01 * torch.randn(1, 4, 4, 3, generator=torch.Generator().manual_seed(7))
    assert torch.equal(image_add_noise(flat(0.5), seed=7, strength=0.01), expected)


def test_a_batch_of_two_takes_the_first_size():
    second = torch.zeros(1, 2, 8, 3)
    second[:, :, 3:5] = 1.0  # the centred square that stays is 2 x 2
    joined = image_batch(flat(0.25), second)
    assert joined.shape == (2, 4, 4, 3)
    assert torch.equal(joined[:1], flat(0.25))
    assert torch.equal(joined[1:], flat(1.0))


def test_a_batch_of_mixed_channels_gets_an_opaque_alpha():
    joined = image_batch(flat(0.25), flat(0.5, channels=4))
    assert joined[0, 0, 0].tolist() == [0.25, 0.25, 0.25, 1.0]
    assert joined[1, 0, 0].tolist() == [0.5] * 4


def test_batching_keeps_the_order_of_the_sockets():
    images = {"image0": flat(0.1, count=2), "image1": flat(0.2), "image2": flat(0)}
    batch = batch_images_node(images)
    assert batch[:, 0, 0, 0].tolist() == pytest.approx([0.1, 0.1, 0.2, 0.0])
    with pytest.raises(NodeError, match="connect at least one"):
        batch_images_node({})


def test_a_composite_is_cut_off_at_the_border():
    result = image_composite_masked(flat(0.0), flat(1.0, height=3, width=3), x=2, y=3)
    expected = flat(0.0)
    expected[:, 3:, 2:] = 1.0
    assert torch.equal(result, expected)


def test_a_composite_beyond_the_border_changes_nothing():
    assert torch.equal(image_composite_masked(flat(0.5), flat(1.0), x=9, y=1), flat(0.5))


def test_a_composite_blends_by_its_mask():
    mask = torch.tensor([[0.0, 0.25], [0.5, 1.0]])
    result = image_composite_masked(flat(0.0), flat(1.0, height=2, width=2), x=1, y=1, mask=mask)
    assert torch.equal(result[0, 1:3, 1:3, 0], mask)
    assert result.sum() == mask.sum() * 3


def test_a_composite_scales_source_and_mask():
    result = image_composite_masked(
        flat(0.0, count=3), flat(1.0, height=2, width=8), resize_source=True, mask=torch.ones(2, 2)
    )
    assert torch.equal(result, flat(1.0, count=3))


def test_a_composite_takes_the_channels_of_the_destination():
    on_alpha = image_composite_masked(flat(0.0, channels=4), flat(0.5, height=1, width=1))
    assert on_alpha[0, 0, 0].tolist() == [0.5, 0.5, 0.5, 1.0]
    assert image_composite_masked(flat(0.0), flat(0.5, channels=4)).shape[-1] == 3


def test_the_inputs_of_a_composite_stay_as_they_were():
    destination = flat(0.0)
    image_composite_masked(destination, flat(1.0))
    assert destination.sum() == 0


def test_a_negative():
    assert torch.equal(image_invert(flat(0.25)), flat(0.75))


def test_padding_without_feathering():
    image, mask = image_pad_for_outpaint(flat(1.0), left=2, top=1, feathering=0)
    assert image.shape == (1, 5, 6, 3)
    expected = torch.ones(1, 5, 6)
    expected[:, 1:, 2:] = 0.0
    assert torch.equal(mask, expected)
    assert torch.equal(image[..., 0], torch.where(expected == 1, 0.5, 1.0))


def test_feathering_falls_with_the_square_of_the_distance_from_padded_sides_only():
    _, mask = image_pad_for_outpaint(flat(1.0, height=10, width=10), left=1, feathering=4)
    assert mask[0, 5].tolist() == [1.0, 1.0, (3 / 4) ** 2, (2 / 4) ** 2, (1 / 4) ** 2, *[0.0] * 6]
    assert torch.equal(mask[0, 0], mask[0, 9])


def test_feathering_at_the_far_side_starts_one_pixel_in():
    _, mask = image_pad_for_outpaint(flat(1.0, height=10, width=10), bottom=1, feathering=4)
    assert mask[0, :, 5].tolist() == [*[0.0] * 7, (1 / 4) ** 2, (2 / 4) ** 2, (3 / 4) ** 2, 1.0]


def test_feathering_that_would_cover_the_image_is_left_out():
    _, mask = image_pad_for_outpaint(flat(1.0), left=1, feathering=2)
    assert mask[0, :, 1:].sum() == 0


def test_a_negative_margin_is_refused():
    with pytest.raises(NodeError, match="must not be negative"):
        image_pad_for_outpaint(flat(1.0), left=-8)
