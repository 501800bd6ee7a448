"""Smaller features in the deep part of a UNet."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.errors import NodeError
from engine.nets.downscale import Downscale
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet

CONFIG = regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1)


def resize(features: Tensor, width: int, height: int) -> Tensor:
    return interpolate(features, size=(height, width), mode="bilinear")


def sizes(fill, patch: Downscale, *, after_skip: bool, sigma: float) -> list[tuple[str, int, int]]:
    """The place and size of the features before each block of the decoder and the middle."""
    seen: list[tuple[str, int, int]] = []

    def middle(hidden: Tensor, options: object) -> Tensor:
        seen.append(("middle", *hidden.shape[-2:]))
        return hidden

    def output(hidden: Tensor, skip: Tensor, options: object) -> tuple[Tensor, Tensor]:
        assert hidden.shape[-2:] == skip.shape[-2:]
        seen.append(("output", *hidden.shape[-2:]))
        return hidden, skip

    hooks = patch.hooked(NetHooks(), after_skip=after_skip)
    hooks = hooks.with_patch("middle_block_patch", middle).with_patch("output_block_patch", output)
    hooks = hooks.with_options({"sigmas": torch.tensor([sigma])})
    net = fill(lambda: UNet(CONFIG))
    found = net(torch.randn(1, 4, 13, 16), torch.tensor([9]), torch.randn(1, 5, 48), hooks=hooks)
    assert found.shape == (1, 4, 13, 16)
    return seen


def test_features_shrink_after_the_block_and_grow_in_the_decoder(fill) -> None:
    patch = Downscale(1, 2.0, 9.0, 3.0, resize, resize)
    for sigma in (9.0, 3.0):
        seen = sizes(fill, patch, after_skip=True, sigma=sigma)
        # 13 / 2 rounds to 6; the downsampling after it halves again.
        assert seen == [
            ("middle", 3, 4),
            ("output", 3, 4),
            ("output", 3, 4),
            *[("output", 13, 16)] * 2,
        ]
    before = sizes(fill, patch, after_skip=False, sigma=5.0)
    assert before == [
        ("middle", 3, 4),
        *[("output", 3, 4)] * 2,
        ("output", 6, 8),
        ("output", 13, 16),
    ]


def test_outside_its_range_nothing_changes(fill) -> None:
    patch = Downscale(1, 2.0, 9.0, 3.0, resize, resize)
    for sigma in (9.1, 2.9):
        assert ("middle", 7, 8) in sizes(fill, patch, after_skip=True, sigma=sigma)


def test_features_are_not_made_smaller_than_a_cell() -> None:
    patch = Downscale(1, 40.0, 9.0, 3.0, resize, resize)
    options = {"sigmas": torch.tensor([5.0]), "block": ("input", 1)}
    assert patch.smaller(torch.randn(1, 32, 13, 16), options).shape == (1, 32, 1, 1)


def test_with_a_control_network_the_sentence_names_the_patch(fill) -> None:
    patch = Downscale(0, 2.0, 1e9, 0.0, resize, resize)
    hooks = patch.hooked(NetHooks(), after_skip=True).with_options({"sigmas": torch.tensor([5.0])})
    control = Residuals(input=(None, torch.zeros(1, 32, 12, 16)))
    net = fill(lambda: UNet(CONFIG))
    x = torch.randn(1, 4, 12, 16), torch.tensor([9]), torch.randn(1, 5, 48)
    with pytest.raises(NodeError, match="of 16 x 12 cells where the model has 8 x 6: a patch"):
        net(*x, control=control, hooks=hooks)
