"""Images at other sizes, against Pillow and by hand."""

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import NodeError
from nodes.image_scaling import crop_to_proportions, match_count, scale, scale_masks
from nodes.image_upscaling import (
    image_scale,
    image_scale_by,
    image_scale_to_max_dimension,
    image_scale_to_total_pixels,
)

METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]


def noise(height: int, width: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, height, width, channels), generator=generator) / 255


def size(images: torch.Tensor) -> tuple[int, int]:
    return images.shape[2], images.shape[1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_flat_image_stays_flat(method: str, channels: int):
    # Opaque, as Pillow weighs colours of 8 bits by their alpha and so loses some of faint ones.
    colour = torch.tensor([0.2, 0.4, 0.6, 1.0])[:channels]
    scaled = scale(colour.expand(2, 8, 6, channels), 9, 5, method=method)
    assert scaled.shape == (2, 5, 9, channels)
    assert torch.allclose(scaled, colour, atol=1e-6)


def test_area_averages():
    image = torch.tensor([[0.0, 0.2], [0.4, 1.0]]).reshape(1, 2, 2, 1)
    assert scale(image, 1, 1, method="area").item() == pytest.approx(0.4)


def test_nearest_exact_picks_what_pillow_picks():
    image = noise(7, 5)
    ours = scale(image, 11, 4, method="nearest-exact")[0]
    levels = np.rint(image[0].numpy() * 255).astype(np.uint8)
    expected = np.array(Image.fromarray(levels).resize((11, 4), Image.Resampling.NEAREST))
    assert np.array_equal(np.rint(ours.numpy() * 255), expected)


def test_enlarging_bilinearly_agrees_with_pillow():
    grey = noise(6, 6, 1)
    picture = Image.fromarray(grey[0, ..., 0].numpy())
    expected = np.array(picture.resize((13, 9), Image.Resampling.BILINEAR))
    ours = scale(grey, 13, 9, method="bilinear")[0, ..., 0].numpy()
    assert np.abs(ours - expected).max() < 1e-5


def test_bicubic_overshoots_hard_edges():
    edge = torch.tensor([0.0, 0, 1, 1]).reshape(1, 1, 4, 1).expand(1, 4, 4, 1)
    scaled = scale(edge, 16, 16, method="bicubic")
    assert scaled.min() < 0
    assert scaled.max() > 1


def test_lanczos_is_pillow_s():
    image = noise(8, 8)
    levels = (image[1].numpy() * np.float32(255)).astype(np.uint8)
    expected = np.array(Image.fromarray(levels).resize((5, 12), Image.Resampling.LANCZOS))
    ours = scale(image, 5, 12, method="lanczos")[1]
    assert np.array_equal(np.rint(ours.numpy() * 255), expected)


def test_the_centre_is_kept_when_proportions_are_cut():
    ramp = torch.arange(10.0).reshape(1, 1, 10, 1).expand(1, 4, 10, 1)
    assert crop_to_proportions(ramp, 8, 8)[0, 0, :, 0].tolist() == [3, 4, 5, 6]
    tall = ramp.transpose(1, 2)
    assert crop_to_proportions(tall, 8, 4)[0, :, 0, 0].tolist() == [4, 5]
    assert crop_to_proportions(ramp, 5, 2).shape == ramp.shape


def test_the_same_size_changes_nothing():
    image = noise(4, 4)
    for method in METHODS:
        assert torch.equal(scale(image, 4, 4, method=method), image)


@pytest.mark.parametrize(
    ("asked", "got"), [((8, 6), (8, 6)), ((8, 0), (8, 4)), ((0, 8), (16, 8)), ((0, 0), (10, 5))]
)
def test_a_side_of_zero_follows_from_the_other(asked: tuple[int, int], got: tuple[int, int]):
    width, height = asked
    image = noise(5, 10)
    assert size(image_scale(image, "area", width, height, crop="disabled")) == got


def test_cropping_avoids_distortion():
    image = torch.zeros(1, 4, 12, 3)
    image[:, :, 4:8] = 1.0
    cut = image_scale(image, "bilinear", 8, 8, crop="center")
    assert torch.equal(cut, torch.ones(1, 8, 8, 3))
    assert image_scale(image, "bilinear", 8, 8, crop="disabled").mean() < 0.5


@pytest.mark.parametrize(("factor", "got"), [(1.5, (15, 8)), (0.5, (5, 2)), (0.1, (1, 1))])
def test_a_factor(factor: float, got: tuple[int, int]):
    """At least one pixel remains along each side."""
    assert size(image_scale_by(noise(5, 10), "area", factor)) == got


@pytest.mark.parametrize("shape", [(5, 10), (10, 5), (10, 10)])
def test_the_longer_side_is_given(shape: tuple[int, int]):
    expected = tuple(round(side * 40 / max(shape)) for side in reversed(shape))
    assert size(image_scale_to_max_dimension(noise(*shape), "area", 40)) == expected


def test_a_longest_side_of_nothing_is_refused():
    with pytest.raises(NodeError, match="longest side is to be 0"):
        image_scale_to_max_dimension(noise(4, 4), "area", 0)


def test_the_number_of_pixels_is_given():
    # 0.01 megapixels are 10,485.76: the square root is 102.4.
    assert size(image_scale_to_total_pixels(noise(10, 10), "area", 0.01)) == (102, 102)
    assert size(image_scale_to_total_pixels(noise(10, 40), "area", 0.01)) == (205, 51)
    assert size(image_scale_to_total_pixels(noise(10, 40), "area", 0.01, 16)) == (208, 48)


def test_sizes_and_methods_that_cannot_be_are_refused():
    with pytest.raises(NodeError, match="0x4"):
        scale(noise(2, 2), 0, 4)
    with pytest.raises(NodeError, match="unknown way to scale 'bislerp'"):
        scale(noise(2, 2), 4, 4, method="bislerp")


def test_masks_scale_as_images_do():
    masks = noise(6, 6, 1)
    assert torch.equal(scale_masks(masks.squeeze(-1), 3, 9), scale(masks, 3, 9).squeeze(-1))


def test_counts_repeat_from_the_start_or_are_cut_off():
    batch = torch.arange(3).reshape(3, 1)
    assert match_count(batch, 7).flatten().tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert match_count(batch, 2).flatten().tolist() == [0, 1]
