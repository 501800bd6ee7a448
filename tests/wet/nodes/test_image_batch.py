"""Splitting and joining batches; luma and chroma."""

import pytest
import torch

from engine.errors import NodeError
from nodes.image_batch import (
    image_from_batch,
    image_rgb_to_yuv,
    image_yuv_to_rgb,
    rebatch_images,
    repeat_image_batch,
)
from nodes.pixels import from_picture, to_pictures


def numbered(count: int, side: int = 2) -> torch.Tensor:
    return torch.arange(count).float().reshape(-1, 1, 1, 1).repeat(1, side, side, 3) / 10


def numbers(images: torch.Tensor) -> list[float]:
    return (images[:, 0, 0, 0] * 10).round().tolist()


@pytest.mark.parametrize(
    ("index", "length", "expected"),
    [
        (1, 2, [1, 2]),
        (3, 9, [3, 4]),
        (99, 1, [4]),
        (0, 1, [0]),
        (-1, 1, [4]),
        (-2, 9, [3, 4]),
        (-5, 2, [0, 1]),
        (-99, 1, [0]),
    ],
)
def test_a_part_of_a_batch(index: int, length: int, expected: list[float]):
    assert numbers(image_from_batch(numbered(5), index, length)) == expected


def test_a_part_is_not_a_view():
    batch = numbered(2)
    image_from_batch(batch, 0, 1).fill_(9)
    assert numbers(batch) == [0, 1]


def test_batches_of_another_size():
    batches = rebatch_images([numbered(3), numbered(2)], [2])
    assert [numbers(batch) for batch in batches] == [[0, 1], [2, 0], [1]]


def test_rebatching_brings_mixed_sizes_together():
    (batch,) = rebatch_images([numbered(1, 4), numbered(2, 2)], [8])
    assert batch.shape == (3, 4, 4, 3)


def test_a_repeated_batch():
    assert numbers(repeat_image_batch(numbered(2), 3)) == [0, 1, 0, 1, 0, 1]


def test_luma_and_chroma_of_known_colours():
    colours = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]]).reshape(1, 1, 4, 3)
    luma, blue, red = image_rgb_to_yuv(colours)
    assert luma[0, 0, :, 0].tolist() == pytest.approx([1, 0, 0.299, 0.114])
    assert blue[0, 0, :, 0].tolist() == pytest.approx([0.5, 0.5, 0.331, 1.0], abs=5e-4)
    assert red[0, 0, :, 0].tolist() == pytest.approx([0.5, 0.5, 1.0, 0.419], abs=5e-4)
    assert torch.equal(luma[..., 0], luma[..., 2])


def test_luma_and_chroma_agree_with_pillow():
    image = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    (picture,) = to_pictures(image)
    expected = from_picture(picture.convert("YCbCr"))
    ours = torch.cat([part[..., :1] for part in image_rgb_to_yuv(from_picture(picture)[None])], -1)
    # Pillow rounds to 8 bits and its coefficients to three more digits than ours.
    assert (ours[0] - expected).abs().max() < 1.5 / 255


def test_there_and_back_within_the_three_digits_of_the_coefficients():
    image = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    assert (image_yuv_to_rgb(*image_rgb_to_yuv(image)) - image).abs().max() < 2e-3


def test_grey_and_mismatched_images_are_refused():
    with pytest.raises(NodeError, match="needs 3 channels"):
        image_rgb_to_yuv(torch.zeros(1, 2, 2, 1))
    with pytest.raises(NodeError, match="must be of one size"):
        image_yuv_to_rgb(numbered(1), numbered(1), numbered(1, 3))
