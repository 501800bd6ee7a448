"""Wan 2.1's autoencoder against diffusers on tiny random nets, in both layouts of files."""

from __future__ import annotations

import os

import pytest
import torch

from engine.errors import WeightsError
from engine.families.autoencoders import find_autoencoder
from engine.families.wan_autoencoder import DEVIATION, LATENT, MEAN, WanAutoencoderKind
from engine.nets.autoencoder_wan import (
    CausalConvolution,
    LayerConfig,
    WanAutoencoder,
    WanAutoencoderConfig,
    wan_autoencoder_config,
)
from engine.weights.state_dict import StateDict

TINY = {
    "base_dim": 8,
    "z_dim": 4,
    "dim_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "temperal_downsample": [True, True],
}


def tiny_config(pixel_channels=3):
    encoder = [(8, 8), (8, 8, True, True), (8, 16), (16, 16, True, True), (16, 16)]
    decoder = [(16, 16)] * 2 + [(16, 8, True, True), (8, 16), (16, 16), (16, 8, True, True)]
    return WanAutoencoderConfig(
        pixel_channels,
        4,
        tuple(LayerConfig(*each) for each in encoder),
        tuple(LayerConfig(*each) for each in [*decoder, (8, 8), (8, 8)]),
    )


@pytest.fixture
def net(fill):
    return fill(lambda: WanAutoencoder(tiny_config()))


@pytest.fixture
def oracle(net):
    """Diffusers' autoencoder of the same weights, which it reads in the original layout."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import AutoencoderKLWan
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    # Its reader of original files knows only four levels of three blocks, so tests map by name.
    assert convert_wan_vae_to_diffusers({"conv1.bias": 1}) == {"quant_conv.bias": 1}
    oracle = AutoencoderKLWan(**TINY).eval()
    ours = StateDict.of(oracle.state_dict())
    names = {name: id(tensor) for name, tensor in WanAutoencoderKind().tensors(ours).items()}
    theirs = {id(tensor): name for name, tensor in ours.items()}
    assert names.keys() == net.state_dict().keys()
    oracle.load_state_dict({theirs[names[name]]: t for name, t in net.state_dict().items()})
    return oracle


def off(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(("frames", "cells"), [(1, 1), (5, 2), (9, 3)])
def test_equals_diffusers(net, oracle, frames, cells):
    with torch.no_grad():
        pixels = torch.rand(2, 3, frames, 24, 20) * 2 - 1
        mean = net.encode(pixels)
        assert mean.shape == (2, 4, cells, 6, 5)
        assert off(mean, oracle.encode(pixels).latent_dist.mean) < 1e-5  # seen: under 1e-6
        z = torch.randn(2, 4, cells, 6, 5)
        theirs = oracle.decode(z).sample
        assert off(net.decode(z).clamp(-1, 1), theirs) < 1e-5  # seen: under 1e-6
        # In half precision the norms stay exact.
        half = net.to(torch.bfloat16).decode(z.to(torch.bfloat16)).clamp(-1, 1)
        assert half.dtype == torch.bfloat16
        assert off(half.float(), theirs) < 3e-2  # seen: 5e-3


def test_both_layouts_are_the_same_autoencoder(net, oracle):
    original = find_autoencoder(StateDict.of({f"vae.{k}": t for k, t in net.state_dict().items()}))
    renamed = find_autoencoder(StateDict.of(oracle.state_dict()))
    for found in (original, renamed):
        assert isinstance(found.kind, WanAutoencoderKind)
        assert found.config == tiny_config()
        assert found.tensors.shapes == {k: tuple(t.shape) for k, t in net.state_dict().items()}
    assert renamed.kind.latent(renamed.config).downscale == (4, 4, 4)


def test_memory_does_not_grow_with_the_length(net):
    longest = []
    for module in net.modules():
        if isinstance(module, CausalConvolution) and module.before:
            module.register_forward_hook(lambda _, __, found: longest.append(found.shape[2]))
    with torch.no_grad():
        net.decode(torch.randn(1, 4, 9, 4, 4))
        net.encode(torch.randn(1, 3, 21, 16, 16))
    # Of one piece, however long the video is.
    assert max(longest) == 4


def test_a_stop_takes_effect_within_a_layer(net):
    layers = []
    with torch.no_grad():
        net.decode(torch.randn(1, 4, 3, 4, 4), checkpoint=lambda: layers.append(1))
    assert len(layers) == 3 * 12


def test_the_full_size_has_the_published_number_of_parameters():
    from diffusers import AutoencoderKLWan

    with torch.device("meta"):
        oracle = AutoencoderKLWan()
        kind = WanAutoencoderKind()
        config = kind.detect(StateDict.of(oracle.state_dict()))
        net = WanAutoencoder(config)
    count = sum(each.numel() for each in net.parameters())
    assert count == sum(each.numel() for each in oracle.parameters()) == 126_892_531
    assert kind.latent(config).downscale == LATENT.downscale == (4, 8, 8)
    assert list(MEAN) == oracle.config.latents_mean
    assert list(DEVIATION) == oracle.config.latents_std


def test_transparency_is_opaque_where_pictures_lack_it(fill):
    net = fill(lambda: WanAutoencoder(tiny_config(4)))
    pixels = torch.rand(1, 3, 1, 8, 8)
    opaque = torch.cat((pixels, torch.ones(1, 1, 1, 8, 8)), dim=1)
    assert torch.equal(net.encode(pixels), net.encode(opaque))
    assert net.decode(torch.randn(1, 4, 1, 4, 4)).shape == (1, 4, 1, 16, 16)


def test_incomplete_and_newer_files_are_named(net):
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    cut = {name: shape for name, shape in shapes.items() if "upsamples.3.residual" not in name}
    with pytest.raises(WeightsError, match=r"decoder\.upsamples\.3\.residual\.2\.weight should"):
        wan_autoencoder_config(cut)
    wrong = {**shapes, "decoder.upsamples.3.residual.2.weight": (16, 24, 3, 3, 3)}
    with pytest.raises(WeightsError, match="8 channels leads to one that takes 24"):
        wan_autoencoder_config(wrong)
    newer = {**net.state_dict(), "decoder.upsamples.0.upsamples.0.residual.2.weight": torch.ones(1)}
    with pytest.raises(WeightsError, match="not a complete autoencoder"):
        find_autoencoder(StateDict.of(newer))
