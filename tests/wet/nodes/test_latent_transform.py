"""Latents mirrored, turned, cut out."""

import pytest
import torch

from nodes.latent_transform import latent_crop, latent_flip, latent_rotate

SQUARE = {"samples": torch.arange(6.0).reshape(1, 1, 2, 3), "type": "kept"}


def rows(found):
    assert found["type"] == "kept"
    return found["samples"][0, 0].tolist()


def test_flip():
    assert rows(latent_flip(SQUARE, "x-axis: vertically")) == [[3, 4, 5], [0, 1, 2]]
    assert rows(latent_flip(SQUARE, "y-axis: horizontally")) == [[2, 1, 0], [5, 4, 3]]


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        ("none", [[0, 1, 2], [3, 4, 5]]),
        ("90 degrees", [[3, 0], [4, 1], [5, 2]]),
        ("180 degrees", [[5, 4, 3], [2, 1, 0]]),
        ("270 degrees", [[2, 5], [1, 4], [0, 3]]),
    ],
)
def test_rotate_clockwise(rotation, expected):
    assert rows(latent_rotate(SQUARE, rotation)) == expected


@pytest.mark.parametrize(
    ("width", "height", "x", "y", "expected"),
    [
        (64, 64, 16, 8, (1, 9, 2, 10)),
        (256, 128, 0, 0, (0, 12, 0, 20)),
        (64, 64, 120, 40, (4, 12, 12, 20)),
        (64, 64, 4096, 4096, (4, 12, 12, 20)),
    ],
)
def test_crop(width, height, x, y, expected):
    whole = torch.arange(12.0 * 20).reshape(1, 1, 12, 20)
    found = latent_crop({"samples": whole}, width, height, x, y)["samples"]
    top, bottom, left, right = expected
    torch.testing.assert_close(found, whole[..., top:bottom, left:right])


def test_video_latents_turn_frame_by_frame():
    video = torch.randn(1, 4, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    for change in (
        lambda latent: latent_rotate(latent, "90 degrees"),
        lambda latent: latent_flip(latent, "x-axis: vertically"),
        lambda latent: latent_crop(latent, 64, 64, 8, 0),
    ):
        whole = change({"samples": video})["samples"]
        torch.testing.assert_close(whole[:, :, 1], change({"samples": video[:, :, 1]})["samples"])
