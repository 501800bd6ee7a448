"""Tensors to pictures and back."""

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import NodeError
from nodes.pixels import from_picture, to_pictures


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_all_256_levels_survive_the_round_trip(mode: str):
    levels = np.arange(256, dtype=np.uint8)
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    array = np.stack([np.roll(levels, shift) for shift in range(channels)], axis=-1)[None]
    picture = Image.fromarray(array.squeeze(-1) if channels == 1 else array)
    tensor = from_picture(picture)
    assert tensor.shape == (1, 256, channels)
    assert tensor.dtype == torch.float32
    (back,) = to_pictures(tensor[None])
    assert (back.mode, back.tobytes()) == (mode, picture.tobytes())


def test_values_are_cut_off_and_rounded_down():
    values = torch.tensor([-1.0, 0.0, 0.999 / 255, 1.001 / 255, 0.5, 1.0, 7.0, float("inf")])
    (picture,) = to_pictures(values.reshape(1, 1, 8, 1))
    assert list(picture.tobytes()) == [0, 0, 0, 1, 127, 255, 255, 255]


def test_deep_grey_becomes_three_channels_without_losing_depth():
    picture = Image.fromarray(np.array([[0.0, 257 / 65535, 1.5]], dtype=np.float32))
    tensor = from_picture(picture)
    assert tensor.shape == (1, 3, 3)
    assert torch.allclose(tensor[0, 1], torch.full((3,), 257 / 65535))
    assert tensor[0, 2].tolist() == [1.0] * 3


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(NodeError, match=r"NaN.*--dtype fp32.*file of weights"):
        list(to_pictures(torch.full((1, 2, 2, 3), float("nan"))))


@pytest.mark.parametrize("shape", [(2, 2, 3), (1, 2, 2, 2), (1, 2, 2, 16)])
def test_what_is_no_batch_of_images_is_refused(shape):
    with pytest.raises(NodeError, match=r"shape \[batch, height, width"):
        list(to_pictures(torch.zeros(shape)))


def test_infinities_that_cancel_are_no_missing_numbers():
    values = torch.tensor([float("inf"), float("-inf"), 0.5]).reshape(1, 1, 3, 1)
    (picture,) = to_pictures(values)
    assert list(picture.tobytes()) == [255, 0, 127]


def test_grey_shown_as_colours_is_what_it_is():
    grey = torch.rand(1, 5, 7, 1)
    (shown,) = to_pictures(grey.expand(-1, -1, -1, 3))
    (copied,) = to_pictures(grey.repeat(1, 1, 1, 3))
    assert shown.mode == "RGB"
    assert shown.tobytes() == copied.tobytes()
