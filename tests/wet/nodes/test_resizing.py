"""ResizeImageMaskNode: sizes by every rule, and pixels against torch's own interpolation."""

import pytest
import torch
from torch.nn.functional import interpolate

from engine.errors import NodeError
from nodes.resizing import resize_image_or_mask

IMAGE = torch.rand(2, 40, 60, 3, generator=torch.Generator().manual_seed(1))


def chosen(way, **more):
    return {"resize_type": way, **more}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (chosen("scale by multiplier", multiplier=1.5), (60, 90)),
        (chosen("scale dimensions", width=32, height=16, crop="center"), (16, 32)),
        (chosen("scale dimensions", width=30, height=0, crop="disabled"), (20, 30)),
        (chosen("scale dimensions", width=0, height=80, crop="disabled"), (80, 120)),
        (chosen("scale dimensions", width=0, height=0, crop="center"), (40, 60)),
        (chosen("scale longer dimension", longer_size=30), (20, 30)),
        (chosen("scale shorter dimension", shorter_size=20), (20, 30)),
        (chosen("scale width", width=120), (80, 120)),
        (chosen("scale height", height=20), (20, 30)),
        (chosen("scale total pixels", megapixels=0.01), (84, 125)),
        (chosen("match size", match=torch.zeros(1, 24, 48, 4), crop="disabled"), (24, 48)),
        (chosen("match size", match=torch.zeros(24, 48), crop="center"), (24, 48)),
        (chosen("scale longer dimension", longer_size=1), (1, 1)),
    ],
)
def test_every_rule_gives_its_size(how, expected):
    found = resize_image_or_mask(IMAGE, how, "bilinear")
    assert found.shape == (2, *expected, 3)
    masks = resize_image_or_mask(IMAGE[..., 0], how, "bilinear")
    assert masks.shape == (2, *expected)
    assert torch.allclose(masks, found[..., 0], atol=1e-6)


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic"])
def test_pixels_are_torchs(method):
    found = resize_image_or_mask(IMAGE, chosen("scale by multiplier", multiplier=0.5), method)
    expected = interpolate(IMAGE.movedim(-1, 1), (20, 30), mode=method).movedim(1, -1)
    assert torch.allclose(found, expected)


def test_cropping_keeps_proportions():
    how = chosen("scale dimensions", width=40, height=40, crop="center")
    assert torch.equal(resize_image_or_mask(IMAGE, how, "area"), IMAGE[:, :, 10:50])


def test_a_mask_of_two_axes_is_one_mask():
    how = chosen("scale width", width=30)
    assert resize_image_or_mask(IMAGE[0, ..., 0], how, "area").shape == (1, 20, 30)


def test_what_is_too_large_or_unknown_is_told():
    with pytest.raises(NodeError, match="no side may be longer"):
        resize_image_or_mask(IMAGE, chosen("scale width", width=16384 * 8), "area")
    with pytest.raises(NodeError, match="no way to resize called 'sideways'"):
        resize_image_or_mask(IMAGE, chosen("sideways"), "area")
