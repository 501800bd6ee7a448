"""Colours against numpy and Pillow's own conversions; transferred statistics against their aim."""

import numpy as np
import pytest
import torch
from PIL import ImageColor

from engine.errors import NodeError
from nodes.color_statistics import equalised, from_lab, linear, to_lab
from nodes.colors import (
    color_to_rgb_int,
    color_transfer,
    curve_editor,
    image_histogram,
    marigold_post_process,
)

RANDOM = torch.Generator().manual_seed(5)
DARK = torch.rand(2, 24, 32, 3, generator=RANDOM) * torch.tensor([0.3, 0.4, 0.2]) + 0.2
LIGHT = torch.rand(1, 16, 20, 3, generator=RANDOM) * torch.tensor([0.2, 0.1, 0.3]) + 0.5
FRAME = {"source_stats": "per_frame"}


@pytest.mark.parametrize("color", ["#ff5733", "#00000080", "#FFFFFFFF"])
def test_a_colour_is_read_as_pillow_reads_it(color: str):
    red, green, blue, *alpha = ImageColor.getrgb(color)
    found = color_to_rgb_int(color)
    assert found.rgb_int == red * 65536 + green * 256 + blue
    assert found.hex == color[:7]
    assert found.alpha == (alpha[0] / 255 if alpha else 1.0)


@pytest.mark.parametrize("wrong", ["ff5733", "#ff573", "#gg5733", "red", "", "#ff 733"])
def test_what_is_no_colour_is_said(wrong: str):
    with pytest.raises(NodeError, match="is no colour; one is written #RRGGBB"):
        color_to_rgb_int(wrong)


def test_histograms_are_numpy_s():
    levels = torch.randint(0, 256, (1, 30, 40, 4), generator=RANDOM)
    found = image_histogram(levels / 255)
    for name, channel in (("red", 0), ("green", 1), ("blue", 2)):
        expected, _ = np.histogram(levels[0, ..., channel], bins=256, range=(0, 256))
        assert getattr(found, name) == expected.tolist()
    light = (levels[0, ..., :3].double() @ torch.tensor([0.2126, 0.7152, 0.0722]).double()).round()
    expected = np.bincount(light.long().flatten(), minlength=256)
    assert np.abs(np.array(found.luminance) - expected).sum() <= 4  # halves may round apart
    assert sum(found.rgb) == 1200
    assert image_histogram(torch.full((1, 1, 1, 1), 9.0)).red[255] == 1


def test_lab_has_the_published_values():
    """From Lindbloom's tables, for sRGB's primaries."""
    colors = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]])
    expected = torch.tensor(
        [
            [53.24, 80.09, 67.20],
            [87.73, -86.18, 83.18],
            [32.30, 79.19, -107.86],
            [100.0, 0.0, 0.0],
            [0.0, 0.0, 0.0],
        ]
    )
    assert torch.allclose(to_lab(colors), expected, atol=0.02)
    values = torch.rand(1000, 3, generator=RANDOM)
    assert torch.allclose(from_lab(to_lab(values)), values, atol=2e-4)
    assert torch.allclose(equalised(linear(values)), values, atol=1e-5)


def test_statistics_are_those_of_the_reference():
    found = color_transfer(DARK, LIGHT, method="reinhard_lab", source_stats=FRAME)
    for frame in found:
        own, wanted = to_lab(frame).reshape(-1, 3), to_lab(LIGHT[0]).reshape(-1, 3)
        assert torch.allclose(own.mean(0), wanted.mean(0), atol=0.3)
        assert torch.allclose(own.std(0), wanted.std(0), atol=0.3)
    found = color_transfer(DARK, LIGHT, method="mkl_lab", source_stats=FRAME)
    own, wanted = (to_lab(each[0]).reshape(-1, 3).T.numpy() for each in (found, LIGHT))
    assert np.allclose(np.cov(own), np.cov(wanted), atol=2.0)
    found = color_transfer(DARK, LIGHT, method="histogram", source_stats=FRAME)
    shares = np.linspace(0, 1, 21)
    for i in range(3):
        own = np.quantile(found[0, ..., i].numpy(), shares)
        assert np.abs(own - np.quantile(LIGHT[0, ..., i].numpy(), shares)).max() < 0.01


@pytest.mark.parametrize("method", ["reinhard_lab", "mkl_lab", "histogram"])
def test_the_same_statistics_change_nothing_and_strength_mixes(method):
    same = color_transfer(DARK[:1], DARK[:1], method=method, source_stats=FRAME)
    assert torch.allclose(same, DARK[:1], atol=2e-3)
    whole = color_transfer(DARK, LIGHT, method=method, source_stats=FRAME)
    half = color_transfer(DARK, LIGHT, method=method, source_stats=FRAME, strength=0.5)
    assert torch.allclose(half, (DARK + whole) / 2, atol=1e-5)
    none = color_transfer(DARK, LIGHT, method=method, source_stats=FRAME, strength=0.0)
    assert none is DARK


def test_alpha_stays_and_frames_share_or_have_their_own():
    moving = torch.cat((DARK[:1], DARK[:1] + 0.2))
    alpha = torch.rand(2, 24, 32, 1)
    rgba = torch.cat((moving, alpha), -1)
    told = {"source_stats": "target_frame", "target_index": 0}
    found = color_transfer(rgba, LIGHT, method="reinhard_lab", source_stats=told)
    assert torch.equal(found[..., 3:], alpha)
    assert found[1, ..., :3].mean() > found[0, ..., :3].mean() + 0.05
    own = color_transfer(moving, LIGHT, method="reinhard_lab", source_stats=FRAME)
    assert abs(own[1].mean() - own[0].mean()) < 0.01
    both = {"source_stats": "uniform"}
    found = color_transfer(moving, LIGHT, method="reinhard_lab", source_stats=both)
    assert abs(to_lab(found)[..., 0].mean() - to_lab(LIGHT)[..., 0].mean()) < 1.0
    flat = torch.full((1, 1, 1, 3), 0.5)
    for method in ("reinhard_lab", "mkl_lab", "histogram"):
        found = color_transfer(flat, LIGHT, method=method, source_stats=FRAME)
        assert bool(found.isfinite().all())


def test_predictions_are_shown():
    depth = torch.tensor([0.2, 0.4, 0.6]).reshape(1, 1, 3, 1).repeat(1, 1, 1, 3)
    assert torch.allclose(
        marigold_post_process(depth, "depth")[0, 0, :, 1], torch.tensor([1.0, 0.5, 0.0])
    )
    normals = marigold_post_process(DARK, "normals") * 2 - 1
    assert torch.allclose(normals.norm(dim=-1), torch.ones(2, 24, 32), atol=1e-4)
    gray = marigold_post_process(torch.tensor([[[[0.0, 0.5, 1.0]]]]), "albedo")[0, 0, 0]
    assert torch.allclose(gray, torch.tensor([0.0, 0.735357, 1.0]), atol=1e-5)


def test_a_curve_is_handed_on():
    curve = {"points": [[0, 0], [1, 0.5]], "interpolation": "linear"}
    assert curve_editor(curve=curve) is curve
