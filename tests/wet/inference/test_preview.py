"""Previews have the right size and colours, and fitting recovers their factors."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from engine.families import preview_factors, wan_autoencoder
from engine.families.latent_format import FLUX2_LATENT, FLUX_LATENT, LatentFormat
from engine.inference.preview import fit_rgb_factors, preview

FACTORS = ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5), (0.1, 0.1, 0.1))
FORM = LatentFormat(4, (8, 8), 1.0, rgb_factors=FACTORS, rgb_bias=(0.1, 0.0, -0.1))

SD3 = LatentFormat(16, (8, 8), rgb_factors=preview_factors.SD3)
NAMES = ("FLUX.1", "FLUX.2", "Wan 2.1", "Stable Diffusion 3")


def opened(jpeg):
    return Image.open(io.BytesIO(jpeg))


@pytest.mark.parametrize(
    ("cells", "size"), [((32, 48), (384, 256)), ((200, 100), (256, 512)), ((1, 1), (8, 8))]
)
def test_it_fits_512_pixels(cells, size):
    picture = opened(preview(torch.zeros(2, 4, *cells), FORM))
    assert picture.format == "JPEG"
    assert picture.size == size


def test_it_shows_the_colours_of_the_first_latent():
    latent = torch.zeros(2, 4, 16, 16)
    latent[0, 0] = 1.0
    pixels = np.asarray(opened(preview(latent, FORM)), dtype=float)
    assert np.abs(pixels.mean((0, 1)) - [204, 127.5, 114.75]).max() < 4


@pytest.mark.parametrize(("channels", "axes"), [(1, 2), (3, 2), (16, 3), (8, 1)])
def test_a_format_without_factors_has_false_colours(channels, axes):
    latent = torch.zeros(1, channels, *(8,) * axes)
    latent[:, 0] = 1.0
    pixels = np.asarray(opened(preview(latent, LatentFormat(channels, (8,) * axes))), dtype=float)
    assert np.abs(pixels.mean((0, 1)) - [191, 127.5, 127.5]).max() < 4


def test_numbers_gone_astray_are_shown_all_the_same():
    assert preview(torch.full((1, 4, 8, 8), float("nan")), FORM)
    assert preview(torch.full((1, 4, 8, 8), float("inf")), FORM)


def test_factors_are_found_by_least_squares():
    latents = torch.randn(2, 4, 6, 6)
    pixels = latents.movedim(1, -1) @ torch.tensor(FACTORS) + torch.tensor(FORM.rgb_bias)
    images = (pixels / 2 + 0.5).repeat_interleave(8, 1).repeat_interleave(8, 2)
    factors, bias = fit_rgb_factors(latents, images)
    assert torch.tensor(factors).allclose(torch.tensor(FACTORS), atol=1e-5)
    assert torch.tensor(bias).allclose(torch.tensor(FORM.rgb_bias), atol=1e-5)


@pytest.mark.parametrize(
    "form", [FLUX_LATENT, FLUX2_LATENT, wan_autoencoder.LATENT, SD3], ids=NAMES
)
def test_flow_models_have_a_colour_for_each_channel(form):
    assert torch.tensor(form.rgb_factors).shape == (form.channels, 3)
    # A picture of nothing is no extreme colour.
    grey = np.asarray(
        opened(preview(torch.zeros(1, form.channels, *(8,) * form.dims), form)), dtype=float
    )
    assert 60 < grey.mean() < 160


def test_cells_that_are_packed_into_one_have_their_mean_colour():
    unpacked = torch.randn(1, 32, 8, 8)
    packed = torch.nn.functional.pixel_unshuffle(unpacked, 2)
    found = packed.movedim(1, -1) @ torch.tensor(preview_factors.FLUX2)
    each = unpacked.movedim(1, -1) @ torch.tensor(preview_factors.FLUX2_CELL)
    mean = torch.nn.functional.avg_pool2d(each.movedim(-1, 1), 2).movedim(1, -1)
    assert torch.allclose(found, mean, atol=1e-6)
