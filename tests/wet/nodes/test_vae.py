"""The VAE nodes, and the masked area for inpainting."""

from __future__ import annotations

import pytest
import torch

from engine.inference.vae import encode
from engine.nodekit.context import RunningContext
from nodes import vae as nodes


@pytest.fixture
def reported():
    return []


@pytest.fixture
def ctx(files, reported):
    return RunningContext("1", files, on_progress=lambda *step: reported.append(step[1:3]))


def test_there_and_back(tiny_vae, ctx, reported):
    latent = nodes.vae_encode(torch.rand(2, 64, 72, 3), tiny_vae, ctx)
    assert latent["samples"].shape == (2, 4, 8, 9)
    assert nodes.vae_decode(latent, tiny_vae, ctx).shape == (2, 64, 72, 3)
    assert reported == [(1, 2), (2, 2)] * 2


def test_tiled_there_and_back(tiny_vae, ctx, reported):
    latent = nodes.vae_encode_tiled(torch.rand(1, 128, 64, 3), tiny_vae, ctx, 64, 64)
    assert latent["samples"].shape == (1, 4, 16, 8)
    picture = nodes.vae_decode_tiled(latent, tiny_vae, ctx, 64, 64)
    assert picture.shape == (1, 128, 64, 3)

    assert (
        reported == [(i, 13) for i in range(1, 14)] * 2
    )  # 3 square tiles, 3 tall ones, 7 wide ones


def test_inpainting_greys_the_hole_and_grows_it(tiny_vae, ctx):
    pixels = torch.rand(1, 68, 64, 3)
    mask = torch.zeros(34, 32)
    mask[16:18, 8:16] = 1
    latent = nodes.vae_encode_for_inpaint(pixels, tiny_vae, mask, ctx, 6)
    grey = pixels[:, 2:66].clone()
    hole = torch.nn.functional.interpolate(mask[None, None], size=(68, 64), mode="bilinear")
    hole = hole[0, 0, 2:66].round().bool()
    grey[:, hole] = 0.5
    assert (latent["samples"] - encode(tiny_vae, grey)).abs().max() < 1e-4
    grown = latent["noise_mask"]
    assert grown.shape == (1, 1, 64, 64)
    rows, columns = hole.nonzero().unbind(1)
    found = grown[0, 0].nonzero()
    assert found[:, 0].min() == rows.min() - 2
    assert found[:, 0].max() == rows.max() + 3
    assert found[:, 1].min() == columns.min() - 2
    assert found[:, 1].max() == columns.max() + 3
    ungrown = nodes.vae_encode_for_inpaint(pixels, tiny_vae, mask, ctx, 0)["noise_mask"]
    assert torch.equal(ungrown[0, 0].bool(), hole)
