"""The autoencoder with a temporal decoder against diffusers on random weights."""

from __future__ import annotations

import re

import pytest
import torch

from engine.nets.autoencoder_kl import AutoencoderKL, autoencoder_config
from engine.nets.layouts import regular_autoencoder

WIDTHS = (32, 64, 64, 96)
TOLERANCE = 1e-4
NAMES = (
    (r"mid\.block_1\.", "mid_block.resnets.0."),
    (r"mid\.block_2\.", "mid_block.resnets.1."),
    (r"mid\.attn_1\.norm", "mid_block.attentions.0.group_norm"),
    (r"mid\.attn_1\.([qkv])\.", r"mid_block.attentions.0.to_\1."),
    (r"mid\.attn_1\.proj_out", "mid_block.attentions.0.to_out.0"),
    (r"down\.(\d)\.block\.", r"down_blocks.\1.resnets."),
    (r"down\.(\d)\.downsample", r"down_blocks.\1.downsamplers.0"),
    (r"up\.(\d)\.block\.", lambda found: f"up_blocks.{3 - int(found[1])}.resnets."),
    (r"up\.(\d)\.upsample", lambda found: f"up_blocks.{3 - int(found[1])}.upsamplers.0"),
    (r"nin_shortcut", "conv_shortcut"),
    (r"norm_out", "conv_norm_out"),
    (r"conv_out\.time_mix_conv", "time_conv_out"),
    (r"time_stack\.in_layers\.0", "temporal_res_block.norm1"),
    (r"time_stack\.in_layers\.2", "temporal_res_block.conv1"),
    (r"time_stack\.out_layers\.0", "temporal_res_block.norm2"),
    (r"time_stack\.out_layers\.3", "temporal_res_block.conv2"),
    (r"\.mix_factor", ".time_mixer.mix_factor"),
    (r"(decoder.*resnets\.\d\.)(norm|conv)(?!_in|_out)", r"\1spatial_res_block.\2"),
)
"""Ours to diffusers', in this order."""


@pytest.fixture
def net(fill):
    return fill(lambda: AutoencoderKL(regular_autoencoder(WIDTHS, quantised=False, temporal=True)))


def theirs(net):
    from diffusers import AutoencoderKLTemporalDecoder

    oracle = AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * 4,
        block_out_channels=WIDTHS,
        layers_per_block=2,
    ).eval()
    state = {}
    for key, value in net.state_dict().items():
        their = key
        for ours, name in NAMES:
            their = re.sub(ours, name, their)
        expected = oracle.state_dict().get(their)
        state[their] = value if expected is None else value.reshape(expected.shape)
    missing, unexpected = oracle.load_state_dict(state, strict=False)
    assert missing == ["quant_conv.weight", "quant_conv.bias"]
    assert unexpected == []
    return oracle


def test_equals_diffusers(net):
    generator = torch.Generator().manual_seed(6)
    z = torch.randn(5, 4, 4, 6, generator=generator)
    expected = theirs(net).decode(z, num_frames=5).sample
    found = net.decode(z)
    assert found.shape == (5, 3, 32, 48)
    assert (found - expected).abs().max() < TOLERANCE * expected.abs().max()


def test_frames_affect_one_another(net):
    z = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(6))
    alone = torch.cat([net.decode(row[None]) for row in z])
    assert (net.decode(z) - alone).abs().mean() > 1e-3


@pytest.mark.parametrize("quantised", [True, False])
def test_the_configuration_is_read_from_shapes(fill, shapes_of, quantised):
    config = regular_autoencoder(WIDTHS, quantised=quantised, temporal=True)
    shapes = shapes_of(fill(lambda: AutoencoderKL(config)))
    assert autoencoder_config(shapes) == config


def test_a_convolution_before_the_latent_alone(net, shapes_of):
    shapes = {**shapes_of(net), "quant_conv.weight": (8, 8, 1, 1), "quant_conv.bias": (8,)}
    config = autoencoder_config(shapes)
    assert config.moments_only
    with torch.device("meta"):
        assert shapes_of(AutoencoderKL(config)) == shapes
