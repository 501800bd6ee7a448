"""Images cut, turned and put side by side."""

import pytest
import torch

from nodes.image_transform import (
    image_crop,
    image_flip,
    image_rotate,
    image_stitch,
    resize_and_pad_image,
)


def grid(rows: list[list[float]]) -> torch.Tensor:
    """One image of these greys."""
    return torch.tensor(rows)[None, ..., None].repeat(1, 1, 1, 3)


def greys(images: torch.Tensor) -> list[list[float]]:
    return images[0, ..., 0].tolist()


FOUR = [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((1, 1, 0, 0), [[1.0]]),
        ((1, 2, 1, 0), [[2.0], [4.0]]),
        ((9, 9, 0, 1), [[3.0, 4.0]]),
        ((1, 1, 50, 50), [[4.0]]),
    ],
)
def test_a_crop(box: tuple[int, int, int, int], expected: list[list[float]]):
    assert greys(image_crop(grid(FOUR), *box)) == expected


def test_mirrors():
    assert greys(image_flip(grid(FOUR), "x-axis: vertically")) == [[3, 4], [1, 2]]
    assert greys(image_flip(grid(FOUR), "y-axis: horizontally")) == [[2, 1], [4, 3]]


def test_turning_is_clockwise():
    wide = grid([[1.0, 2.0, 3.0]])
    assert greys(image_rotate(wide, "90 degrees")) == [[1], [2], [3]]
    assert greys(image_rotate(grid(FOUR), "90 degrees")) == [[3, 1], [4, 2]]
    assert greys(image_rotate(grid(FOUR), "180 degrees")) == [[4, 3], [2, 1]]
    assert greys(image_rotate(grid(FOUR), "270 degrees")) == [[2, 4], [1, 3]]
    assert greys(image_rotate(grid(FOUR), "none")) == FOUR


def flat(value: float, height: int, width: int, *, count: int = 1, channels: int = 3):
    return torch.full((count, height, width, channels), value)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("right", [[0.0, 1.0]]),
        ("left", [[1.0, 0.0]]),
        ("down", [[0.0], [1.0]]),
        ("up", [[1.0], [0.0]]),
    ],
)
def test_each_side(direction: str, expected: list[list[float]]):
    stitched = image_stitch(flat(0.0, 1, 1), direction, image2=flat(1.0, 1, 1))
    assert greys(stitched) == expected


def test_without_a_second_image_the_first_is_the_result():
    image = flat(0.3, 2, 3)
    assert image_stitch(image) is image


def test_the_second_is_scaled_in_proportion():
    assert image_stitch(flat(0, 4, 4), "right", image2=flat(1, 2, 3)).shape == (1, 4, 4 + 6, 3)
    assert image_stitch(flat(0, 4, 4), "down", image2=flat(1, 2, 3)).shape == (1, 4 + 2, 4, 3)


@pytest.mark.parametrize(("color", "around"), [("white", 1.0), ("black", 0.0), ("red", 0.0)])
def test_without_matching_the_smaller_stands_centred(color: str, around: float):
    options = {"match_image_size": False, "spacing_color": color}
    stitched = image_stitch(flat(0.5, 1, 1), "right", image2=flat(0.25, 4, 1), **options)
    assert greys(stitched) == [[around, 0.25], [0.5, 0.25], [around, 0.25], [around, 0.25]]
    below = image_stitch(flat(0.5, 1, 3), "down", image2=flat(0.25, 1, 1), **options)
    assert greys(below) == [[0.5, 0.5, 0.5], [around, 0.25, around]]


@pytest.mark.parametrize(
    ("color", "expected"),
    [("white", [1, 1, 1]), ("black", [0, 0, 0]), ("red", [1, 0, 0]), ("blue", [0, 0, 1])],
)
def test_a_band_between(color: str, expected: list[float]):
    stitched = image_stitch(
        flat(0.5, 2, 1), "right", spacing_width=3, spacing_color=color, image2=flat(0.5, 2, 1)
    )
    assert stitched.shape == (1, 2, 1 + 4 + 1, 3)  # widths are even
    assert stitched[0, :, 1:5].reshape(-1, 3).unique(dim=0).tolist() == [expected]


def test_the_shorter_batch_repeats_its_last_and_alpha_is_added():
    first = torch.stack([torch.zeros(1, 1, 3), torch.ones(1, 1, 3)])
    second = flat(0.5, 1, 1, count=3, channels=4)
    stitched = image_stitch(first, "right", spacing_width=2, image2=second)
    assert stitched.shape == (3, 1, 4, 4)
    assert stitched[:, 0, 0, 0].tolist() == [0, 1, 1]
    assert stitched[:, 0, :3, 3].unique().tolist() == [1]


def test_an_image_in_a_frame():
    framed = resize_and_pad_image(
        flat(0.5, 2, 4), 8, 8, padding_color="white", interpolation="nearest-exact"
    )
    assert framed.shape == (1, 8, 8, 3)
    assert framed[0, :, 0, 0].tolist() == [1, 1, 0.5, 0.5, 0.5, 0.5, 1, 1]
    dark = resize_and_pad_image(flat(0.5, 4, 2), 3, 4, padding_color="black", interpolation="area")
    assert dark[0, 0, :, 0].tolist() == [0.5, 0.5, 0.0]
