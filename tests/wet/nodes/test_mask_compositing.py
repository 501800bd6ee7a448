"""Transparency, against Porter and Duff's areas and Pillow's alpha_composite."""

import numpy as np
import pytest
import torch
from PIL import Image

from nodes.mask_compositing import (
    join_image_with_alpha,
    porter_duff_image_composite,
    split_image_with_alpha,
)

S, SA, D, DA = 0.8, 0.5, 0.4, 0.75
"""Source and destination: colour and alpha."""
BOTH, ONLY_S, ONLY_D = SA * DA, SA * (1 - DA), DA * (1 - SA)
"""Areas of a pixel that both cover, or one alone (Porter and Duff 1984, section 4.1)."""
UNION = BOTH + ONLY_S + ONLY_D
OVERLAID = SA * DA - 2 * (DA - S * SA) * (SA - D * DA) if 2 * D * DA >= DA else 2 * S * SA * D * DA


def composed(mode: str) -> tuple[float, float]:
    """Colour and alpha of one pixel."""
    image, mask = porter_duff_image_composite(
        torch.full((1, 1, 1, 3), S),
        torch.full((1, 1, 1), 1 - SA),
        torch.full((1, 1, 1, 3), D),
        torch.full((1, 1, 1), 1 - DA),
        mode,
    )
    return image[0, 0, 0, 1].item(), 1 - mask.item()


@pytest.mark.parametrize(
    ("mode", "areas"),
    [
        ("CLEAR", (0, 0)),
        ("SRC", (BOTH + ONLY_S, 0)),
        ("DST", (0, BOTH + ONLY_D)),
        ("SRC_OVER", (BOTH + ONLY_S, ONLY_D)),
        ("DST_OVER", (ONLY_S, BOTH + ONLY_D)),
        ("SRC_IN", (BOTH, 0)),
        ("DST_IN", (0, BOTH)),
        ("SRC_OUT", (ONLY_S, 0)),
        ("DST_OUT", (0, ONLY_D)),
        ("SRC_ATOP", (BOTH, ONLY_D)),
        ("DST_ATOP", (ONLY_S, BOTH)),
        ("XOR", (ONLY_S, ONLY_D)),
    ],
)
def test_operators_show_the_areas_they_choose(mode: str, areas: tuple[float, float]):
    """Each operator decides which picture is visible in which area; colours mix by area."""
    source, destination = areas
    alpha = source + destination
    color = (source * S + destination * D) / alpha if alpha else 0.0
    assert composed(mode) == pytest.approx((color, alpha), abs=1e-5)


@pytest.mark.parametrize(
    ("mode", "color", "alpha"),
    [
        ("ADD", min(S * SA + D * DA, 1.0), 1.0),
        ("MULTIPLY", S * SA * D * DA, BOTH),
        ("SCREEN", S * SA + D * DA - S * SA * D * DA, UNION),
        ("DARKEN", (1 - DA) * S * SA + (1 - SA) * D * DA + min(S * SA, D * DA), UNION),
        ("LIGHTEN", (1 - DA) * S * SA + (1 - SA) * D * DA + max(S * SA, D * DA), UNION),
        ("OVERLAY", OVERLAID, UNION),
    ],
)
def test_blending_modes(mode: str, color: float, alpha: float):
    """Colours here are multiplied by alpha, as the definitions are."""
    assert composed(mode) == pytest.approx((color / alpha, alpha), abs=1e-5)


def test_source_over_agrees_with_pillow():
    generator = torch.Generator().manual_seed(2)
    above, below = (torch.randint(0, 256, (8, 8, 4), generator=generator) for _ in range(2))
    pictures = [Image.fromarray(each.numpy().astype(np.uint8)) for each in (above, below)]
    expected = np.array(Image.alpha_composite(*reversed(pictures))) / 255
    image, mask = porter_duff_image_composite(
        *split_image_with_alpha(above[None] / 255),
        *split_image_with_alpha(below[None] / 255),
        "SRC_OVER",
    )
    assert np.abs(1 - mask[0].numpy() - expected[..., 3]).max() < 1 / 255
    weight = expected[..., 3:]
    assert np.abs((image[0].numpy() - expected[..., :3]) * weight).max() < 1.5 / 255


def test_the_size_is_the_destination_s_and_the_count_the_least():
    image, mask = porter_duff_image_composite(
        torch.ones(2, 9, 9, 4), torch.zeros(3, 2, 2), torch.zeros(2, 4, 6, 3), torch.zeros(2, 9, 9)
    )
    assert image.shape == (2, 4, 6, 3)
    assert mask.shape == (2, 4, 6)


def test_a_scaled_mask_may_overshoot():
    dot = torch.zeros(1, 7, 7)
    dot[0, 3, 3] = 1.0
    black = torch.zeros(1, 20, 20, 3)
    _, mask = porter_duff_image_composite(black, torch.zeros(1, 20, 20), black, dot, "DST")
    assert mask.min() < 0


def test_joined_and_split_again():
    """As many as the shorter batch has."""
    image, mask = torch.rand(2, 4, 5, 3), torch.rand(3, 4, 5)
    joined = join_image_with_alpha(image, mask)
    assert joined.shape == (2, 4, 5, 4)
    color, transparent = split_image_with_alpha(joined)
    assert torch.equal(color, image)
    assert torch.allclose(transparent, mask[:2], atol=1e-6)
    assert join_image_with_alpha(image, mask[0]).shape == (1, 4, 5, 4)


def test_a_joined_mask_takes_the_image_s_size():
    joined = join_image_with_alpha(torch.zeros(1, 4, 5, 4), torch.ones(2, 2))
    assert torch.allclose(joined[..., 3], torch.zeros(1, 4, 5), atol=1e-6)


def test_without_alpha_nothing_is_transparent():
    image, mask = split_image_with_alpha(torch.ones(2, 4, 5, 3))
    assert image.shape == (2, 4, 5, 3)
    assert torch.equal(mask, torch.zeros(2, 4, 5))
