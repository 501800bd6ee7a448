"""Blends, blur, sharpening, palettes and morphology, against scipy, Pillow and by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from nodes.image_filters import bayer_matrix, dilate, erode, gaussian_blur
from nodes.image_postprocessing import (
    image_blend,
    image_blur,
    image_quantize,
    image_sharpen,
    morphology,
)


def noise(height: int = 12, width: int = 9, channels: int = 3) -> torch.Tensor:
    return torch.rand(2, height, width, channels, generator=torch.Generator().manual_seed(3))


def grey(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 3), value)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("normal", 0.75),
        ("multiply", 0.4 * 0.75),
        ("screen", 1 - 0.6 * 0.25),
        ("overlay", 2 * 0.4 * 0.75),
        ("soft_light", 0.4 + 0.5 * (0.4**0.5 - 0.4)),
        ("difference", 0.0),
    ],
)
def test_blends_of_two_greys(mode: str, expected: float):
    """0.4 below, 0.75 above, wholly the blend."""
    blended = image_blend(grey(0.4), grey(0.75), 1.0, blend_mode=mode)
    assert blended.flatten().tolist() == pytest.approx([expected] * 3, abs=1e-6)


@pytest.mark.parametrize(
    ("mode", "below", "above", "expected"),
    [
        ("overlay", 0.8, 0.5, 1 - 2 * 0.2 * 0.5),
        ("soft_light", 0.8, 0.25, 0.8 - 0.5 * 0.8 * 0.2),
        ("soft_light", 0.1, 1.0, ((16 * 0.1 - 12) * 0.1 + 4) * 0.1),
        ("difference", 0.75, 0.5, 0.25),
    ],
)
def test_the_other_branches_of_blends(mode: str, below: float, above: float, expected: float):
    blended = image_blend(grey(below), grey(above), 1.0, blend_mode=mode)
    assert blended[0, 0, 0, 0].item() == pytest.approx(expected, abs=1e-6)


def test_a_signed_difference_darkens_when_blended_in_part():
    """0.5 a + 0.5 (a - b) = 0.2 - 0.3, cut off at black."""
    assert image_blend(grey(0.2), grey(0.6), 0.5, blend_mode="difference").max() == 0
    mixed = image_blend(grey(0.4), grey(0.6), 0.5, blend_mode="difference")
    assert mixed[0, 0, 0, 0].item() == pytest.approx(0.1, abs=1e-6)


def test_a_blend_brings_sizes_channels_and_counts_together():
    blended = image_blend(noise(), torch.ones(1, 4, 4, 4), 0.5, blend_mode="normal")
    assert blended.shape == (2, 12, 9, 3)  # those of the first
    assert torch.allclose(blended, (noise() + 1) / 2, atol=1e-6)
    opaque = image_blend(noise(channels=4), torch.zeros(1, 4, 4, 3), 1.0, blend_mode="normal")
    assert torch.allclose(opaque[..., 3], torch.ones(2, 12, 9), atol=1e-6)


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-4"])
def test_grey_is_reduced_as_rgb(dither: str):
    reduced = image_quantize(noise(channels=1), 4, dither=dither)
    assert reduced.shape == (2, 12, 9, 3)
    assert all(len(image.reshape(-1, 3).unique(dim=0)) <= 4 for image in reduced)


def test_a_blur_is_the_convolution_with_a_mirrored_border():
    radius, sigma = 3, 0.7
    grid = np.linspace(-1, 1, 2 * radius + 1)
    kernel = np.exp(-(grid[:, None] ** 2 + grid[None, :] ** 2) / (2 * sigma**2))
    image = noise()
    expected = ndimage.convolve(image[1, ..., 2].numpy(), kernel / kernel.sum(), mode="mirror")
    ours = image_blur(image, radius, sigma)[1, ..., 2].numpy()
    assert np.abs(ours - expected).max() < 1e-6


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3)])
def test_a_blur_wider_than_the_image_mirrors_again_and_again(shape: tuple[int, int]):
    image = noise(*shape, 1)
    grid = np.linspace(-1, 1, 63)
    kernel = np.exp(-(grid**2) / 2)
    expected = image[0, ..., 0].numpy()
    for axis in (0, 1):
        expected = ndimage.convolve1d(expected, kernel / kernel.sum(), axis=axis, mode="mirror")
    assert np.abs(gaussian_blur(image, 31, 1.0)[0, ..., 0].numpy() - expected).max() < 1e-6


def test_sharpening_adds_what_a_blur_takes():
    image = 0.5 + noise() / 100
    expected = image + 10 * 0.3 * (image - image_blur(image, 2, 0.8))
    assert torch.allclose(image_sharpen(image, 2, 0.8, 0.3), expected, atol=1e-6)
    assert torch.equal(image_sharpen(image, alpha=0.0), image)


def test_sharpening_stays_in_range():
    sharp = image_sharpen(noise(), alpha=5.0)
    assert (sharp.min(), sharp.max()) == (0, 1)


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-2", "bayer-16"])
@pytest.mark.parametrize("colors", [1, 2, 16])
def test_so_many_colours_and_no_more(dither: str, colors: int):
    reduced = image_quantize(noise(33, 20), colors, dither=dither)
    assert reduced.shape == (2, 33, 20, 3)
    for image in reduced:
        assert len(image.reshape(-1, 3).unique(dim=0)) <= colors


def test_colours_that_suffice_are_kept():
    image = torch.tensor([[0.0, 0, 0], [1, 1, 1]]).reshape(1, 1, 2, 3).repeat(1, 4, 1, 1)
    assert torch.equal(image_quantize(image, 256, dither="none"), image)


def test_dithering_keeps_the_mean_of_a_shade_that_is_missing():
    """Half black, half white, and a grey between: only dithering preserves the mean grey."""
    image = torch.cat([torch.zeros(40, 64, 3), torch.full((16, 64, 3), 0.5), torch.ones(40, 64, 3)])
    middle = slice(44, 52)
    plain = image_quantize(image[None], 2, dither="none")[0, middle]
    assert len(plain.unique()) == 1
    for dither in ("floyd-steinberg", "bayer-8"):
        dithered = image_quantize(image[None], 2, dither=dither)[0, middle]
        assert dithered.mean().item() == pytest.approx(0.5, abs=0.15)
        assert len(dithered.unique()) == 2


def test_dithering_is_pillow_s():
    image = noise(16, 16)
    picture = Image.fromarray((image[0].numpy() * np.float32(255)).astype(np.uint8))
    expected = picture.quantize(palette=picture.quantize(8), dither=Image.Dither.FLOYDSTEINBERG)
    ours = image_quantize(image, 8, dither="floyd-steinberg")[0]
    assert np.array_equal(np.rint(ours.numpy() * 255), np.array(expected.convert("RGB")))


def test_alpha_is_no_colour():
    image = noise(channels=4)
    assert torch.equal(image_quantize(image, 4, dither="none")[..., 3], image[..., 3])


def test_bayer_s_matrices():
    assert (bayer_matrix(2) * 4).tolist() == [[-1.5, 0.5], [1.5, -0.5]]
    sixteen = bayer_matrix(16)
    assert sorted(((sixteen + 0.5) * 256).flatten().tolist()) == [n + 0.5 for n in range(256)]


@pytest.mark.parametrize("size", [3, 4, 5, 8, 9, 40])
def test_dilation_and_erosion_agree_with_scipy(size: int):
    image = noise()
    plane = image[1, ..., 0].numpy()
    grown = ndimage.maximum_filter(plane, size, mode="constant", cval=-np.inf)
    shrunk = ndimage.minimum_filter(plane, size, mode="constant", cval=np.inf)
    assert np.array_equal(dilate(image, size)[1, ..., 0].numpy(), grown)
    assert np.array_equal(erode(image, size)[1, ..., 0].numpy(), shrunk)


def spot(value: float) -> torch.Tensor:
    """A single pixel of that value on its opposite."""
    image = torch.full((1, 7, 7, 3), 1 - value)
    image[:, 3, 3] = value
    return image


def test_each_operation_on_a_white_spot():
    square = torch.zeros(1, 7, 7, 3)
    square[:, 2:5, 2:5] = 1.0
    black = torch.zeros(1, 7, 7, 3)
    expected = {
        "dilate": square,
        "erode": black,
        "open": black,
        "close": spot(1.0),
        "gradient": square,
        "top_hat": spot(1.0),
        "bottom_hat": black,
    }
    for operation, image in expected.items():
        assert torch.equal(morphology(spot(1.0), operation, 3), image), operation


def test_each_operation_on_a_black_spot():
    white = torch.ones(1, 7, 7, 3)
    assert torch.equal(morphology(spot(0.0), "close", 3), white)
    assert torch.equal(morphology(spot(0.0), "open", 3), spot(0.0))
    assert torch.equal(morphology(spot(0.0), "bottom_hat", 3), spot(1.0))
    assert morphology(spot(0.0), "top_hat", 3).max() == 0
